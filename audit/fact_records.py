"""Facts as they go on record, and back: everything that a rule may look at, and no address.

The bytes are canonical: equal facts give equal bytes. Fields stand in the order of the alphabet,
so that writing them in order is writing them sorted. The local part of an e-mail address is a fact
only where a rule knows it as a mailbox of an office (``info``); whoever gathers facts sees to it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

import jurisdictions  # noqa: F401 -- It pins the time zone data that ZoneInfo reads.
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
    LEVEL_OF_WORD,
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

_WORD_OF_LEVEL = {level: word for word, level in LEVEL_OF_WORD.items()}


class _Record(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What all of them are: fields in the order of the alphabet, absent where there is nothing."""


class EventRecord(_Record, frozen=True, kw_only=True):
    """One event of the history, as ``rules.history.Event`` has it."""

    answers: int | None = None
    at: datetime
    brand: str | None = None
    channel: Channel | None = None
    elsewhere: bool = False
    ends_at: datetime | None = None
    event: EventKind
    expires_at: datetime | None = None
    held_until: datetime | None = None
    index: int | None = None
    level: str | None = None
    purpose: Purpose | None = None
    qualities: tuple[Quality, ...] = ()
    topic: str | None = None
    via: Via | None = None


class SenderIdRecord(_Record, frozen=True, kw_only=True):
    """The ``from`` that the recipient sees."""

    country: str | None = None
    digits: str = ""
    form: SenderForm
    number_type: NumberType | None = None
    text: str


class TemplateRecord(_Record, frozen=True, kw_only=True):
    """The registered template that the message follows."""

    id: str
    scheme: str


class MessageRecord(_Record, frozen=True, kw_only=True):
    """The message, with its text if it came with one."""

    automated: bool = True
    channel: Channel
    discard_after: datetime | None = None
    purpose: Purpose
    send_at: datetime
    sender_id: SenderIdRecord | None = None
    template: TemplateRecord | None = None
    text: str | None = None
    topic: str | None = None


class RecipientRecord(_Record, frozen=True, kw_only=True):
    """Where and what the recipient is; not who."""

    address_problem: str | None = None
    age: int | None = None
    country: str | None = None
    jurisdictions: tuple[str, ...] = ()
    kind: RecipientKind = RecipientKind.CONSUMER
    local_part: str | None = None
    number_type: NumberType | None = None
    region: str | None = None
    time_zones: tuple[str, ...] = ()
    zone_source: str


class RegistryRecord(_Record, frozen=True, kw_only=True):
    """What a register's copy said of the address."""

    as_of: date
    listed: bool


class RegistrationRecord(_Record, frozen=True, kw_only=True):
    """What the sender held with a registrar."""

    ends: date | None = None
    id: str
    purpose: Purpose | None = None
    scheme: str
    starts: date | None = None
    text: str | None = None


class SenderRecord(_Record, frozen=True, kw_only=True):
    """The brand in whose name the message would go."""

    country: str
    jurisdictions: tuple[str, ...] = ()
    name: str
    registrations: tuple[RegistrationRecord, ...] = ()


class FactsRecord(_Record, frozen=True, kw_only=True):
    """Everything that a decision rested on; ``message`` and ``sender`` may be written already."""

    history: tuple[EventRecord, ...] = ()
    message: MessageRecord | Any
    overdue_since: datetime | None = None
    recipient: RecipientRecord
    registries: dict[str, RegistryRecord] = {}
    sender: SenderRecord | Any


class _FactsFile(FactsRecord, frozen=True, kw_only=True):
    message: MessageRecord
    sender: SenderRecord


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(_FactsFile)


class FactsWriter:
    """Writes the facts of a batch; a sender and a message are written once for all they go to."""

    def __init__(self) -> None:
        self._senders: dict[int, tuple[Sender, msgspec.Raw]] = {}
        self._messages: dict[int, tuple[Message, msgspec.Raw]] = {}

    def write(self, facts: Facts) -> bytes:
        """Give the canonical bytes of these facts."""
        return _ENCODER.encode(
            FactsRecord(
                history=tuple([_event(event) for event in facts.history.events]),
                message=self._message(facts.message),
                overdue_since=facts.overdue_since,
                recipient=_recipient(facts.recipient),
                registries={
                    name: RegistryRecord(as_of=entry.as_of, listed=entry.listed)
                    for name, entry in facts.registries.items()
                },
                sender=self._sender(facts.sender),
            )
        )

    def _message(self, message: Message) -> msgspec.Raw:
        known = self._messages.get(id(message))
        if known is not None:
            return known[1]
        raw = msgspec.Raw(_ENCODER.encode(_message(message)))
        self._messages[id(message)] = (message, raw)
        return raw

    def _sender(self, sender: Sender) -> msgspec.Raw:
        known = self._senders.get(id(sender))
        if known is not None:  # The sender is kept beside its bytes, so its id stays its own.
            return known[1]
        raw = msgspec.Raw(_ENCODER.encode(_sender(sender)))
        self._senders[id(sender)] = (sender, raw)
        return raw


def write_facts(facts: Facts) -> bytes:
    """Give the canonical bytes of the facts of one decision."""
    return FactsWriter().write(facts)


def read_facts(written: bytes) -> Facts:
    """Give the facts back. The recipient's ``key`` is empty: it meant nothing beyond its batch."""
    record = _DECODER.decode(written)
    return Facts(
        sender=_to_sender(record.sender),
        recipient=_to_recipient(record.recipient),
        message=_to_message(record.message),
        history=History(tuple([_to_event(event) for event in record.history])),
        registries={
            name: RegistryEntry(registry=name, listed=entry.listed, as_of=entry.as_of)
            for name, entry in record.registries.items()
        },
        overdue_since=record.overdue_since,
    )


def _event(event: Event) -> EventRecord:
    return EventRecord(
        answers=event.answers,
        at=event.at,
        brand=event.brand,
        channel=event.channel,
        elsewhere=event.elsewhere,
        ends_at=event.ends_at,
        event=event.event,
        expires_at=event.expires_at,
        held_until=event.held_until,
        index=event.index,
        level=None if event.level is None else _WORD_OF_LEVEL[event.level],
        purpose=event.purpose,
        qualities=tuple(sorted(event.qualities)) if event.qualities else (),
        topic=event.topic,
        via=event.via,
    )


def _to_event(record: EventRecord) -> Event:
    level: Level | None = None if record.level is None else LEVEL_OF_WORD[record.level]
    return Event(
        event=record.event,
        at=record.at,
        channel=record.channel,
        purpose=record.purpose,
        topic=record.topic,
        brand=record.brand,
        level=level,
        qualities=frozenset(record.qualities),
        expires_at=record.expires_at,
        ends_at=record.ends_at,
        via=record.via,
        held_until=record.held_until,
        index=record.index,
        answers=record.answers,
        elsewhere=record.elsewhere,
    )


def _message(message: Message) -> MessageRecord:
    sender_id, template = message.sender_id, message.template
    return MessageRecord(
        automated=message.automated,
        channel=message.channel,
        discard_after=message.discard_after,
        purpose=message.purpose,
        send_at=message.send_at,
        sender_id=None
        if sender_id is None
        else SenderIdRecord(
            country=sender_id.country,
            digits=sender_id.digits,
            form=sender_id.form,
            number_type=sender_id.number_type,
            text=sender_id.text,
        ),
        template=None
        if template is None
        else TemplateRecord(id=template.id, scheme=template.scheme),
        text=message.text,
        topic=message.topic,
    )


def _to_message(record: MessageRecord) -> Message:
    sender_id, template = record.sender_id, record.template
    return Message(
        channel=record.channel,
        purpose=record.purpose,
        send_at=record.send_at,
        topic=record.topic,
        sender_id=None
        if sender_id is None
        else SenderId(
            text=sender_id.text,
            form=sender_id.form,
            digits=sender_id.digits,
            country=sender_id.country,
            number_type=sender_id.number_type,
        ),
        text=record.text,
        template=None
        if template is None
        else TemplateReference(scheme=template.scheme, id=template.id),
        automated=record.automated,
        discard_after=record.discard_after,
    )


def _recipient(recipient: Recipient) -> RecipientRecord:
    return RecipientRecord(
        address_problem=recipient.address_problem,
        age=recipient.age,
        country=recipient.country,
        jurisdictions=recipient.jurisdictions,
        kind=recipient.kind,
        local_part=recipient.local_part,
        number_type=recipient.number_type,
        region=recipient.region,
        time_zones=tuple([str(zone) for zone in recipient.time_zones]),
        zone_source=recipient.zone_source,
    )


def _to_recipient(record: RecipientRecord) -> Recipient:
    return Recipient(
        key="",
        country=record.country,
        jurisdictions=record.jurisdictions,
        region=record.region,
        time_zones=tuple([ZoneInfo(name) for name in record.time_zones]),
        zone_source=record.zone_source,
        number_type=record.number_type,
        local_part=record.local_part,
        kind=record.kind,
        age=record.age,
        address_problem=record.address_problem,
    )


def _sender(sender: Sender) -> SenderRecord:
    return SenderRecord(
        country=sender.country,
        jurisdictions=sender.jurisdictions,
        name=sender.name,
        registrations=tuple([_registration(held) for held in sender.registrations]),
    )


def _to_sender(record: SenderRecord) -> Sender:
    return Sender(
        name=record.name,
        country=record.country,
        jurisdictions=record.jurisdictions,
        registrations=_to_registrations(record.registrations),
    )


def _registration(held: Registration) -> RegistrationRecord:
    return RegistrationRecord(
        ends=held.ends,
        id=held.id,
        purpose=held.purpose,
        scheme=held.scheme,
        starts=held.starts,
        text=held.text,
    )


def _to_registrations(records: Sequence[RegistrationRecord]) -> tuple[Registration, ...]:
    return tuple(
        Registration(
            scheme=held.scheme,
            id=held.id,
            purpose=held.purpose,
            text=held.text,
            starts=held.starts,
            ends=held.ends,
        )
        for held in records
    )
