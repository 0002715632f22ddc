"""Rule kind ``consent``: what begins anew after an erasure."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.consent import Consent, GrantRoute, OptOutReach, RelationRoute
from rules.rule import Case
from rules.vocabulary import Channel, EventKind, Level, Purpose, ReasonCode

GRANT = GrantRoute(level=Level.EXPRESS)
SALE = RelationRoute(events=frozenset({EventKind.PURCHASE}))


def on(day: int) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day:02d}T12:00:00+00:00")


def case_of(*events: Event) -> Case:
    message = Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=on(20))
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
    )
    sender = Sender(name="Acme", country="XA", jurisdictions=("XA",))
    facts = Facts(sender=sender, recipient=recipient, message=message, history=History(events))
    return Case(facts, on(20))


ERASED = Event(event=EventKind.ERASE, at=on(2))
PURCHASE = Event(event=EventKind.PURCHASE, at=on(3))
GRANTED = Event(event=EventKind.GRANT, at=on(4), level=Level.EXPRESS)


@pytest.mark.parametrize(
    ("until_granted", "routes", "reason"),
    [
        (False, (GRANT,), ReasonCode.CONSENT_MISSING),
        (False, (GRANT, SALE), None),
        (True, (GRANT,), ReasonCode.ERASED),
        (True, (GRANT, SALE), ReasonCode.ERASED),
    ],
)
def test_a_relation_begins_anew_unless_only_a_grant_does(
    routes: tuple[GrantRoute | RelationRoute, ...],
    reason: ReasonCode | None,
    *,
    until_granted: bool,
) -> None:
    terms = Consent(routes=routes, reach=OptOutReach(erased_until_granted=until_granted))
    found = terms.findings(case_of(ERASED, PURCHASE))
    assert [f.code for f in found] == ([] if reason is None else [reason])


@pytest.mark.parametrize("until_granted", [False, True])
def test_a_grant_begins_anew(*, until_granted: bool) -> None:
    terms = Consent(routes=(GRANT,), reach=OptOutReach(erased_until_granted=until_granted))
    assert not terms.findings(case_of(ERASED, PURCHASE, GRANTED))
