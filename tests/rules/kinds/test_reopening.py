"""Rule kind ``consent``: what opens again after an opt-out or an erasure, and what does not."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.consent import Consent
from rules.kinds.routes import OpenRoute
from rules.periods import Period, Unit
from rules.rule import Case
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, ReasonCode

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OPEN = Consent(routes=(OpenRoute(),), confirmation=Period(5, Unit.MINUTES))
"""A law that asks for nothing until somebody opts out."""


def facts(*events: Event, purpose: Purpose = Purpose.MARKETING) -> Facts:
    return Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.EMAIL, purpose=purpose, send_at=NOW),
        history=History(events),
    )


def an_event(kind: EventKind, *, before: timedelta = timedelta(days=1), **given: Any) -> Event:
    return Event(event=kind, at=NOW - before, **given)


def reasons(*events: Event, purpose: Purpose = Purpose.MARKETING) -> list[ReasonCode]:
    return [found.code for found in OPEN.findings(Case(facts(*events, purpose=purpose), NOW))]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [(EventKind.REVOKE, ReasonCode.CONSENT_REVOKED), (EventKind.ERASE, ReasonCode.ERASED)],
)
@pytest.mark.parametrize(
    ("said", "opens"),
    [
        ({}, True),
        ({"channel": Channel.EMAIL, "purpose": Purpose.MARKETING, "brand": "Acme"}, True),
        ({"expires_at": NOW + timedelta(microseconds=1)}, True),
        ({"expires_at": NOW}, False),
        ({"qualities": frozenset({Quality.DOUBLE_OPT_IN})}, False),
        ({"channel": Channel.SMS}, False),
        ({"purpose": Purpose.SERVICE}, False),
        ({"brand": "Beta"}, False),
    ],
)
def test_only_a_grant_that_stands_and_reaches_the_message_opens_again(
    ending: EventKind, reason: ReasonCode, said: dict[str, Any], *, opens: bool
) -> None:
    ended = an_event(ending, before=timedelta(days=2))
    grant = an_event(EventKind.GRANT, level=Level.EXPRESS_WRITTEN, **said)
    assert reasons(ended, grant) == ([] if opens else [reason])


@pytest.mark.parametrize(("brand", "opens"), [(None, True), ("Beta", False)])
def test_a_relation_begins_a_new_record_with_its_own_brand(
    brand: str | None, *, opens: bool
) -> None:
    erased = an_event(EventKind.ERASE, before=timedelta(days=2))
    purchase = an_event(EventKind.PURCHASE, brand=brand)
    assert reasons(erased, purchase) == ([] if opens else [ReasonCode.ERASED])


def test_an_erasure_leaves_no_opt_out_to_confirm() -> None:
    revoke = an_event(EventKind.REVOKE, before=timedelta(minutes=2))
    erased = an_event(EventKind.ERASE, before=timedelta(minutes=1))
    assert reasons(revoke, purpose=Purpose.SERVICE) == []
    assert reasons(revoke, erased, purpose=Purpose.SERVICE) == [ReasonCode.ERASED]


def test_an_erasure_takes_no_opt_out_away() -> None:
    """A later sale begins a new record, but nothing but a grant re-opens what was closed."""
    revoke = an_event(EventKind.REVOKE, before=timedelta(days=3))
    erased = an_event(EventKind.ERASE, before=timedelta(days=2))
    purchase = an_event(EventKind.PURCHASE)
    grant = an_event(EventKind.GRANT, level=Level.EXPRESS)
    assert reasons(erased, purchase) == []
    assert reasons(revoke, erased, purchase) == [ReasonCode.CONSENT_REVOKED]
    assert reasons(revoke, erased, purchase, grant) == []
