"""Caps: what counts, until when, and the instant at which a place is free."""

from datetime import timedelta

import pytest

from rules.engine import decide
from rules.history import Event
from rules.kinds.frequency_cap import FrequencyCap
from rules.vocabulary import Channel, EventKind, Purpose, ReasonCode, Verdict
from tests.support.law import NOON, a_message_to, a_rule, an_event, at, codes_of


def sent(day: str, **particulars: object) -> Event:
    return an_event(EventKind.SENT, day, **particulars)


@pytest.mark.parametrize(
    ("day", "not_before"),
    [
        ("2026-03-01T12:00:00-05:00", None),
        ("2026-03-01T12:00:01-05:00", "2026-03-02T12:00:01-05:00"),
        ("2026-03-02T12:00:00-05:00", "2026-03-03T12:00:00-05:00"),
        ("2026-03-02T12:00:01-05:00", None),
    ],
)
def test_hours_run_on_the_clock(day: str, not_before: str | None) -> None:
    decision = decide(a_message_to(sent(day)), (a_rule(FrequencyCap(limit=1, hours=24)),))
    assert decision.not_before == (None if not_before is None else at(not_before))


@pytest.mark.parametrize(
    ("day", "not_before"),
    [
        ("2026-02-28T23:59:59-05:00", None),
        ("2026-03-01T00:00:00-05:00", "2026-03-03T00:00:00-05:00"),
    ],
)
def test_days_run_on_the_recipients_calendar(day: str, not_before: str | None) -> None:
    rule = a_rule(FrequencyCap(limit=1, calendar_days=2))
    decision = decide(a_message_to(sent(day)), (rule,))
    assert decision.not_before == (None if not_before is None else at(not_before))


@pytest.mark.parametrize(
    ("day", "not_before"),
    [
        ("2026-03-01T23:59:59-05:00", None),
        ("2026-03-02T00:00:00-05:00", "2026-03-09T00:00:00-04:00"),
    ],
)
def test_weeks_run_from_monday(day: str, not_before: str | None) -> None:
    rule = a_rule(FrequencyCap(limit=1, calendar_week=True))
    decision = decide(a_message_to(sent(day)), (rule,))
    assert decision.not_before == (None if not_before is None else at(not_before))


def test_the_oldest_place_is_free_first() -> None:
    days = [sent(f"2026-03-02T0{hour}:00:00-05:00") for hour in (6, 8, 9)]
    decision = decide(a_message_to(*days), (a_rule(FrequencyCap(limit=2, hours=24)),))
    assert decision.not_before == at("2026-03-03T08:00:00-05:00")
    assert decide(a_message_to(*days), (a_rule(FrequencyCap(limit=4, hours=24)),)).findings == ()


@pytest.mark.parametrize(
    ("particulars", "counts"),
    [
        ({}, True),
        ({"brand": "acme"}, True),
        ({"brand": "Other"}, False),
        ({"channel": Channel.SMS}, True),
        ({"channel": Channel.EMAIL}, False),
        ({"purpose": Purpose.SERVICE}, False),
        ({"topic": "wine"}, True),
        ({"topic": "loans"}, False),
        ({"held_until": NOON}, False),
        ({"held_until": NOON + timedelta(seconds=1)}, True),
    ],
)
def test_only_messages_of_the_kind_count(particulars: dict[str, object], counts: bool) -> None:
    cap = FrequencyCap(
        limit=1,
        hours=24,
        channels=frozenset({Channel.SMS}),
        purposes=frozenset({Purpose.MARKETING}),
        same_topic=True,
    )
    facts = a_message_to(sent("2026-03-02T11:00:00-05:00", **particulars), topic="wine")
    assert codes_of(cap, facts) == ([ReasonCode.FREQUENCY_CAP] if counts else [])


def test_a_cap_never_denies_while_waiting_helps() -> None:
    facts = a_message_to(sent("2026-03-02T11:00:00-05:00"))
    assert decide(facts, (a_rule(FrequencyCap(limit=1, hours=24)),)).verdict is Verdict.DEFER
    month = a_rule(FrequencyCap(limit=1, calendar_days=40))
    assert decide(facts, (month,)).verdict is Verdict.DENY
