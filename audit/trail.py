"""One person's story: every event and decision about them, in the order in which it was recorded.

A person is found by an address. With them come those who were on record under the address before
they were erased: of these the entries stand, and nothing that was in them. A check about an
address that nobody was on record under names no person; such decisions are found by a token of
their month, which is no part of the log.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from heapq import merge
from itertools import islice
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam

from audit import decisions
from audit.decision_records import OpenedDecision, open_payload_of
from audit.opened import EntryOpener, Opened, Withheld, find_erased
from consent import subjects, suppression
from consent.among import ByMany
from consent.erasure import ErasureRecord, open_record
from consent.events import ConsentEvent, RecordedKind, decode_payload
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.entries import (
    Entry,
    StoredPayload,
    entry_of,
    find_entries,
    read_entries,
    read_payloads,
    select_entries,
)
from consent.ledger.leaf import Leaf, Log, decode_leaf
from consent.ledger.tables import log_entry
from consent.own_addresses import in_parts, linked_of
from jurisdictions.addresses import Address

LOGS = (Log.CONSENT, Log.DECISIONS)
"""Those that tell a person's story; of one instant, an event comes before a decision."""

Places = Mapping[Log, int]
"""Where to go on in each log: the index of the first entry that is not told yet."""

ADDRESSES_MAX = 64
"""More than one person can have, and be erased with at once."""

START: Places = dict.fromkeys(LOGS, 0)
END: Places = dict.fromkeys(LOGS, 2**62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose trail it is. Nobody on record: no ``subjects``, and mostly no entries besides.

    ``subjects``: ids, today's first; ``erased`` are those of them whose data is destroyed, and
    when. ``others``: entries that belong to the story and name no person: decisions about a
    stranger, and the erasure of one.
    """

    subjects: tuple[bytes, ...] = ()
    erased: Mapping[bytes, datetime]
    others: Mapping[Log, tuple[int, ...]]


@dataclass(frozen=True)
class TrailEntry:
    """An entry of a trail, opened. It is an event, or of the decisions log a decision.

    ``opened`` has the canonical payload with its salt, or says why it is withheld; it is None
    of an entry that never had a payload.
    """

    log: Log
    index: int
    id: bytes
    leaf: Leaf
    leaf_bytes: bytes
    leaf_hash: bytes
    opened: Opened | Withheld | None

    @property
    def withheld(self) -> Withheld | None:
        """Why nothing is told beyond the leaf; None where all is."""
        return self.opened if isinstance(self.opened, Withheld) else None

    @cached_property
    def told(self) -> tuple[ConsentEvent, str | None] | None:
        """The event as it was recorded, and the address it came for. None: a decision, withheld,
        or of a kind that is no event of the law's (a link, an index)."""
        if self.log is not Log.CONSENT or not isinstance(self.opened, Opened):
            return None
        try:
            return decode_payload(self.opened.canonical)
        except (msgspec.MsgspecError, KeyError):
            return None

    @cached_property
    def decision(self) -> OpenedDecision | None:
        """The decision with every fact it rested on. None: an event, or withheld."""
        if self.log is not Log.DECISIONS or not isinstance(self.opened, Opened):
            return None
        try:
            return open_payload_of(self.opened.canonical)
        except msgspec.MsgspecError:
            return None


def find_person(
    connection: Connection, organisation: str, address: Address, *, keys: KeyRing
) -> Person:
    """Everybody who is or was on record under an address, and what names nobody but is theirs.

    With them all who are the same person by a link. ``BrokenSealError``: who that is cannot be
    read, and a trail without them would not be whole.
    """
    indexes = subjects.blind_indexes_of(organisation, address, keys)
    found = subjects.find_by_index(connection, organisation, indexes, keys=keys)
    here = list(dict.fromkeys(found[index].id for index in indexes if index in found))
    linked = _linked_with(connection, organisation, here, keys)
    past, loose = _erasures_of(connection, organisation, address, keys)
    ids = tuple(dict.fromkeys([*here, *linked, *past]))
    theirs = {*indexes, *subjects.find_indexes(connection, organisation, linked)}
    strangers = decisions.find_strangers(connection, organisation, theirs, keys=keys)
    entries = [
        entry
        for some in in_parts(sorted(strangers))
        for entry in find_entries(connection, organisation, some).values()
    ]
    return Person(
        subjects=ids,
        erased=find_erased(connection, organisation, ids),
        others={
            Log.CONSENT: tuple(sorted(loose)),
            Log.DECISIONS: tuple(sorted(entry.index for entry in entries)),
        },
    )


def read_trail(
    connection: Connection,
    organisation: str,
    person: Person,
    *,
    keys: KeyRing,
    start: Places = START,
    end: Places = END,
    count: int | None = None,
) -> list[TrailEntry]:
    """The entries of a person's trail of ``[start, end)`` in each log, at most ``count``, opened.

    In the order in which they were recorded: each log in its own, and between the two by the
    time of recording.
    """
    in_logs = [
        _entries_of(connection, organisation, person, _Window(log, start[log], end[log], count))
        for log in LOGS
    ]
    merged = list(islice(in_order(in_logs), count))
    opener = EntryOpener(organisation, keys)
    return list(opened_of(opener, connection, merged))


def in_order(in_logs: Sequence[Iterable[Entry]]) -> Iterator[Entry]:
    """Merge logs, given in the order of ``LOGS``, by the time of recording."""
    return merge(*in_logs, key=lambda entry: (entry.recorded_at, LOGS.index(entry.log)))


def opened_of(
    opener: EntryOpener, connection: Connection, entries: Sequence[Entry]
) -> Iterator[TrailEntry]:
    """Open a handful of entries, in a number of statements that does not grow with them."""
    leaves = [decode_leaf(entry.leaf) for entry in entries]
    opened = opener.open_many(connection, entries, leaves)
    for entry, leaf, one in zip(entries, leaves, opened, strict=True):
        yield TrailEntry(
            log=entry.log,
            index=entry.index,
            id=entry.event_id,
            leaf=leaf,
            leaf_bytes=entry.leaf,
            leaf_hash=entry.leaf_hash,
            opened=one,
        )


def next_places(told: Sequence[TrailEntry], start: Places = START) -> Places:
    """Where to go on after these entries, which were read from ``start``."""
    return {
        log: max((entry.index + 1 for entry in told if entry.log is log), default=start[log])
        for log in LOGS
    }


_OF_SUBJECTS = ByMany(
    lambda among: (
        select_entries()
        .where(
            log_entry.c.log == bindparam("log"),
            among(log_entry.c.subject, "subjects"),
            log_entry.c.idx >= bindparam("start"),
            log_entry.c.idx < bindparam("end"),
        )
        .order_by(log_entry.c.idx)
        .limit(bindparam("count"))
    )
)
_NO_LIMIT = 2**31


class _Window(NamedTuple):
    """The first ``limit`` entries of ``[start, end)`` of a log."""

    log: Log
    start: int
    end: int
    limit: int | None


def _entries_of(
    connection: Connection, organisation: str, person: Person, window: _Window
) -> list[Entry]:
    log, start, end, limit = window
    found: list[Entry] = []
    if person.subjects:
        wanted = {
            "organisation": organisation,
            "log": log.value,
            "subjects": list(person.subjects),
            "start": start,
            "end": end,
            "count": _NO_LIMIT if limit is None else limit,
        }
        found = [entry_of(row) for row in _OF_SUBJECTS.execute(connection, wanted)]
    others = [index for index in person.others.get(log, ()) if start <= index < end]
    for index in islice(others, limit):
        found += read_entries(connection, organisation, log, index, index + 1)
    return sorted(found, key=lambda entry: entry.index)


def _linked_with(
    connection: Connection, organisation: str, ids: Sequence[bytes], keys: KeyRing
) -> list[bytes]:
    """Who else is this person by now."""
    named = {id_ for one in ids for id_ in linked_of(connection, organisation, one, keys)}
    return list(subjects.find_by_id(connection, organisation, named))


def _erasures_of(
    connection: Connection, organisation: str, address: Address, keys: KeyRing
) -> tuple[list[bytes], set[int]]:
    """Whom the erasures of this address erased, and the erasures of nobody on record.

    The suppression tells: an erasure leaves a token of every spelling, with its place in the log.
    """
    tokens = suppression.every_token_of(organisation, [address], keys=keys)
    rows = suppression.load_rows(connection, organisation, tokens)
    places = sorted({row.idx for row in rows if row.kind == RecordedKind.ERASE})
    erased: list[bytes] = []
    loose: set[int] = set()
    for index in places:
        for entry in _one_erasure(connection, organisation, index, keys):
            if entry.subject is None:
                loose.add(index)
            else:
                erased.append(entry.subject)
    return erased, loose


def _one_erasure(
    connection: Connection, organisation: str, index: int, keys: KeyRing
) -> Iterator[Entry]:
    """The entries of the erasure that begins there: one for each address of the person, which
    follow on each other. Their records are the same, or that of the first tells for all of them
    what is suppressed, which no erasure is without."""
    end = index + ADDRESSES_MAX
    entries = read_entries(connection, organisation, Log.CONSENT, index, end)
    yield from entries[:1]
    stored = read_payloads(connection, organisation, [entry.event_id for entry in entries])
    record = _record_of(organisation, entries[0], stored, keys) if entries else None
    if record is None:
        return
    others = (record, msgspec.structs.replace(record, tokens=(), suppressed=()))
    for entry in entries[1:]:
        if _record_of(organisation, entry, stored, keys) not in others:
            return
        yield entry


def _record_of(
    organisation: str, entry: Entry, stored: Mapping[bytes, StoredPayload], keys: KeyRing
) -> ErasureRecord | None:
    payload = stored.get(entry.event_id)
    if payload is None or decode_leaf(entry.leaf).type != RecordedKind.ERASE:
        return None
    try:
        return open_record(organisation, entry, payload, keys=keys)
    except (BrokenSealError, UnknownKeyError):
        return None
