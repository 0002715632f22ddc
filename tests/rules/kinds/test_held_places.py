"""Rule kind ``frequency_cap``: places held by messages that have not gone yet."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.frequency_cap import FrequencyCap
from rules.rule import Case
from rules.vocabulary import Channel, EventKind, Purpose

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
"""A Monday's."""


@pytest.mark.parametrize(
    "cap",
    [
        FrequencyCap(limit=1, calendar_days=1),
        FrequencyCap(limit=1, calendar_week=True),
        FrequencyCap(limit=1, hours=24),
    ],
)
@pytest.mark.parametrize(("minutes", "taken"), [(4, True), (5, False)])
def test_a_place_counts_on_the_next_day_as_long_as_its_message_may_go(
    cap: FrequencyCap, minutes: int, *, taken: bool
) -> None:
    until = MIDNIGHT + timedelta(minutes=5)
    place = Event(
        event=EventKind.SENT,
        at=MIDNIGHT - timedelta(minutes=5),
        channel=Channel.SMS,
        held_until=until,
    )
    at = MIDNIGHT + timedelta(minutes=minutes)
    facts = Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=at),
        history=History((place,)),
    )
    assert [found.until for found in cap.findings(Case(facts, at))] == ([until] if taken else [])
