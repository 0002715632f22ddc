"""Put consent events on record: entry, payload, standing, suppression and outbox in one go.

Runs in the writer's turn and never commits. There are two roads: what a person says to be left
alone is recorded whatever it looks like, in the widest sense that it may have; everything else
must be whole, for it may later permit a message.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import Connection

from consent import linking, reviews, senders, standing, subjects, suppression
from consent.errors import (
    EventInFutureError,
    EventRefusedError,
    InvalidAddressError,
    UnknownSenderError,
    UnknownSubjectError,
)
from consent.events import (
    OWN_OPERATION,
    STOPS,
    UNREFUSED,
    ConsentEvent,
    Flag,
    RecordedKind,
    encode_payload,
)
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import PayloadContext, SealingKey, seal_payload
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt, SealedEntry, append_many
from consent.opt_outs import doubted, is_instant, is_storable, widened
from consent.propagation import lines, outbox
from consent.propagation.outbox import Happened
from consent.standing import Appended, KeptEvent
from consent.subjects import KnownSubject, Subject, Whom
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

_WITHOUT_SENDER: Final = frozenset({RecordedKind.RELEASE})


@dataclass(frozen=True, slots=True)
class EventInput:
    """One event, and whom it concerns. A revoke, complaint or hold comes with its address.

    ``event_id`` is a UUIDv7; ``actor`` the opaque id of the key or system that brought it.
    ``is_fresh``: it is passed on by itself, just after it was said, of a brand of ours if of any;
    what it says to the contrary is doubted (``opt_outs.doubted``).
    """

    whom: Whom
    event: ConsentEvent
    event_id: bytes
    actor: str | None = None
    is_fresh: bool = False


class Recorded(msgspec.Struct, frozen=True):
    """An event as it was recorded. The receipt is worth nothing before the commit."""

    receipt: Receipt
    subject: bytes
    event: ConsentEvent
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What a whole batch shares."""

    connection: Connection
    organisation: str
    keys: KeyRing
    now: datetime
    release: str | None


class _Accepted(msgspec.Struct, frozen=True):
    given: EventInput
    event: ConsentEvent
    subject: Subject
    key: SealingKey


def record_events(
    connection: Connection,
    organisation: str,
    inputs: Sequence[EventInput],
    *,
    keys: KeyRing,
    now: datetime,
    release: str | None = None,
) -> list[Recorded | ComplianceError]:
    """Record what can be recorded, in order; an error stands in the place of what cannot.

    A revoke, complaint or hold is never refused for its content. ``erase``, ``link`` and ``unlink``
    have their own operations. ``release``: digest of the rules in force, for the leaf.
    The number of statements does not grow with the batch.
    """
    turn = _Turn(connection, organisation, keys, now, release)
    inputs = _doubted(turn, inputs)
    named = {given.event.sender for given in inputs if given.event.sender is not None}
    known = senders.load_names(connection, organisation, set(filter(is_storable, named)))
    read = [as_recorded(given, known, now) for given in inputs]
    answers: dict[int, Recorded | ComplianceError] = {
        place: event for place, event in enumerate(read) if isinstance(event, ComplianceError)
    }
    places = [place for place in range(len(inputs)) if place not in answers]
    people = subjects.find_or_make_many(
        connection, organisation, [inputs[place].whom for place in places], keys=keys, now=now
    )
    accepted: dict[int, _Accepted] = {}
    for place, person in zip(places, people, strict=True):
        event = read[place]
        if person is None or isinstance(event, ComplianceError):
            answers[place] = UnknownSubjectError("the organisation has no such person on record")
        else:
            accepted[place] = _Accepted(inputs[place], event, *person)
    addressed = {
        (one.subject.id, one.given.whom)
        for one in accepted.values()
        if isinstance(one.given.whom, Address)
    }
    lines.follow(connection, organisation, addressed, keys=keys)
    answers.update(zip(accepted, _append(turn, list(accepted.values())), strict=True))
    return [answers[place] for place in range(len(inputs))]


def _doubted(turn: _Turn, inputs: Sequence[EventInput]) -> Sequence[EventInput]:
    """The same, those of them that are fresh without what they cannot have said."""
    fresh = [
        given
        for given in inputs
        if given.is_fresh and (given.event.brand is not None or given.event.at < turn.now)
    ]
    if not fresh:
        return inputs
    brands: set[str] = set()
    if any(given.event.brand is not None for given in fresh):
        brands = senders.load_brands(turn.connection, turn.organisation)
    addresses = {given.whom for given in fresh if isinstance(given.whom, Address)}
    whose = sorted(addresses, key=lambda address: address.normalised)
    permitted_at = _permitted_at(turn, inputs, whose)
    return [
        replace(
            given,
            event=doubted(given.event, brands, permitted_at=permitted_at(place), now=turn.now),
        )
        if given.is_fresh and given.whom in addresses
        else given
        for place, given in enumerate(inputs)
    ]


def _permitted_at(
    turn: _Turn, inputs: Sequence[EventInput], whose: Sequence[Address]
) -> Callable[[int], datetime | None]:
    """When, at a place among the inputs, its person was last permitted a message: as is on record
    already, or by what stands before it in this very turn."""
    organisation, keys = turn.organisation, turn.keys
    on_record = dict(
        zip(
            whose,
            linking.permitted(turn.connection, organisation, whose, keys=keys, now=turn.now),
            strict=True,
        )
    )
    said = [
        (place, given.whom, given.event.at)
        for place, given in enumerate(inputs)
        if given.event.event in linking.PERMITTING and given.event.at <= turn.now
    ]
    indexes = {
        whom: set(subjects.indexes_of(organisation, whom, keys))
        for whom in (*(whom for _, whom, _ in said), *(whose if said else ()))
    }
    every = {index for each in indexes.values() for index in each}
    found = subjects.find_by_index(turn.connection, organisation, every, keys=keys)

    def ids_of(whom: Whom) -> set[bytes]:
        """Their id, or where nobody made them yet what they will be found by."""
        if isinstance(whom, KnownSubject):
            return {whom.id}
        return indexes[whom] | {found[index].id for index in indexes[whom] if index in found}

    whose_said = [(before, ids_of(whom), at) for before, whom, at in said]

    def permitted_at(place: int) -> datetime | None:
        whom = inputs[place].whom
        assert isinstance(whom, Address), "only of an address is a stop doubted"
        known = on_record[whom]
        ids = known.ids | ids_of(whom) if said else known.ids
        at = [at for before, theirs, at in whose_said if before < place and ids & theirs]
        return max((*at, *(() if known.at is None else (known.at,))), default=None)

    return permitted_at


def _append(turn: _Turn, accepted: Sequence[_Accepted]) -> list[Recorded]:
    receipts = append_many(
        turn.connection,
        turn.organisation,
        Log.CONSENT,
        [_seal(turn, one) for one in accepted],
        recorded_at=turn.now,
    )
    kept = [
        KeptEvent.of(one.event, receipt.index)
        for one, receipt in zip(accepted, receipts, strict=True)
    ]
    _suppress(turn, accepted, kept)
    _review(turn, accepted, kept)
    unreadable = _project(turn, accepted, kept)
    outbox.tell_recorded(
        turn.connection,
        turn.organisation,
        [
            Happened(one.given.whom, one.event, one.subject.id, receipt)
            for one, receipt in zip(accepted, receipts, strict=True)
        ],
        keys=turn.keys,
        now=turn.now,
    )
    return [
        Recorded(receipt, one.subject.id, one.event, (*one.event.flags, *flags))
        for one, receipt in zip(accepted, receipts, strict=True)
        for flags in [(Flag.STANDING_UNREADABLE,) if one.subject.id in unreadable else ()]
    ]


def _seal(turn: _Turn, one: _Accepted) -> SealedEntry:
    event, given = one.event, one.given
    address = given.whom.normalised if isinstance(given.whom, Address) else None
    context = PayloadContext(turn.organisation, given.event_id, event.event, one.subject.id)
    return SealedEntry(
        event_id=given.event_id,
        type=event.event,
        occurred_at=event.at.astimezone(UTC),
        subject=one.subject.id,
        channel=event.channel,
        purpose=event.purpose,
        level=event.level.word if event.level is not None else None,
        release=turn.release,
        actor=given.actor,
        payload=seal_payload(one.key, context, encode_payload(event, address)),
    )


def _suppress(turn: _Turn, accepted: Sequence[_Accepted], kept: Sequence[KeptEvent]) -> None:
    stops = [
        (one.given.whom, event)
        for one, event in zip(accepted, kept, strict=True)
        if isinstance(one.given.whom, Address) and event.event in STOPS
    ]
    suppression.suppress_many(turn.connection, turn.organisation, stops, keys=turn.keys)


def _review(turn: _Turn, accepted: Sequence[_Accepted], kept: Sequence[KeptEvent]) -> None:
    """Put held replies before the reviewers, and close those that were decided on."""
    opened = [
        reviews.opened_by(event, one.given.event_id, one.subject.id, turn.now)
        for one, event in zip(accepted, kept, strict=True)
        if event.event is RecordedKind.HOLD
    ]
    reviews.open_many(turn.connection, turn.organisation, opened)
    reviews.settle_many(turn.connection, turn.organisation, kept)


def _project(
    turn: _Turn, accepted: Sequence[_Accepted], kept: Sequence[KeptEvent]
) -> Container[bytes]:
    """Take the events into the standings; the answer holds those that cannot be read."""
    events: dict[Subject, list[KeptEvent]] = {}
    for one, event in zip(accepted, kept, strict=True):
        events.setdefault(one.subject, []).append(event)
    return standing.project(
        turn.connection,
        turn.organisation,
        [Appended(person.id, person.head_seq, tuple(new)) for person, new in events.items()],
        keys=turn.keys,
        recorded_at=turn.now,
    )


def as_recorded(
    given: EventInput, known_senders: Mapping[str, str], now: datetime
) -> ConsentEvent | ComplianceError:
    """The event as it would be put on record, or why it cannot be. ``known_senders``: by id."""
    if given.event.event in UNREFUSED:
        assert isinstance(given.whom, Address), "without its address a stop suppresses nothing"
        return widened(given.event, given.whom, known_senders, now=now)
    try:
        _must_be_whole(given, known_senders, now)
    except ComplianceError as refused:
        return refused
    return given.event


def _must_be_whole(given: EventInput, known_senders: Mapping[str, str], now: datetime) -> None:
    event = given.event
    if event.event in OWN_OPERATION:
        raise EventRefusedError(f"{event.event} has its own route")
    if isinstance(given.whom, Address) and given.whom.problem is not None:
        raise InvalidAddressError(f"the address cannot be one: {given.whom.problem}")
    if event.event is RecordedKind.GRANT and event.level is None:
        raise EventRefusedError("a grant names its level")
    if event.event is RecordedKind.RELEASE and event.answers is None:
        raise EventRefusedError("a release has its own route: it decides on one held reply")
    if event.sender is None and event.event not in _WITHOUT_SENDER:
        raise EventRefusedError(f"{event.event} names its sender")
    if event.sender is not None and event.sender not in known_senders:
        raise UnknownSenderError("the organisation has no sender of that id")
    for at in (event.at, event.expires_at, event.ends_at):
        if at is not None and not is_instant(at):
            raise EventRefusedError("an instant lies outside the years that can be told in UTC")
    if event.at > now:
        raise EventInFutureError("at lies in the future")
    try:
        msgspec.json.encode(event)
    except UnicodeEncodeError:
        raise EventRefusedError("a text holds half of a surrogate pair") from None
