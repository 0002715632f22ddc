"""Phrases are found by their words, the longest first."""

import pytest

from jurisdictions.replies.phrases import Found, Phrases, WordingError


def words_of(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def phrases(*written: str) -> Phrases:
    made = Phrases()
    for one in written:
        made.add(one, one, words_of)
    return made


@pytest.mark.parametrize(
    ("written", "text", "end"),
    [
        ("stop now", "stop now please", 2),
        ("stop now", "stop it now", None),
        ("stop|end now", "end now", 2),
        ("stop it? now", "stop now", 2),
        ("stop it? now", "stop it now", 3),
        ("stop .. now", "stop now", 2),
        ("stop .. now", "stop a b c now", 5),
        ("stop .. now", "stop a b c d now", None),
        ("unsub*", "unsubscribing all", 1),
        ("unsub* me", "unsubscribe me", 2),
        ("unsub*", "unsu", None),
        ("opt_out|leave now", "opt out now", 3),
        ("opt_out|leave now", "leave now", 2),
        ("stop? now", "now", 1),
    ],
)
def test_a_phrase_is_found_as_it_is_written(written: str, text: str, end: int | None) -> None:
    found = phrases(written).at(text.split(), 0)
    assert found == (None if end is None else Found(end, written))


def test_the_longest_of_several_is_found() -> None:
    both = phrases("stop", "stop all", "stop all messages now")
    assert both.at(["stop", "all", "messages"], 0) == Found(2, "stop all")


def test_phrases_are_found_wherever_they_begin() -> None:
    found = list(phrases("stop", "end it").anywhere(["please", "stop", "or", "end", "it"]))
    assert found == [(1, Found(2, "stop")), (3, Found(5, "end it"))]


def test_nothing_is_found_behind_the_end() -> None:
    assert phrases("stop").at(["stop"], 1) is None
    assert phrases("stop").at([], 0) is None


@pytest.mark.parametrize("written", ["..", "stop ..", ".. stop", "stop?", "a? b?", "stop |"])
def test_a_phrase_that_means_nothing_is_refused(written: str) -> None:
    with pytest.raises(WordingError):
        phrases(written)
