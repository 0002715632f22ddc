"""Erase a person: destroy the key of their data, keep the log, and keep them suppressed.

An ``erase`` entry names the person by their id. Its payload holds the tokens of their addresses
and what these were suppressed by. It lies under the organisation's suppression-payload key, so
the suppression can be rebuilt from the log when the person's own key is gone.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import linking, reviews, subjects, suppression, tables
from consent.errors import StandingUnreadableError
from consent.events import RecordedKind
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, open_payload, seal_payload
from consent.ledger import log
from consent.ledger.canonical import canonical
from consent.ledger.entries import Entry, StoredPayload, read_entries, read_payloads
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.log import Receipt, SealedEntry, append_many
from consent.ledger.tables import log_entry, log_payload, subject, subject_alias, subject_key
from consent.own_addresses import addresses_of, in_parts, linked_of
from consent.propagation import outbox
from consent.propagation.outbox import Forgotten
from consent.suppression import Suppressed, Token
from jurisdictions.addresses import Address

RECORD_VERSION: Final = 1
ERASE: Final = RecordedKind.ERASE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureInput:
    """Whom to erase: the person behind an address, and with it all their linked addresses.

    ``event_id`` is a UUIDv7; ``actor`` the opaque id of the key that asked.
    """

    address: Address
    event_id: bytes
    actor: str | None = None
    why: str | None = None


class ErasureRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The payload of an ``erase`` entry: what suppression is rebuilt from.

    ``tokens`` get an erasure at the entry's own index and time; ``suppressed`` stood already.
    ``organisation_key``: the newest version under which a key of the person lay.
    """

    organisation_key: int | None = None
    tokens: tuple[Token, ...]
    suppressed: tuple[Suppressed, ...] = ()
    why: str | None = None
    v: int = RECORD_VERSION


@dataclass(frozen=True, slots=True)
class Destroyed:
    """How much was deleted."""

    keys: int = 0
    payloads: int = 0
    aliases: int = 0
    standings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure as it was recorded. The receipt is worth nothing before the commit.

    ``repeated``: the person had been erased before, nothing was on record since, and this is
    the receipt of then. ``blind_indexes``: of every address, under every version of the index.
    """

    event_id: bytes
    at: datetime
    receipt: Receipt
    repeated: bool
    subjects: tuple[bytes, ...]
    blind_indexes: frozenset[bytes]
    record: ErasureRecord
    destroyed: Destroyed
    actor: str | None = None


def erase(
    connection: Connection, organisation: str, given: ErasureInput, *, keys: KeyRing, now: datetime
) -> Erasure:
    """Erase whoever is behind an address, seen before or not; in the writer's transaction.

    ``BrokenSealError``: an address of the person can no longer be read, and so not suppressed;
    nothing was changed. Whoever holds the answer deletes what other packages keep by the blind
    indexes.
    """
    people = _with_linked(
        connection, organisation, _people_of(connection, organisation, given.address, keys), keys
    )
    addresses, indexes = {given.address.normalised: given.address}, set[bytes]()
    for person in people:
        known, aliases = _addresses_of(connection, organisation, person, given.address, keys)
        addresses.update(known)
        indexes |= aliases
    for address in addresses.values():
        indexes.update(subjects.blind_indexes_of(organisation, address, keys))
    tokens = suppression.tokens_of(organisation, addresses.values(), keys=keys)
    every = suppression.every_token_of(organisation, addresses.values(), keys=keys)
    suppressed = suppression.load_rows(connection, organisation, every)
    if not people:
        earlier = _erased_before(connection, organisation, given.address, suppressed, keys)
        if earlier is not None:
            told = _record_of(connection, organisation, earlier, keys)
            return _repeated(given, earlier, indexes, told)
    doubts = reviews.close_erased(connection, organisation, people)
    record = ErasureRecord(
        organisation_key=_newest_wrapping(connection, organisation, people),
        tokens=tokens,
        suppressed=(*suppressed, *reviews.still_doubted(doubts, tokens)),
        why=given.why,
    )
    act = _Act(
        connection=connection,
        organisation=organisation,
        event_id=given.event_id,
        at=now,
        actor=given.actor,
        keys=keys,
        now=now,
    )
    receipt, destroyed = act.carry_out(people, record)
    gone = Forgotten(people, addresses, [one.token for one in tokens])
    outbox.tell_erased(connection, organisation, receipt, gone, keys=keys, now=now)
    return Erasure(
        event_id=given.event_id,
        at=now,
        receipt=receipt,
        repeated=False,
        subjects=tuple(people),
        blind_indexes=frozenset(indexes),
        record=record,
        destroyed=destroyed,
        actor=given.actor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastErasure:
    """An erasure as the journal outside the database tells it."""

    event_id: bytes
    at: datetime
    subjects: tuple[bytes, ...]
    blind_indexes: frozenset[bytes]
    record: ErasureRecord
    actor: str | None = None


def repeat(
    connection: Connection, organisation: str, past: PastErasure, *, keys: KeyRing, now: datetime
) -> Erasure:
    """Carry out again an erasure of which this database, an old copy, knows nothing.

    Erased are the persons it named, and those whose its addresses were when it happened. What
    began after it stays.
    """
    people = _people_then(connection, organisation, past)
    if _survivors(connection, organisation, people, keys):
        # Whose standing does not open stays linked with somebody gone: checks refuse that.
        with suppress(StandingUnreadableError, BrokenSealError, UnknownKeyError):
            linking.part(connection, organisation, people, keys=keys, now=now, actor=past.actor)
    size = log.head(connection, organisation, Log.CONSENT).size
    record = msgspec.structs.replace(
        past.record,
        suppressed=tuple(_still_told(connection, organisation, past.record.suppressed, size)),
    )
    act = _Act(
        connection=connection,
        organisation=organisation,
        event_id=past.event_id,
        at=past.at,
        actor=past.actor,
        keys=keys,
        now=now,
    )
    receipt, destroyed = act.carry_out(people, record)
    return Erasure(
        event_id=past.event_id,
        at=past.at,
        receipt=receipt,
        repeated=False,
        subjects=tuple(people),
        blind_indexes=past.blind_indexes,
        record=record,
        destroyed=destroyed,
        actor=past.actor,
    )


def open_record(
    organisation: str, entry: Entry, stored: StoredPayload, *, keys: KeyRing
) -> ErasureRecord:
    """Read an ``erase`` entry's payload. ``BrokenSealError``: it is not what was recorded."""
    leaf = decode_leaf(entry.leaf)
    context = PayloadContext(
        organisation, entry.event_id, leaf.type, entry.subject, stored.schema_version
    )
    opened = open_payload(
        keys.opening_key(organisation, KeyKind(stored.key_kind), stored.key_version),
        context,
        nonce=stored.nonce,
        ciphertext=stored.ciphertext,
        commit=leaf.commitment,
    )
    try:
        return msgspec.json.decode(opened.canonical, type=ErasureRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BrokenSealError("the payload of an erasure cannot be read") from None


def suppressed_by(record: ErasureRecord, *, index: int, at: datetime) -> list[Suppressed]:
    """Every row of ``suppression`` that follows from an erasure at ``index`` of its log."""
    erased = [
        Suppressed(token=one.token, token_version=one.version, kind=ERASE, idx=index, at=at)
        for one in record.tokens
    ]
    return [*record.suppressed, *erased]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """One erasure, by whichever road it came: now, or again from the journal."""

    connection: Connection
    organisation: str
    event_id: bytes
    at: datetime
    actor: str | None
    keys: KeyRing
    now: datetime

    def carry_out(
        self, people: Sequence[bytes], record: ErasureRecord
    ) -> tuple[Receipt, Destroyed]:
        """Append, mark, delete, suppress: in this order, for the guards of the tables ask."""
        receipt = self._append(people, record)
        for person in people:
            self._mark(person)
        reviews.close_erased(self.connection, self.organisation, people)
        destroyed = [self._destroy(person) for person in people]
        rows = suppressed_by(record, index=receipt.index, at=self.at)
        suppression.restore(self.connection, self.organisation, rows)
        return receipt, Destroyed(*map(sum, zip(*map(astuple, destroyed), strict=True)))

    def _append(self, people: Sequence[bytes], record: ErasureRecord) -> Receipt:
        """One entry a person, and one without if nobody is on record; give the first's receipt.

        The first tells what is suppressed of all of them.
        """
        key = self.keys.sealing_key(self.organisation, KeyKind.SUPPRESSION_PAYLOAD, at=self.now)
        named: Sequence[bytes | None] = people or (None,)
        entries = []
        for place, person in enumerate(named):
            event_id = self.event_id if place == 0 else uuid7(self.now)
            told = (
                record if place == 0 else msgspec.structs.replace(record, tokens=(), suppressed=())
            )
            context = PayloadContext(self.organisation, event_id, ERASE, person)
            entries.append(
                SealedEntry(
                    event_id=event_id,
                    type=ERASE,
                    occurred_at=self.at,
                    subject=person,
                    actor=self.actor,
                    payload=seal_payload(key, context, canonical(told)),
                )
            )
        receipts = append_many(
            self.connection, self.organisation, Log.CONSENT, entries, recorded_at=self.now
        )
        return receipts[0]

    def _mark(self, person: bytes) -> None:
        marked = sa.update(subject).where(
            subject.c.organisation == self.organisation, subject.c.id == person
        )
        self.connection.execute(marked.values(erased_at=self.at))

    def _destroy(self, person: bytes) -> Destroyed:
        return Destroyed(
            payloads=self._delete_payloads(person),
            aliases=self._delete_from(subject_alias, person),
            standings=self._delete_from(tables.standing, person),
            keys=self._delete_from(subject_key, person),
        )

    def _delete_from(self, table: sa.Table, person: bytes) -> int:
        found = sa.delete(table).where(
            table.c.organisation == self.organisation, table.c.subject == person
        )
        return self.connection.execute(found).rowcount

    def _delete_payloads(self, person: bytes) -> int:
        """By the ids of the person's entries, in whichever log: payloads have no other index."""
        ids = self.connection.execute(
            sa.select(log_entry.c.event_id).where(
                log_entry.c.subject == person, log_entry.c.organisation == self.organisation
            )
        )
        return sum(
            self.connection.execute(_DELETE_PAYLOADS, {"ids": some, "person": person}).rowcount
            for some in in_parts(list(ids.scalars()))
        )


_DELETE_PAYLOADS = sa.delete(log_payload).where(
    log_payload.c.event_id.in_(bindparam("ids", expanding=True)),
    log_payload.c.subject == bindparam("person"),
    log_payload.c.key_kind == KeyKind.SUBJECT.value,
)
_PEOPLE_THEN = (
    sa.select(subject.c.id)
    .distinct()
    .select_from(
        subject.outerjoin(
            subject_alias,
            (subject_alias.c.organisation == subject.c.organisation)
            & (subject_alias.c.subject == subject.c.id),
        )
    )
    .where(
        subject.c.organisation == bindparam("organisation"),
        subject.c.erased_at.is_(None),
        sa.or_(
            subject.c.id.in_(bindparam("people", expanding=True)),
            sa.and_(
                subject_alias.c.blind_index.in_(bindparam("indexes", expanding=True)),
                subject_alias.c.valid_from <= bindparam("at"),
            ),
        ),
    )
    .order_by(subject.c.id)
)


def _people_of(
    connection: Connection, organisation: str, address: Address, keys: KeyRing
) -> list[bytes]:
    """Every person to whom a spelling of the address leads; mostly one, or none."""
    indexes = subjects.blind_indexes_of(organisation, address, keys)
    found = subjects.find_by_index(connection, organisation, indexes, keys=keys)
    return sorted({person.id for person in found.values()})


def _with_linked(
    connection: Connection, organisation: str, people: Sequence[bytes], keys: KeyRing
) -> list[bytes]:
    """These persons, and after them in order of id all who are linked with any of them."""
    found = set(people)
    waiting = list(people)
    while waiting:
        try:
            named = linked_of(connection, organisation, waiting.pop(), keys)
        except (BrokenSealError, UnknownKeyError):
            raise BrokenSealError(
                "it cannot be read who else is this person; nothing was erased"
            ) from None
        linked = subjects.find_by_id(connection, organisation, named).keys()
        waiting += linked - found
        found |= linked
    return [*people, *sorted(found.difference(people))]


def _people_then(connection: Connection, organisation: str, past: PastErasure) -> list[bytes]:
    wanted = {
        "organisation": organisation,
        "people": list(past.subjects),
        "indexes": list(past.blind_indexes),
        "at": past.at,
    }
    return list(connection.execute(_PEOPLE_THEN, wanted).scalars())


def _addresses_of(
    connection: Connection, organisation: str, person: bytes, given: Address, keys: KeyRing
) -> tuple[dict[str, Address], set[bytes]]:
    """A person's addresses and blind indexes.

    An address that no readable entry tells cannot be suppressed, and erasing would free it.
    """
    addresses, aliases, unreadable = addresses_of(connection, organisation, person, keys)
    explained = {
        index
        for address in (given, *addresses.values())
        for index in subjects.blind_indexes_of(organisation, address, keys)
    }
    if unreadable and not aliases <= explained:
        raise BrokenSealError(
            f"{unreadable} keys or entries of the person do not open, and an address of theirs"
            " could not be kept suppressed; nothing was erased"
        )
    return addresses, aliases


def _survivors(
    connection: Connection, organisation: str, people: Sequence[bytes], keys: KeyRing
) -> set[bytes]:
    """Whom this copy still links with those who are to go, and who is not to go with them."""
    linked: set[bytes] = set()
    for person in people:
        with suppress(BrokenSealError, UnknownKeyError):
            linked |= linked_of(connection, organisation, person, keys)
    return linked.difference(people)


def _newest_wrapping(
    connection: Connection, organisation: str, people: Sequence[bytes]
) -> int | None:
    newest = sa.select(sa.func.max(subject_key.c.wrapping_key_version)).where(
        subject_key.c.organisation == organisation, subject_key.c.subject.in_(people)
    )
    found: int | None = connection.execute(newest).scalar_one()
    return found


def _record_of(
    connection: Connection, organisation: str, entry: Entry, keys: KeyRing
) -> ErasureRecord:
    stored = read_payloads(connection, organisation, [entry.event_id]).get(entry.event_id)
    if stored is None:
        raise BrokenSealError("the payload of an erasure is missing")
    return open_record(organisation, entry, stored, keys=keys)


def _erased_before(
    connection: Connection,
    organisation: str,
    address: Address,
    suppressed: Collection[Suppressed],
    keys: KeyRing,
) -> Entry | None:
    """The entry by which every spelling has been erased already; None if one was not."""
    erased = {row.token: row.idx for row in suppressed if row.kind == ERASE}
    for spelling in set(address.spellings):
        tokens = suppression.tokens_of_spelling(organisation, spelling, keys=keys)
        if not any(token in erased for token in tokens):
            return None
    index = max(erased.values())
    (entry,) = read_entries(connection, organisation, Log.CONSENT, index, index + 1)
    return entry


def _repeated(
    given: ErasureInput, earlier: Entry, indexes: Collection[bytes], record: ErasureRecord
) -> Erasure:
    return Erasure(
        event_id=earlier.event_id,
        at=decode_leaf(earlier.leaf).occurred_at,
        receipt=earlier.receipt,
        repeated=True,
        subjects=() if earlier.subject is None else (earlier.subject,),
        blind_indexes=frozenset(indexes),
        record=record,
        destroyed=Destroyed(),
        actor=given.actor,
    )


def _still_told(
    connection: Connection, organisation: str, suppressed: Iterable[Suppressed], size: int
) -> Iterable[Suppressed]:
    """Those that this copy's log tells too. The others' indexes mean other entries here."""
    for row in suppressed:
        if row.idx >= size:
            continue
        (entry,) = read_entries(connection, organisation, Log.CONSENT, row.idx, row.idx + 1)
        if decode_leaf(entry.leaf).occurred_at == row.at:
            yield row
