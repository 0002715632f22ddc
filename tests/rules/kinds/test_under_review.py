"""A reply that may have meant stop keeps messages back until somebody has decided on it."""

from collections.abc import Mapping

import pytest

from rules.history import Event
from rules.kinds.preconditions import NotUnderReview
from rules.vocabulary import Channel, EventKind, Purpose, ReasonCode
from tests.support.law import NOON, a_grant, a_message_to, an_event, codes_of

HELD = "2026-02-01T12:00:00-05:00"
LATER = "2026-02-02T12:00:00-05:00"


def a_hold(day: str = HELD, scope: Mapping[str, object] | None = None) -> Event:
    return an_event(EventKind.HOLD, day, index=7, **(scope or {}))


def codes(*history: Event, **message: object) -> list[ReasonCode]:
    return codes_of(NotUnderReview(), a_message_to(*history, **message))  # type: ignore[arg-type]


def test_a_held_reply_keeps_messages_back() -> None:
    assert codes(a_grant(), a_hold()) == [ReasonCode.UNDER_REVIEW]
    assert codes(a_grant()) == []


def test_a_reply_to_come_keeps_nothing_back() -> None:
    assert codes(a_hold(NOON.isoformat())) == [ReasonCode.UNDER_REVIEW]
    assert codes(a_hold("2026-03-02T12:00:01-05:00")) == []


@pytest.mark.parametrize(("answers", "kept_back"), [(7, False), (8, True), (None, True)])
def test_only_its_own_release_lets_a_hold_go(answers: int | None, kept_back: bool) -> None:
    release = an_event(EventKind.RELEASE, LATER, answers=answers)
    assert bool(codes(a_hold(), release)) is kept_back


def test_each_of_two_holds_waits_for_its_own_release() -> None:
    second = an_event(EventKind.HOLD, LATER, index=9)
    release = an_event(EventKind.RELEASE, LATER, answers=9)
    assert codes(a_hold(), second, release) == [ReasonCode.UNDER_REVIEW]
    assert codes(a_hold(), second, release, an_event(EventKind.RELEASE, LATER, answers=7)) == []


@pytest.mark.parametrize(
    ("scope", "kept_back"),
    [
        ({}, False),
        ({"channel": Channel.SMS}, False),
        ({"channel": Channel.EMAIL}, True),
        ({"purpose": Purpose.SURVEY}, True),
        ({"brand": "Other"}, True),
    ],
)
def test_an_opt_out_that_reaches_the_message_takes_its_place(
    scope: dict[str, object], kept_back: bool
) -> None:
    assert bool(codes(a_hold(), an_event(EventKind.REVOKE, LATER, **scope))) is kept_back


def test_an_opt_out_before_it_settles_nothing() -> None:
    before = an_event(EventKind.REVOKE, "2026-01-31T12:00:00-05:00")
    assert codes(before, a_hold()) == [ReasonCode.UNDER_REVIEW]
    assert codes(a_hold(), an_event(EventKind.REVOKE, HELD)) == []


@pytest.mark.parametrize(
    ("scope", "kept_back"),
    [
        ({"channel": Channel.SMS, "purpose": Purpose.MARKETING, "brand": "ACME"}, True),
        ({"channel": Channel.EMAIL}, False),
        ({"purpose": Purpose.SURVEY}, False),
        ({"brand": "Other"}, False),
    ],
)
def test_a_hold_reaches_as_far_as_the_opt_out_that_it_may_be(
    scope: dict[str, object], kept_back: bool
) -> None:
    assert bool(codes(a_hold(scope=scope))) is kept_back


def test_a_grant_does_not_answer_a_reply() -> None:
    assert codes(a_hold(), a_grant(LATER)) == [ReasonCode.UNDER_REVIEW]


def test_after_an_erasure_nobody_can_decide_and_a_new_grant_begins_anew() -> None:
    erased = an_event(EventKind.ERASE, LATER)
    bought = an_event(EventKind.PURCHASE, "2026-02-03T12:00:00-05:00")
    before, since = a_grant("2026-02-01T13:00:00-05:00"), a_grant("2026-02-03T12:00:00-05:00")
    assert codes(a_hold(), before, erased, bought) == [ReasonCode.UNDER_REVIEW]
    assert codes(a_hold(), erased, since) == []
    assert codes(erased, a_hold("2026-02-02T13:00:00-05:00"), since) == [ReasonCode.UNDER_REVIEW]
