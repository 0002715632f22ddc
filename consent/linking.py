"""One person with several addresses: which are linked, and what that makes of each.

Every address keeps an id of its own, with its own entries, key and standing. A ``link`` is an
entry of each of them that names all the others, so every standing says, sealed, whose else
count; an ``unlink`` is another. What was said at one address counts at all, with two bounds, so
that linking never loosens: who has said stop at an address is permitted nothing there by what
was said at another, and who parts keeps the stops that held.

A link also names, in the entry of each whom it newly brings under them, the stops of the others:
whoever is to be told of stops is told of these as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection

from consent import holds, standing, subjects, suppression
from consent.errors import LinkTooLargeError, StandingUnreadableError
from consent.events import STOPS, CarriedStop, ConsentEvent, RecordedKind, encode_payload
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import PayloadContext, SealingKey, seal_payload
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt, SealedEntry, append_many
from consent.propagation import lines, outbox
from consent.propagation.reached import Reached, stops_reached
from consent.standing import Appended, KeptEvent, Standing, change_of
from consent.subjects import KnownSubject, Subject
from jurisdictions.addresses import Address

LINKED_MAX: Final = 32
"""How many addresses may be one person's."""

PERMITTING: Final = frozenset(
    {
        RecordedKind.GRANT,
        RecordedKind.CONFIRM,
        RecordedKind.PURCHASE,
        RecordedKind.CONTRACT,
        RecordedKind.INQUIRY,
        RecordedKind.DONATION,
        RecordedKind.MEMBERSHIP,
        RecordedKind.PUBLICATION,
    }
)
"""What may permit a message. All else can only stand against one."""

LASTING: Final = STOPS | {RecordedKind.ERASE}
"""What goes on holding whatever becomes of a link: a held reply does until somebody decides."""

Standings = Mapping[bytes, Standing | StandingUnreadableError]


def open_others(
    connection: Connection, organisation: str, opened: Standings, *, keys: KeyRing
) -> dict[bytes, Standing | StandingUnreadableError]:
    """The standings of everybody whom those in ``opened`` name and who is not among them.

    Whoever is not there, or was erased, is absent.
    """
    named = {id_ for one in opened.values() if isinstance(one, Standing) for id_ in one.linked}
    others = subjects.find_by_id(connection, organisation, named - opened.keys())
    rows = standing.load_rows(connection, organisation, list(others))
    return {
        id_: standing.open_row(keys, organisation, id_, other.head_seq, rows.get(id_))
        for id_, other in others.items()
    }


def said_elsewhere(
    id_: bytes, own: Standing, events: Sequence[KeptEvent], opened: Standings
) -> list[KeptEvent] | StandingUnreadableError:
    """What counts for the person ``id_`` of what was said at their other addresses.

    ``events`` are those of their own address. Once it has said stop, nothing from elsewhere
    permits it anything. Pure.
    """
    stopped = any(event.event in LASTING and not event.elsewhere for event in events)
    known = {event.index for event in events}
    said: dict[int, KeptEvent] = {}
    for other in own.linked:
        theirs = opened.get(other)
        if theirs is None:
            return StandingUnreadableError("a person is linked with one who is not there")
        if isinstance(theirs, StandingUnreadableError):
            return theirs
        if id_ not in theirs.linked:
            return StandingUnreadableError("a person is linked with one who is not with them")
        for event in theirs.events:
            if event.index not in known and not (stopped and event.event in PERMITTING):
                said[event.index] = _from_elsewhere(event)
    return list(said.values())


class Permitted(msgspec.Struct, frozen=True):
    """Who somebody is, all their addresses together, and ``at`` when what may permit a message to
    them was last said; None where nothing was."""

    ids: frozenset[bytes]
    at: datetime | None


def permitted(
    connection: Connection,
    organisation: str,
    addresses: Sequence[Address],
    *,
    keys: KeyRing,
    now: datetime,
) -> list[Permitted]:
    """Whose each address is, and when they were last permitted anything. Where nobody can tell, for
    a standing does not open, it may have been ``now``."""
    people = subjects.find_many(connection, organisation, addresses, keys=keys)
    known = {one.id: one for one in people if one}
    rows = standing.load_rows(connection, organisation, list(known))
    opened: dict[bytes, Standing | StandingUnreadableError] = {
        id_: standing.open_row(keys, organisation, id_, one.head_seq, rows.get(id_))
        for id_, one in known.items()
    }
    opened |= open_others(connection, organisation, opened, keys=keys)
    found: list[Permitted] = []
    for person in people:
        if person is None:
            found.append(Permitted(frozenset(), None))
            continue
        own = opened[person.id]
        ids = (person.id, *own.linked) if isinstance(own, Standing) else (person.id,)
        theirs = [opened.get(id_) for id_ in ids]
        readable = [one for one in theirs if isinstance(one, Standing)]
        said = [e.at for one in readable for e in one.events if e.event in PERMITTING]
        if len(readable) < len(theirs):
            said.append(now)
        found.append(Permitted(frozenset(ids), max(said, default=None)))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInput:
    """Addresses that are one person's, or are to be nobody else's. ``actor``: whose key asks."""

    addresses: Sequence[Address]
    actor: str | None = None


class Member(msgspec.Struct, frozen=True):
    """The person behind an address, and whose other addresses count for them."""

    subject: bytes | None
    linked: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """How the given addresses now stand, in their order, and the entries that made it so.

    ``receipts`` is empty where it was so before; they are worth nothing before the commit.
    """

    members: tuple[Member, ...]
    receipts: tuple[Receipt, ...]


def link(
    connection: Connection, organisation: str, given: LinkInput, *, keys: KeyRing, now: datetime
) -> Linked:
    """Make these addresses one person's, with all that are linked to any of them already.

    Whoever is not on record is made. In the writer's transaction; what is refused has written
    nothing. ``LinkTooLargeError``: they would be too many.
    """
    turn = _Turn(connection, organisation, keys, now, given.actor)
    known = subjects.find_many(connection, organisation, given.addresses, keys=keys)
    people = turn.load([one.id for one in known if one is not None])
    strangers = {a.spellings[0] for a, one in zip(given.addresses, known, strict=True) if not one}
    if len(people) + len(strangers) > LINKED_MAX:
        raise LinkTooLargeError(f"more than {LINKED_MAX} addresses would be one person's")
    ids = set(people)
    if not strangers and all(ids == {one.id, *one.standing.linked} for one in people.values()):
        return turn.linked(given.addresses, people, ())
    before = [frozenset((one.id, *one.standing.linked)) for one in people.values()]
    made = subjects.find_or_make_many(connection, organisation, given.addresses, keys=keys, now=now)
    suppressed = suppression.load_many(connection, organisation, given.addresses, keys=keys)
    changed: dict[bytes, _Changed] = {}
    named: list[tuple[bytes, Address]] = []
    for address, found, stops in zip(given.addresses, made, suppressed, strict=True):
        assert found is not None, "an address always leads to somebody"
        subject = found[0]
        if subject.id not in people:
            people[subject.id] = _Person(subject, Standing())
            before.append(frozenset((subject.id,)))
        named.append((subject.id, address))
        lacking = {e.index for e in stops} - {e.index for e in people[subject.id].standing.events}
        carried = [event for event in stops if event.index in lacking]
        changed[subject.id] = _Changed(address=address, carried=carried)
        indexes = subjects.blind_indexes_of(organisation, address, keys)
        holds.give_to(connection, organisation, subject.id, indexes)
    reaching = _stops_reaching(people, changed)
    for id_ in people:
        one = changed.setdefault(id_, _Changed())
        one.linked = people.keys() - {id_}
        one.carried = [*one.carried, *reaching[id_]]
    lines.follow(connection, organisation, named, keys=keys)
    lines.join(connection, organisation, set(before))
    receipts = turn.record(RecordedKind.LINK, people, changed)
    return turn.linked(given.addresses, people, receipts)


def unlink(
    connection: Connection, organisation: str, given: LinkInput, *, keys: KeyRing, now: datetime
) -> Linked:
    """Let each of these addresses stand alone; those that are not named stay together.

    Opt-outs and erasures that held for a person before hold after, whichever address they came
    by. What permits a message, and what was sent, counts at its own address only.
    """
    turn = _Turn(connection, organisation, keys, now, given.actor)
    known = subjects.find_many(connection, organisation, given.addresses, keys=keys)
    leaving = {one.id for one in known if one is not None}
    receipts = turn.part(leaving)
    return turn.linked(given.addresses, turn.load(leaving), receipts)


def part(
    connection: Connection,
    organisation: str,
    leaving: Collection[bytes],
    *,
    keys: KeyRing,
    now: datetime,
    actor: str | None = None,
) -> None:
    """Part these persons from whoever is linked with them, as ``unlink`` does."""
    _Turn(connection, organisation, keys, now, actor).part(leaving)


@dataclass(slots=True)
class _Person:
    """Somebody concerned, as they stood before."""

    subject: Subject
    standing: Standing

    @property
    def id(self) -> bytes:
        return self.subject.id


@dataclass(slots=True)
class _Changed:
    """What becomes of one of them. ``address``: as it stands in their entry, where it is known."""

    linked: Collection[bytes] = ()
    carried: Sequence[KeptEvent] = ()
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    connection: Connection
    organisation: str
    keys: KeyRing
    now: datetime
    actor: str | None

    def load(self, ids: Collection[bytes]) -> dict[bytes, _Person]:
        """These persons and all who are linked with them; each must be readable."""
        found = subjects.find_by_id(self.connection, self.organisation, ids)
        rows = standing.load_rows(self.connection, self.organisation, list(found))
        opened: dict[bytes, Standing | StandingUnreadableError] = {
            id_: standing.open_row(self.keys, self.organisation, id_, one.head_seq, rows.get(id_))
            for id_, one in found.items()
        }
        opened |= open_others(self.connection, self.organisation, opened, keys=self.keys)
        for id_, one in opened.items():
            if isinstance(one, StandingUnreadableError):
                raise one
            said = said_elsewhere(id_, one, one.events, opened)
            if isinstance(said, StandingUnreadableError):
                raise said
        found |= subjects.find_by_id(
            self.connection, self.organisation, opened.keys() - found.keys()
        )
        return {
            id_: _Person(found[id_], one)
            for id_, one in opened.items()
            if isinstance(one, Standing)
        }

    def part(self, leaving: Collection[bytes]) -> tuple[Receipt, ...]:
        """Record that these persons are nobody else; nothing where they are not."""
        people = self.load(leaving)
        for group in {frozenset((id_, *people[id_].standing.linked)) for id_ in leaving}:
            if len(group) > 1:
                lines.part(self.connection, self.organisation, group)
        changed: dict[bytes, _Changed] = {}
        for id_, person in people.items():
            staying = set() if id_ in leaving else set(person.standing.linked).difference(leaving)
            lost = [people[other] for other in person.standing.linked if other not in staying]
            if lost:
                changed[id_] = _Changed(
                    staying, [*_stops_of(lost, person), *_doubts_of(lost, person)]
                )
        return self.record(RecordedKind.UNLINK, people, changed)

    def record(
        self, kind: RecordedKind, people: Mapping[bytes, _Person], changed: Mapping[bytes, _Changed]
    ) -> tuple[Receipt, ...]:
        """Append an entry to each one's chain, in order of id, and fold it into their standing."""
        ids = sorted(changed)
        data_keys = subjects.load_keys(self.connection, self.organisation, ids, keys=self.keys)
        events = {id_: self._event_of(kind, changed[id_]) for id_ in ids}
        addresses = {id_: changed[id_].address for id_ in ids}
        entries = [self._seal(data_keys[id_], id_, events[id_], addresses[id_]) for id_ in ids]
        receipts = append_many(
            self.connection, self.organisation, Log.CONSENT, entries, recorded_at=self.now
        )
        appended = [
            Appended(id_, people[id_].subject.head_seq, (change_of(events[id_], receipt.index),))
            for id_, receipt in zip(ids, receipts, strict=True)
        ]
        unreadable = standing.project(
            self.connection, self.organisation, appended, keys=self.keys, recorded_at=self.now
        )
        assert not unreadable, "they were all read in this transaction"
        reached = [
            Reached(addresses[id_] or KnownSubject(id_), stop, id_, receipt)
            for id_, receipt in zip(ids, receipts, strict=True)
            for stop in stops_reached(events[id_])
        ]
        outbox.tell_recorded(
            self.connection, self.organisation, reached, keys=self.keys, now=self.now
        )
        return tuple(receipts)

    def linked(
        self,
        addresses: Sequence[Address],
        before: Mapping[bytes, _Person],
        receipts: tuple[Receipt, ...],
    ) -> Linked:
        """Say how these addresses stand now."""
        known = subjects.find_many(self.connection, self.organisation, addresses, keys=self.keys)
        people = self.load([one.id for one in known if one]) if receipts else before
        members = [
            Member(one.id, people[one.id].standing.linked) if one else Member(None) for one in known
        ]
        return Linked(members=tuple(members), receipts=receipts)

    def _event_of(self, kind: RecordedKind, changed: _Changed) -> ConsentEvent:
        return ConsentEvent(
            event=kind,
            at=self.now,
            linked=tuple(sorted(id_.hex() for id_ in changed.linked)),
            carried=tuple(
                CarriedStop(
                    index=stop.index,
                    event=stop.event,
                    at=stop.at,
                    sender=stop.sender,
                    channel=stop.channel,
                    purpose=stop.purpose,
                    brand=stop.brand,
                    via=stop.via,
                    elsewhere=stop.elsewhere,
                )
                for stop in changed.carried
            ),
        )

    def _seal(
        self, key: SealingKey, id_: bytes, event: ConsentEvent, address: Address | None
    ) -> SealedEntry:
        event_id = uuid7(self.now)
        text = None if address is None else address.normalised
        context = PayloadContext(self.organisation, event_id, event.event.value, id_)
        return SealedEntry(
            event_id=event_id,
            type=event.event.value,
            occurred_at=event.at.astimezone(UTC),
            subject=id_,
            actor=self.actor,
            payload=seal_payload(key, context, encode_payload(event, text)),
        )


def _stops_reaching(
    people: Mapping[bytes, _Person], changed: Mapping[bytes, _Changed]
) -> dict[bytes, list[KeptEvent]]:
    """For each of those who become one person, the stops of whoever was another until now."""
    stopped = {
        id_: _Person(
            one.subject,
            msgspec.structs.replace(
                one.standing, events=(*one.standing.events, *changed[id_].carried)
            ),
        )
        if id_ in changed
        else one
        for id_, one in people.items()
    }
    return {
        id_: _stops_of(
            [
                other
                for other_id, other in stopped.items()
                if other_id != id_ and other_id not in one.standing.linked
            ],
            one,
        )
        for id_, one in stopped.items()
    }


def _stops_of(others: Iterable[_Person], person: _Person) -> list[KeptEvent]:
    """The last stop of each scope that these have and the person has not; it reaches as far as
    all before it."""
    known = {event.index for event in person.standing.events}
    last: dict[tuple[object, ...], KeptEvent] = {}
    every = [event for other in others for event in other.standing.events]
    for event in sorted(every, key=attrgetter("at", "index")):
        if event.event in LASTING and event.index not in known:
            stop = _from_elsewhere(event)
            last[stop.event, stop.sender, stop.channel, stop.purpose, stop.brand] = stop
    return sorted(last.values(), key=attrgetter("at", "index"))


def _doubts_of(others: Sequence[_Person], person: _Person) -> list[KeptEvent]:
    """Every held reply that these have and nobody has decided on."""
    known = {event.index for event in person.standing.events}
    every = [event for other in others for event in other.standing.events]
    decided = {event.answers for event in (*every, *person.standing.events)}
    held = {
        event.index: _from_elsewhere(event)
        for event in every
        if event.event is RecordedKind.HOLD and event.index not in known | decided
    }
    return [held[index] for index in sorted(held)]


def _from_elsewhere(event: KeptEvent) -> KeptEvent:
    """An event as it counts at another address: the erasure of what lay at one erases nothing
    elsewhere, but who asked for it wants no more."""
    if event.event is RecordedKind.ERASE:
        event = KeptEvent(index=event.index, event=RecordedKind.REVOKE, at=event.at)
    return msgspec.structs.replace(event, elsewhere=True)
