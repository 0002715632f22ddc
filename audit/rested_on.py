"""What decisions rested on, worked out again from the logs as they then stood.

The history comes from the person's own entries up to the size of the log that the decision names,
places held from the decisions before it, registers from the copies whose digests it names. What
stands nowhere else is taken as it was told: the message, the sender, where the recipient was.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from audit import decisions, reports, tables
from audit.decisions import RecordedDecision
from audit.held_places import Place, held_by
from consent import past_record, senders, suppression
from consent.among import ByMany
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger import log
from consent.ledger.leaf import Log
from consent.ledger.tables import log_entry
from consent.on_record import OnRecord
from consent.past_record import PastRecord
from consent.registries.copies import Copy
from consent.registries.snapshots import Registries
from consent.senders import SenderRecord
from consent.standing import KeptEvent, Membership
from consent.subjects import blind_indexes_of, find_by_index
from jurisdictions.addresses import Address
from rules.facts import Facts, RegistryEntry
from rules.history import Event, History, same_brand
from rules.vocabulary import EventKind

LONGEST_HOLD = timedelta(minutes=10)
"""No place in a cap is held for longer than the longest permit lasts."""

COPIES_KEPT = 4
"""Copies of registers that are read again for a replay; each may hold millions of numbers."""


class HistoryProof(StrEnum):
    """How much of a history the log itself shows.

    ``complete``: all of it, and that nothing is left out. ``named``: that what it names is in the
    log just so; whether an opt-out is left out cannot be seen without the address.
    """

    COMPLETE = "complete"
    NAMED = "named"


class RegistryProof(StrEnum):
    """Whether a register was asked again, or what it said is taken as it was told, and why."""

    ASKED_AGAIN = "asked_again"
    COPY_GONE = "copy_gone"
    ADDRESS_UNKNOWN = "address_unknown"


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """Where the logs say something else than the decision. ``index``: in the consent log."""

    what: str
    index: int | None = None
    detail: str


@dataclass(frozen=True, slots=True)
class RestedOn:
    """The facts as the logs give them, and in what they differ from those on record."""

    facts: Facts
    history: HistoryProof
    registries: Mapping[str, RegistryProof]
    discrepancies: tuple[Discrepancy, ...]


class _Stranger(NamedTuple):
    """Whom a decision was about who is not on record, and what the address was suppressed by."""

    address: Address
    stops: Sequence[KeptEvent]


@dataclass(slots=True)
class _Batch:
    """What was loaded for some decisions together."""

    size: int
    records: Mapping[bytes, PastRecord]
    by_index: Mapping[bytes, bytes]
    confirmed: Collection[tuple[int, datetime]]
    senders: Mapping[str, SenderRecord]
    places: Mapping[bytes, Sequence[Place]] = field(default_factory=dict)
    strangers: Mapping[bytes, _Stranger] = field(default_factory=dict)


class FactsAgain:
    """Works facts out again, for decisions of one organisation. Keeps some copies of registers."""

    def __init__(
        self, connection: Connection, organisation: str, *, keys: KeyRing, registries: Registries
    ) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._registries = registries
        self._copy_of = lru_cache(maxsize=COPIES_KEPT)(self._read_copy)

    def of(
        self, found: Sequence[RecordedDecision], given: Mapping[bytes, Address]
    ) -> list[RestedOn | None]:
        """The facts of each, in order; None where the person was erased, or nobody knows who.

        ``given``: by decision, the address of somebody who is not on record, if it is known.

        The number of statements does not grow with the decisions, but for copies of registers.
        """
        batch = self._load(found)
        batch.strangers = self._strangers(found, given)
        return [self._one(one, batch) for one in found]

    def _load(self, found: Sequence[RecordedDecision]) -> _Batch:
        there = (self._connection, self._organisation)
        indexes = {one.blind_index for one in found if one.blind_index is not None}
        people = find_by_index(*there, indexes, keys=self._keys)
        by_index = {index: person.id for index, person in people.items()}
        subjects = {one.subject for one in found if one.subject is not None}
        records = past_record.load_many(*there, subjects | set(by_index.values()), keys=self._keys)
        told = {
            (event.index, event.at)
            for one in found
            for event in one.opened.facts.history.events
            if event.index is not None
        }
        batch = _Batch(
            size=log.head(*there, Log.CONSENT).size,
            records=records,
            by_index=by_index,
            confirmed=past_record.confirmed(*there, told),
            senders=senders.load_many(*there, _senders_in(found, records)),
        )
        batch.places = self._places_of(found, batch)
        return batch

    def _one(self, one: RecordedDecision, batch: _Batch) -> RestedOn | None:
        subject = one.subject
        if subject is None:
            if one.blind_index is None:
                return None
            subject = batch.by_index.get(one.blind_index)
        record = None if subject is None else batch.records.get(subject)
        if one.subject is not None and (record is None or record.erased_at is not None):
            return None
        facts, wrong = one.opened.facts, list[Discrepancy]()
        size = one.opened.decision.read.consent
        linked = _linked_then(record, size, batch.records)
        if any(other.erased_at is not None for other in linked):
            return None  # Erased since, when they were not linked any more.
        if size > batch.size:
            wrong.append(Discrepancy(what="log_shorter", detail=f"the log has not {size} entries"))
        if record is not None and record.erased_at is None:
            address, events = self._events(one, record, batch)
            proof = HistoryProof.NAMED if address is None else HistoryProof.COMPLETE
            wrong += [
                Discrepancy(what="entry", index=fault.index, detail=fault.detail)
                for each in (record, *linked)
                for fault in each.faults_at(size)
            ]
        else:
            address, proof, events = self._of_stranger(one, batch)
        if address is None:
            events = _with_stops_of_old(events, facts, batch.confirmed, size)
        wrong += _compare_events(_recorded(facts), events)
        told = self._told_only(one)
        near = batch.places.get(one.id, ())
        held, misplaced = held_by(one, near, _names_of(batch), told_only=told)
        proof = HistoryProof.NAMED if told else proof
        wrong += [Discrepancy(what="place", detail=said) for said in misplaced]
        registries, proofs, differing = self._ask_registries(one, address)
        wrong += differing
        if any(each.what != "registry" for each in wrong):
            history = History(tuple(sorted((*events, *held), key=attrgetter("at"))))
            facts = replace(facts, history=history)
        if differing:
            facts = replace(facts, registries=registries)
        return RestedOn(facts, proof, proofs, tuple(wrong))

    def _strangers(
        self, found: Sequence[RecordedDecision], given: Mapping[bytes, Address]
    ) -> dict[bytes, _Stranger]:
        known = [
            (one.id, given[one.id])
            for one in found
            if one.subject is None
            and one.id in given
            and self._is_of(given[one.id], one.blind_index)
        ]
        addresses = [address for _, address in known]
        stops = suppression.load_many(
            self._connection, self._organisation, addresses, keys=self._keys
        )
        return {id_: _Stranger(at, some) for (id_, at), some in zip(known, stops, strict=True)}

    def _of_stranger(
        self, one: RecordedDecision, batch: _Batch
    ) -> tuple[Address | None, HistoryProof, Sequence[Event]]:
        stranger = batch.strangers.get(one.id)
        if stranger is None:
            return None, HistoryProof.NAMED, ()
        size, sender = one.opened.decision.read.consent, one.opened.circumstances.sender
        stops = suppression.unite((), [stop for stop in stranger.stops if stop.index < size])
        known = OnRecord(None, b"", stops, (), _names_of(batch))
        recorded = _recorded(one.opened.facts)
        events = _with_names_of_then(known.history(sender).events, recorded, sender, batch.senders)
        return stranger.address, HistoryProof.COMPLETE, events

    def _told_only(self, one: RecordedDecision) -> list[Event]:
        """The places from a month whose key is destroyed: nothing shows them any more."""
        places = [each for each in one.opened.facts.history.events if each.held_until is not None]
        known = self._keys.versions_of(self._organisation, KeyKind.DECISION) if places else ()
        return [each for each in places if each.at.year * 100 + each.at.month not in known]

    def _events(
        self, one: RecordedDecision, record: PastRecord, batch: _Batch
    ) -> tuple[Address | None, Sequence[Event]]:
        """The history as the log gives it, for that address of the person which fits best.

        Several addresses may be one person's, and a decision does not say which was asked for.
        """
        size, sender = one.opened.decision.read.consent, one.opened.circumstances.sender
        recorded = _recorded(one.opened.facts)
        possible: list[tuple[Address | None, Sequence[Event]]] = []
        addresses: Sequence[Address | None] = record.addresses_at(size)
        if one.subject is None:
            addresses = [each for each in record.addresses if self._is_of(each, one.blind_index)]
        for address in addresses or (None,):
            told = record.events(size, address, batch.records)
            known = OnRecord(record.subject, b"", told, (), _names_of(batch))
            events = _with_names_of_then(
                known.history(sender).events, recorded, sender, batch.senders
            )
            if list(events) == list(recorded):
                return address, events
            possible.append((address, events))
        return possible[0]

    def _is_of(self, address: Address, blind_index: bytes | None) -> bool:
        return blind_index in blind_indexes_of(self._organisation, address, self._keys)

    def _ask_registries(
        self, one: RecordedDecision, address: Address | None
    ) -> tuple[dict[str, RegistryEntry], dict[str, RegistryProof], list[Discrepancy]]:
        facts, wrong = one.opened.facts, list[Discrepancy]()
        entries, proofs = dict(facts.registries), dict[str, RegistryProof]()
        for name, digest in one.opened.decision.read.registries.items():
            if address is None:
                proofs[name] = RegistryProof.ADDRESS_UNKNOWN
                continue
            copy = self._copy_of(name, digest)
            if copy is None:
                proofs[name] = RegistryProof.COPY_GONE
                continue
            proofs[name] = RegistryProof.ASKED_AGAIN
            sender, channel = one.opened.circumstances.sender, facts.message.channel
            entry = self._registries.ask(
                self._organisation, copy, address, sender=sender, channel=channel
            )
            if entry != entries.get(name):
                detail = f"the copy of {name} says something else of the address"
                wrong.append(Discrepancy(what="registry", detail=detail))
                entries.pop(name, None)
                if entry is not None:
                    entries[name] = entry
        return entries, proofs, wrong

    def _read_copy(self, registry: str, digest: str) -> Copy | None:
        return self._registries.past_copy(self._connection, self._organisation, registry, digest)

    def _places_of(
        self, found: Sequence[RecordedDecision], batch: _Batch
    ) -> dict[bytes, list[Place]]:
        """What earlier decisions on the same people held, by the decision that met it."""
        tokens = {one.id: self._tokens_of(one, batch) for one in found}
        people = {one.id: _people_then(one, batch.records) for one in found}
        subjects = {who for some in people.values() for who in some}
        decided = [one.opened.circumstances.decided_at for one in found]
        if not decided:
            return {}
        wanted = {
            "organisation": self._organisation,
            "since": min(decided) - LONGEST_HOLD,
            "until": max(decided),
        }
        by_subject: dict[bytes, list[bytes]] = {}
        rows = _OF_SUBJECTS.execute(self._connection, {**wanted, "subjects": list(subjects)})
        for subject, id_ in rows:
            by_subject.setdefault(subject, []).append(id_)
        by_token: dict[bytes, list[bytes]] = {}
        every = list({token for some in tokens.values() for token in some})
        rows = _OF_TOKENS.execute(self._connection, {**wanted, "tokens": every})
        for token, id_ in rows:
            by_token.setdefault(token, []).append(id_)
        near = {
            one.id: {
                *(id_ for who in people[one.id] for id_ in by_subject.get(who, ())),
                *(id_ for token in tokens[one.id] for id_ in by_token.get(token, ())),
            }
            - {one.id}
            for one in found
        }
        held = self._held_by({id_ for some in near.values() for id_ in some}, found)
        return {
            id_: sorted((held[one] for one in some if one in held), key=attrgetter("index"))
            for id_, some in near.items()
        }

    def _tokens_of(self, one: RecordedDecision, batch: _Batch) -> set[bytes]:
        """By what a stranger's decisions of that time are found, this one's or a person's."""
        at = one.opened.circumstances.decided_at
        months = {each.year * 100 + each.month for each in (at, at - LONGEST_HOLD)}
        indexes = set[bytes]()
        if one.blind_index is not None:
            indexes.add(one.blind_index)
        record = batch.records.get(one.subject) if one.subject is not None else None
        for address in () if record is None else record.addresses:
            indexes.update(blind_indexes_of(self._organisation, address, self._keys))
        known = self._keys.versions_of(self._organisation, KeyKind.DECISION)
        return {
            decisions.token_of(key, self._organisation, index)
            for month in months & set(known)
            for key in [self._keys.opening_key(self._organisation, KeyKind.DECISION, month)]
            for index in indexes
        }

    def _held_by(
        self, ids: Collection[bytes], found: Sequence[RecordedDecision]
    ) -> dict[bytes, Place]:
        """The places that these decisions held, by decision; of those that held one."""
        opened = {one.id: one for one in found if one.id in ids}
        others = decisions.find_many(
            self._connection, self._organisation, set(ids) - opened.keys(), keys=self._keys
        )
        opened.update(
            (id_, one) for id_, one in others.items() if isinstance(one, RecordedDecision)
        )
        said = reports.find_many(self._connection, self._organisation, list(opened))
        places = {}
        for id_, one in opened.items():
            around, message = one.opened.circumstances, one.opened.facts.message
            if around.valid_until is None:
                continue
            event = Event(
                event=EventKind.SENT,
                at=around.decided_at,
                channel=message.channel,
                purpose=message.purpose,
                topic=message.topic,
                held_until=around.valid_until,
            )
            reported_at = said[id_].reported_at if id_ in said else None
            places[id_] = Place(one.entry.index, around.sender, event, reported_at)
        return places


def _recorded(facts: Facts) -> Sequence[Event]:
    """The events of a history that stand in the log; not the places."""
    return [event for event in facts.history.events if event.held_until is None]


def _senders_in(found: Iterable[RecordedDecision], records: Mapping[bytes, PastRecord]) -> set[str]:
    named = {one.opened.circumstances.sender for one in found}
    for record in records.values():
        for entry in record.entries:
            change = entry.change
            kept = (change.event, *change.carried) if isinstance(change, Membership) else (change,)
            named.update(event.sender for event in kept if event.sender)
        for stops in record.suppressed.values():
            named.update(stop.sender for stop in stops if stop.sender)
    return named


def _linked_then(
    record: PastRecord | None, size: int, records: Mapping[bytes, PastRecord]
) -> list[PastRecord]:
    """Who was linked with this person when the log had that size."""
    if record is None or not record.ever_linked:
        return []
    return [records[id_] for id_ in record.standing(size).linked if id_ in records]


def _people_then(one: RecordedDecision, records: Mapping[bytes, PastRecord]) -> set[bytes]:
    """The ids under which a decision's person stood on record: those of all their addresses."""
    if one.subject is None:
        return set()
    size = one.opened.decision.read.consent
    linked = _linked_then(records.get(one.subject), size, records)
    return {one.subject, *(other.subject for other in linked)}


def _names_of(batch: _Batch) -> dict[str, str]:
    return {id_: sender.name for id_, sender in batch.senders.items()}


def _with_names_of_then(
    events: Sequence[Event],
    recorded: Sequence[Event],
    sender: str,
    known: Mapping[str, SenderRecord],
) -> Sequence[Event]:
    """With senders called what the decision says that they were called then.

    A sender's name is in no log: it is a fact of the decision. An opt-out that named this one as
    it was called before concerned it already, and names none.
    """
    then = {event.index: event.brand for event in recorded}
    own = known.get(sender)
    of_own = () if own is None else (own.name, *own.former_names)
    of_all = {record.name for record in known.values()}
    seen = []
    for event in events:
        brand = event.brand
        if brand is not None and event.index in then:
            told = then[event.index]
            if told is None:
                brand = None if any(same_brand(brand, name) for name in of_own) else brand
            elif brand in of_all:
                brand = told
        seen.append(event if brand == event.brand else replace(event, brand=brand))
    return seen


def _with_stops_of_old(
    events: Sequence[Event], facts: Facts, confirmed: Collection[tuple[int, datetime]], size: int
) -> Sequence[Event]:
    """With the opt-outs and erasures that the decision names and the log has just so.

    They outlive the person whom they were recorded of; which address they stand for is gone.
    """
    known = {event.index for event in events}
    more = [
        event
        for event in _recorded(facts)
        if event.index is not None
        and event.index not in known
        and event.index < size
        and (event.index, event.at) in confirmed
    ]
    return sorted((*events, *more), key=lambda event: (event.at, event.index or 0))


def _compare_events(recorded: Sequence[Event], again: Sequence[Event]) -> list[Discrepancy]:
    said = {event.index: event for event in recorded}
    log_says = {event.index: event for event in again}
    wrong = []
    for index in sorted(said.keys() | log_says.keys(), key=lambda index: index or -1):
        if index not in log_says:
            detail = "the decision names an event that the log does not have so"
        elif index not in said:
            detail = "the decision leaves out an event that the log has"
        elif said[index] != log_says[index]:
            detail = "the event is another one in the log"
        else:
            continue
        wrong.append(Discrepancy(what="event", index=index, detail=detail))
    if not wrong and list(recorded) != list(again):
        wrong.append(Discrepancy(what="event", detail="the events stand in another order"))
    return wrong


_E = log_entry.c
_NEAR = (
    # Written so that the log's own index does not serve it: SQLite would read all of the log.
    _E.organisation.concat("") == bindparam("organisation"),
    _E.log == Log.DECISIONS.value,
    _E.recorded_at >= bindparam("since"),
    _E.recorded_at <= bindparam("until"),
)
_OF_SUBJECTS = ByMany(
    lambda among: sa.select(_E.subject, _E.event_id).where(among(_E.subject, "subjects"), *_NEAR)
)
_OF_TOKENS = ByMany(
    lambda among: (
        sa.select(tables.decision_alias.c.token, tables.decision_alias.c.decision)
        .join(log_entry, _E.event_id == tables.decision_alias.c.decision)
        .where(
            tables.decision_alias.c.organisation == bindparam("organisation"),
            among(tables.decision_alias.c.token, "tokens"),
            *_NEAR,
        )
    )
)
