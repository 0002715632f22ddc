"""The pages' texts: whole in every language, and the right one for whoever reads."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.operations.read_preferences import ASKED_FOR
from api.public.languages import FOLDER, Texts, choose_language, languages
from api.public.pages import fill, fill_plain, masked
from rules.vocabulary import Channel, Purpose

MOST_SPOKEN = {
    "ar",
    "bn",
    "de",
    "en",
    "es",
    "fr",
    "hi",
    "id",
    "ja",
    "mr",
    "pt",
    "ru",
    "ur",
    "vi",
    "zh-Hans",
}
SAME_IN_SOME = {"language", "this_sender"}


def places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_there_are_the_fifteen_most_spoken() -> None:
    assert set(languages()) == MOST_SPOKEN
    assert {path.suffix for path in FOLDER.iterdir()} == {".yaml"}


@pytest.mark.parametrize("tag", sorted(MOST_SPOKEN))
def test_each_text_holds_what_the_english_one_holds(tag: str) -> None:
    texts, english = languages()[tag].texts, languages()["en"].texts
    for name in Texts.__struct_fields__:
        ours, theirs = getattr(texts, name), getattr(english, name)
        if isinstance(theirs, str):
            assert places(ours) == places(theirs), name
    assert set(texts.channels) == set(Channel)
    assert set(texts.purposes) == set(Purpose) - ASKED_FOR
    assert set(texts.answers) == {"yes", "no", "nothing"}
    assert len(set(texts.answers.values())) == 3
    assert "STOP" in texts.other_ways_reply


@pytest.mark.parametrize("tag", sorted(MOST_SPOKEN - {"en"}))
def test_nothing_is_left_in_english(tag: str) -> None:
    texts, english = languages()[tag].texts, languages()["en"].texts
    same = {
        name
        for name in Texts.__struct_fields__
        if isinstance(getattr(english, name), str)
        and name != "direction"
        and getattr(texts, name) == getattr(english, name)
    }
    assert not same


def test_what_is_written_from_the_right_says_so() -> None:
    from_the_right = {tag for tag, one in languages().items() if one.texts.direction == "rtl"}
    assert from_the_right == {"ar", "ur"}


@pytest.mark.parametrize(
    ("asked", "accepted", "tag"),
    [
        (None, "de", "de"),
        (None, "DE-at", "de"),
        (None, "zh-TW", "zh-Hans"),
        (None, "zh-hans-CN", "zh-Hans"),
        (None, "cmn", "zh-Hans"),
        (None, "arz", "ar"),
        (None, "pcm", "en"),
        (None, "in-ID", "id"),
        (None, "fr;q=0.3, es;q=0.7", "es"),
        (None, "fr, es", "fr"),
        (None, "fr;q=0, es;q=0.1", "es"),
        (None, "fr;q=x, es;q=0.1", "es"),
        (None, "*", "en"),
        (None, "fr" + " " * 600 + ",es", "fr"),
        ("ur", "fr", "ur"),
        ("zh-Hans", "", "zh-Hans"),
        ("", "fr", "fr"),
        ("../en", "fr", "fr"),
    ],
)
def test_the_best_language_of_those_that_are_read(
    asked: str | None, accepted: str, tag: str
) -> None:
    assert choose_language(asked, accepted).tag == tag


@given(st.none() | st.text(), st.text())
def test_some_language_is_always_found(asked: str | None, accepted: str) -> None:
    assert choose_language(asked, accepted).tag in MOST_SPOKEN


@given(st.text())
def test_what_is_put_in_is_escaped_and_never_filled_itself(part: str) -> None:
    filled = fill("<i> {sender} {address}", sender=part + "{address}<", address="&")
    assert filled.startswith("&lt;i&gt; <bdi")
    assert "{address}&lt;</bdi>" in filled
    assert fill_plain("{what}!", what=part) == f"\u2068{part}\u2069!"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada.lovelace@example.com", "a…@example.com"),
        ("+12125550123", "+1…23"),
        ("+12345", "…"),
        ("no address", "no…ss"),
        ("@", "…@"),
        ("", "…"),
    ],
)
def test_an_address_is_shown_to_its_owner_only(address: str, shown: str) -> None:
    assert masked(address) == shown
