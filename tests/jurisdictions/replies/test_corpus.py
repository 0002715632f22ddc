"""No plain opt-out is missed, and every false stop is known by name."""

from functools import cache

from jurisdictions.replies import Reading, read_reply
from tests.jurisdictions.replies.measuring import Read, read_all

FALSE_STOPS: set[str] = {
    "When does the sale end? I want it to stop so I can relax",
    "tidak, terima kasih",
}
"""What we stop without being asked: known, and rather this than a stop that is missed."""

HELD_IN_VAIN_MAX = 0.05
"""Of the replies that are neither stop nor doubt, so many at most may wait for a reviewer."""


@cache
def everything() -> tuple[Read, ...]:
    return tuple(read_all())


def test_the_corpus_is_large_and_speaks_many_languages() -> None:
    assert len(everything()) >= 500
    assert len({one.language for one in everything()}) >= 15
    assert len({(one.language, one.text) for one in everything()}) == len(everything())


def test_no_plain_opt_out_is_missed_or_left_waiting() -> None:
    plain = [one for one in everything() if one.expected is Reading.STOP]
    assert [one for one in plain if one.found is not Reading.STOP] == []


def test_a_plain_opt_out_beside_what_is_no_stop_is_held_at_least() -> None:
    texts = [one.text for one in everything() if one.expected is Reading.STOP]
    plain = [one for one in texts if read_reply(one, country=None).reading is Reading.STOP]
    assert len(plain) > 1700
    beside = [
        *(f"koniec promocji. {one}" for one in plain),
        *(f"{one} - bus stop" for one in plain),
    ]
    held = (Reading.STOP, Reading.UNCERTAIN)
    assert [one for one in beside if read_reply(one, country=None).reading not in held] == []


def test_every_false_stop_is_known() -> None:
    assert {one.text for one in everything() if one.is_false_stop} == FALSE_STOPS


def test_few_plain_replies_wait_for_a_reviewer() -> None:
    others = [one for one in everything() if one.expected in (Reading.OTHER, Reading.START)]
    waiting = [one for one in others if one.is_held_in_vain]
    assert len(waiting) <= HELD_IN_VAIN_MAX * len(others), waiting


def test_a_reply_that_asks_to_start_or_for_help_is_read_so() -> None:
    asked = [one for one in everything() if one.expected in (Reading.START, Reading.HELP)]
    assert [one for one in asked if one.found is not one.expected] == []
