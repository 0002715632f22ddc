"""What was on record of people when their log was shorter, worked out again from its entries.

Checks read standing and suppression; this is what those must have said. Each person's chain, the
seals of their entries and the commitments in the leaves are held against each other on the way, so
that an entry that was changed or taken out shows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import linking, standing, suppression
from consent.among import ByMany
from consent.errors import StandingUnreadableError
from consent.events import decode_payload
from consent.fsck.payloads import COLUMNS, Payloads
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import DamagedLogError
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.tables import log_entry, log_payload, subject
from consent.ledger.tree import leaf_hash
from consent.standing import Change, KeptEvent, Membership, Standing, change_of
from consent.suppression import SUPPRESSING
from jurisdictions.addresses import Address, parse_address

_NO_CHAIN = (0, None)


@dataclass(frozen=True, slots=True)
class PastEntry:
    """One entry of a person's that opened, and what it added to their standing.

    ``address``: the one it came for, if it says so.
    """

    index: int
    recorded_at: datetime
    change: Change
    address: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What does not hold in a person's chain, and at which entry."""

    index: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class PastRecord:
    """A person's entries and what their addresses were suppressed by, whenever that was.

    ``erased_at``: nothing of them can be read any more. ``faults``: what is not as recorded.
    """

    subject: bytes
    erased_at: datetime | None = None
    entries: tuple[PastEntry, ...] = ()
    faults: tuple[Fault, ...] = ()
    addresses: tuple[Address, ...] = ()
    suppressed: Mapping[str, tuple[KeptEvent, ...]] = field(default_factory=dict)

    def standing(self, size: int) -> Standing:
        """The standing as it was when the consent log had ``size`` entries."""
        before = [entry for entry in self.entries if entry.index < size]
        if not before:
            return Standing()
        newest = max(entry.recorded_at for entry in before)
        return standing.fold(Standing(), [one.change for one in before], recorded_at=newest)

    def events(
        self, size: int, address: Address | None, others: Mapping[bytes, "PastRecord"]
    ) -> Sequence[KeptEvent]:
        """What a check of this address read when the consent log had ``size`` entries.

        Without an address: but for what only the suppression told of it. ``others`` hold those
        who were linked with this person then.
        """
        known = () if address is None else self.suppressed[address.normalised]
        own = self.standing(size)
        stops = [one for one in known if one.index < size]
        events = suppression.unite(own.events, stops)
        if not own.linked:
            return events
        then = {id_: others[id_].standing(size) for id_ in own.linked if id_ in others}
        said = linking.said_elsewhere(self.subject, own, events, then)
        if isinstance(said, StandingUnreadableError):
            return events  # Some of it cannot be read: what the decision names more is not there.
        return sorted((*events, *said), key=attrgetter("at", "index"))

    @property
    def ever_linked(self) -> frozenset[bytes]:
        """Everybody who was ever linked with this person, as their own entries tell."""
        changes = (entry.change for entry in self.entries)
        return frozenset(
            id_ for one in changes if isinstance(one, Membership) for id_ in one.linked
        )

    def addresses_at(self, size: int) -> tuple[Address, ...]:
        """The addresses that entries of that time tell; all of them, if none does."""
        told = {entry.address for entry in self.entries if entry.index < size}
        return tuple(one for one in self.addresses if one.normalised in told) or self.addresses

    def faults_at(self, size: int) -> tuple[Fault, ...]:
        """What does not hold among the entries of that time."""
        return tuple(one for one in self.faults if one.index is None or one.index < size)


def load_many(
    connection: Connection, organisation: str, subjects: Collection[bytes], *, keys: KeyRing
) -> dict[bytes, PastRecord]:
    """The records of those of these persons who are there, and of who was ever linked with them.

    In four statements, and four more where any are linked.
    """
    found = _load(connection, organisation, subjects, keys)
    named = {id_ for record in found.values() for id_ in record.ever_linked}
    return found | _load(connection, organisation, named - found.keys(), keys)


def _load(
    connection: Connection, organisation: str, subjects: Collection[bytes], keys: KeyRing
) -> dict[bytes, PastRecord]:
    if not subjects:
        return {}
    wanted = {"organisation": organisation, "ids": list(subjects)}
    heads = {row.id: row for row in _HEADS.execute(connection, wanted)}
    payloads = Payloads(connection, organisation, keys)
    payloads.prepare(id_ for id_, head in heads.items() if head.erased_at is None)
    rows = _ENTRIES.execute(connection, wanted).all()
    by_person = {id_: list(some) for id_, some in groupby(rows, key=attrgetter("subject"))}
    records = [_record_of(head, by_person.get(id_, ()), payloads) for id_, head in heads.items()]
    return {one.subject: one for one in _with_stops(connection, organisation, records, keys)}


def confirmed(
    connection: Connection, organisation: str, events: Iterable[tuple[int, datetime]]
) -> set[tuple[int, datetime]]:
    """Those of these (index, instant) that the log holds as an opt-out or erasure, just so."""
    asked = set(events)
    if not asked:
        return set()
    wanted = {"organisation": organisation, "indexes": sorted({index for index, _ in asked})}
    found = set()
    for index, written in _BY_INDEX.execute(connection, wanted):
        leaf = decode_leaf(written)
        if leaf.type in SUPPRESSING:
            found.add((index, leaf.occurred_at))
    return asked & found


def _record_of(head: Any, rows: Sequence[Any], payloads: Payloads) -> PastRecord:
    if head.erased_at is not None:
        return PastRecord(head.id, head.erased_at)
    entries: list[PastEntry] = []
    faults: list[Fault] = []
    seq, last = _NO_CHAIN
    for row in rows:
        read = _read(row, seq, last, payloads)
        (entries if isinstance(read, PastEntry) else faults).append(read)  # type: ignore[arg-type]
        seq, last = row.subject_seq, row.leaf_hash
    if (seq, last) != (head.head_seq, head.head_leaf_hash):
        faults.append(Fault(None, "the person's last entries are not in the log"))
    told = sorted({entry.address for entry in entries if entry.address is not None})
    addresses = tuple(parse_address(text) for text in told)
    return PastRecord(head.id, None, tuple(entries), tuple(faults), addresses)


def _read(row: Any, seq: int, last: bytes | None, payloads: Payloads) -> PastEntry | Fault:
    """Open one entry, that must follow on the person's one before it."""
    before = None if last is None else last.hex()
    try:
        leaf = decode_leaf(row.leaf)
    except DamagedLogError as error:
        return Fault(row.idx, error.detail)
    if leaf_hash(row.leaf) != row.leaf_hash or row.subject.hex() != leaf.subject:
        return Fault(row.idx, "the leaf is not the one that was recorded")
    if row.subject_seq != seq + 1 or leaf.prev != before:
        return Fault(row.idx, "the entry does not follow on the person's one before it")
    if row.key_kind is None:
        return Fault(row.idx, "what was recorded is not there any more")
    try:
        event, address = decode_payload(payloads.open(leaf, row.event_id, row.subject, row))
    except (BrokenSealError, UnknownKeyError) as error:
        return Fault(row.idx, error.detail)
    except (msgspec.MsgspecError, KeyError):
        return Fault(row.idx, "the payload is no event")
    change = change_of(event, row.idx)
    if isinstance(change, Membership):
        carried = tuple(map(_in_utc, change.carried))
        change = Membership(_in_utc(change.event), change.linked, carried)
    else:
        change = _in_utc(change)
    return PastEntry(row.idx, leaf.recorded_at, change, address)


def _in_utc(kept: KeptEvent) -> KeptEvent:
    """As the standing keeps it."""
    return msgspec.structs.replace(
        kept,
        at=kept.at.astimezone(UTC),
        expires_at=None if kept.expires_at is None else kept.expires_at.astimezone(UTC),
        ends_at=None if kept.ends_at is None else kept.ends_at.astimezone(UTC),
    )


def _with_stops(
    connection: Connection, organisation: str, records: Sequence[PastRecord], keys: KeyRing
) -> Iterator[PastRecord]:
    addresses = [address for record in records for address in record.addresses]
    found = suppression.load_many(connection, organisation, addresses, keys=keys)
    stops = {one.normalised: some for one, some in zip(addresses, found, strict=True)}
    for record in records:
        yield PastRecord(
            record.subject,
            record.erased_at,
            record.entries,
            record.faults,
            record.addresses,
            {one.normalised: stops[one.normalised] for one in record.addresses},
        )


_E = log_entry.c
_HEADS = ByMany(
    lambda among: sa.select(
        subject.c.id, subject.c.head_seq, subject.c.head_leaf_hash, subject.c.erased_at
    ).where(subject.c.organisation == bindparam("organisation"), among(subject.c.id, "ids"))
)
_ENTRIES = ByMany(
    lambda among: (
        sa.select(_E.subject, _E.idx, _E.subject_seq, _E.leaf, _E.leaf_hash, _E.event_id, *COLUMNS)
        .select_from(log_entry.outerjoin(log_payload, log_payload.c.event_id == _E.event_id))
        .where(
            among(_E.subject, "ids"),
            _E.log == Log.CONSENT.value,
            # Written so that no index serves it: SQLite would take the log's, and read all of it.
            _E.organisation.concat("") == bindparam("organisation"),
        )
        .order_by(_E.subject, _E.subject_seq)
    )
)
_BY_INDEX = ByMany(
    lambda among: sa.select(_E.idx, _E.leaf).where(
        _E.organisation == bindparam("organisation"),
        _E.log == Log.CONSENT.value,
        among(_E.idx, "indexes"),
    )
)
