"""Registers: when a listing counts, and when a copy has to be there."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, RegistryEntry, Sender
from rules.kinds.registers import RegisterTest
from rules.vocabulary import Channel, Purpose, ReasonCode

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


def entry_of(*, listed: bool) -> RegistryEntry:
    return RegistryEntry(registry="xa-list", listed=listed, as_of=date(2026, 11, 1))


@pytest.mark.parametrize(
    ("needed", "listed", "codes"),
    [
        (True, None, [ReasonCode.REGISTRY_STALE]),
        (False, None, []),
        (False, True, [ReasonCode.REGISTRY_LISTED]),
        (False, False, []),
    ],
)
def test_a_copy_may_be_left_out_where_the_law_asks_for_none(
    *, needed: bool, listed: bool | None, codes: list[ReasonCode]
) -> None:
    loaded = {} if listed is None else {"xa-list": entry_of(listed=listed)}
    facts = Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=AT),
        registries=loaded,
    )
    register = RegisterTest(registry="xa-list", needed=needed)
    assert [found.code for found in register.findings(facts, AT, since=None)] == codes
