"""Facts on record: canonical, whole, and without an address."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from audit.fact_records import read_facts, write_facts
from rules.facts import (
    Facts,
    Message,
    Recipient,
    Registration,
    RegistryEntry,
    Sender,
    SenderId,
    TemplateReference,
)
from rules.history import Event, History
from rules.vocabulary import (
    Channel,
    EventKind,
    Level,
    NumberType,
    Purpose,
    Quality,
    RecipientKind,
    SenderForm,
    Via,
)

AT = datetime(2026, 11, 20, 21, 30, 0, 123456, tzinfo=UTC)
EVENT = Event(
    event=EventKind.GRANT,
    at=AT,
    channel=Channel.SMS,
    purpose=Purpose.MARKETING,
    topic="shoes",
    brand="Acme",
    level=Level.EXPRESS_WRITTEN,
    qualities=frozenset(Quality),
    expires_at=AT,
    ends_at=AT,
    via=Via.LINK,
    held_until=AT,
    index=41,
    answers=40,
    elsewhere=True,
)
FULL = Facts(
    sender=Sender(
        name="Acme",
        country="US",
        jurisdictions=("US",),
        registrations=(
            Registration(
                scheme="in-dlt-template",
                id="11",
                purpose=Purpose.SERVICE,
                text="{#var#}",
                starts=date(2026, 1, 1),
                ends=date(2026, 12, 31),
            ),
        ),
    ),
    recipient=Recipient(
        key="",
        country="US",
        jurisdictions=("US", "US-NY"),
        region="US-NY",
        time_zones=(ZoneInfo("America/New_York"), ZoneInfo("Etc/GMT-5")),
        zone_source="given",
        number_type=NumberType.MOBILE,
        local_part="info",
        kind=RecipientKind.BUSINESS,
        age=34,
        address_problem="too short",
    ),
    message=Message(
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        send_at=AT,
        topic="shoes",
        sender_id=SenderId(
            text="+1",
            form=SenderForm.TOLL_FREE,
            digits="1",
            country="US",
            number_type=NumberType.TOLL_FREE,
        ),
        text="Acme: ½",
        template=TemplateReference(scheme="in-dlt", id="11"),
        automated=False,
        discard_after=AT,
    ),
    history=History((EVENT, Event(event=EventKind.SENT, at=AT))),
    registries={
        "us-rnd": RegistryEntry(registry="us-rnd", listed=False, as_of=date(2026, 11, 1)),
        "us-national-dnc": RegistryEntry(
            registry="us-national-dnc", listed=True, as_of=date(2026, 11, 2)
        ),
    },
    overdue_since=AT,
)
BARE = Facts(
    sender=Sender(name="Acme", country="US", jurisdictions=()),
    recipient=Recipient(key="", country=None, jurisdictions=(), time_zones=(ZoneInfo("UTC"),)),
    message=Message(channel=Channel.EMAIL, purpose=Purpose.SERVICE, send_at=AT),
)


@pytest.mark.parametrize("facts", [FULL, BARE])
def test_facts_come_back_as_they_were(facts: Facts) -> None:
    assert read_facts(write_facts(facts)) == facts


@pytest.mark.parametrize("facts", [FULL, BARE])
def test_the_bytes_are_those_of_sorted_json(facts: Facts) -> None:
    written = write_facts(facts)
    assert written == msgspec.json.encode(msgspec.json.decode(written), order="sorted")
    assert write_facts(read_facts(written)) == written


def test_equal_facts_give_equal_bytes_in_whatever_order_they_came() -> None:
    turned = replace(FULL, registries=dict(reversed(list(FULL.registries.items()))))
    assert write_facts(turned) == write_facts(FULL)


def test_every_field_that_a_rule_may_look_at_is_set_in_the_full_example() -> None:
    """So that a new fact which is not recorded fails the first test of this file."""
    for part in (FULL.sender.registrations[0], FULL.message, FULL.message.sender_id, EVENT):
        for field in fields(part):  # type: ignore[arg-type]
            value = getattr(part, field.name)
            assert value not in (None, "", field.default), f"{type(part).__name__}.{field.name}"
    for field in fields(FULL):
        assert getattr(FULL, field.name) not in (None, field.default), field.name
    for field in fields(FULL.recipient):
        if field.name != "key":
            assert getattr(FULL.recipient, field.name) not in (None, field.default), field.name


def test_the_key_of_a_batch_stays_out() -> None:
    told = replace(FULL, recipient=replace(FULL.recipient, key="ann"))
    assert write_facts(told) == write_facts(FULL)
