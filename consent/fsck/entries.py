"""One log recomputed from its leaves up, in order of index."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import retention
from consent.among import ByMany
from consent.events import RecordedKind
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.payloads import COLUMNS, Payloads
from consent.fsck.suppressions import Suppressions
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger import checkpoints, tiles
from consent.ledger.checkpoints import GrownLog, SignedCheckpoint
from consent.ledger.columns import Count, microseconds_of
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.leaf import Leaf, Log, decode_leaf
from consent.ledger.proofs import LogTree
from consent.ledger.tables import log_entry, log_payload, log_tile, subject
from consent.ledger.tiles import EMPTY_EDGE, TILE_WIDTH, Edge, Tile
from consent.ledger.tree import HASH_SIZE, leaf_hash

ENTRIES_AT_ONCE = 8 * TILE_WIDTH
_SUBJECT_KEY = KeyKind.SUBJECT.value


class _Entry(NamedTuple):
    """A row of a log with its payload's, if it is read here and is there."""

    idx: int
    event_id: bytes
    subject: bytes | None
    subject_seq: int | None
    recorded_at: int
    leaf: bytes
    leaf_hash: bytes
    schema_version: int
    key_kind: str | None
    key_version: int
    algorithm: int
    nonce: bytes
    ciphertext: bytes
    sealed_for: bytes | None
    filed_under: str
    before_hash: bytes | None


class LogInspection:
    """Looks one log through; ``damages`` yields what is found, in order of index.

    ``tail``: only that many of the last entries; what comes before is taken from the tiles.
    ``by_person``: payloads of subjects and chains are left to ``people.py``.
    """

    def __init__(
        self,
        connection: Connection,
        head: GrownLog,
        *,
        keys: KeyRing,
        tail: int | None = None,
        by_person: bool = False,
        suppressions: Suppressions | None = None,
    ) -> None:
        self._connection = connection
        self._head = head
        self._keys = keys
        self._of_log = {"organisation": head.organisation, "log": head.log.value}
        self._by_person = by_person
        self._suppressions = suppressions
        self._payloads = Payloads(connection, head.organisation, keys)
        whole = tail is None or tail >= head.size
        self.start = 0 if whole else (head.size - (tail or 0)) // TILE_WIDTH * TILE_WIDTH
        self._edge = EMPTY_EDGE
        self._keys_gone: set[tuple[str | None, int]] = set()
        self._is_tail = tail is not None

    def damages(self, progress: Progress) -> Iterator[Damage]:
        """Everything that is not as it was written."""
        try:
            if self.start:
                tree = LogTree(self._connection, self._head.organisation, self._head.log)
                self._edge = tree.edge_at(self.start)
            stored_edge: Edge | None = Edge.of(self._head.size, self._head.edge)
        except DamagedLogError as error:
            yield self._damage(None, Kind.HEAD, error.detail)
            stored_edge = None
            if self.start:
                return
        while self._edge.size < self._head.size:
            start = self._edge.size
            end = min(start + ENTRIES_AT_ONCE, self._head.size)
            yield from self._part(start, end, stored_edge)
            progress(end - start)
        if stored_edge is not None:
            yield from self._compare_edge(stored_edge)
        yield from self._beyond_head()

    def _part(self, start: int, end: int, stored_edge: Edge | None) -> Iterator[Damage]:
        statement = _ROWS if self._by_person else _ROWS_WITH_CHAIN
        wanted = {**self._of_log, "start": start, "end": end}
        rows = [_Entry._make(row) for row in statement.fetch(self._connection, wanted)]
        if not self._by_person:
            self._payloads.prepare(row.subject for row in rows if row.subject is not None)
        in_tiles = _InTiles(lambda: self._hashes_in_tiles(start, end, stored_edge))
        hashes: list[bytes] = []
        for row in rows:
            index = start + len(hashes)
            if row.idx > index:
                yield self._gap(index, row.idx)
                hashes += in_tiles.of(range(index, row.idx))
            yield from self._entry(row, in_tiles, hashes)
        if start + len(hashes) < end:
            index = start + len(hashes)
            yield self._gap(index, end)
            hashes += in_tiles.of(range(index, end))
        yield from self._grow(hashes, end)

    def _entry(self, row: _Entry, in_tiles: "_InTiles", hashes: list[bytes]) -> Iterator[Damage]:
        """Look at one row, and put the hash by which the tree goes on at the end of ``hashes``."""
        index = row.idx
        hashed = leaf_hash(row.leaf)
        if hashed != row.leaf_hash:
            in_tile = in_tiles.get(index)
            if hashed == in_tile:
                yield self._damage(index, Kind.LEAF_HASH, "the stored hash is not the leaf's")
            else:
                yield self._damage(index, Kind.LEAF, "the leaf is not the one that was hashed")
                hashed = row.leaf_hash if in_tile is None else in_tile
        hashes.append(hashed)
        try:
            leaf = decode_leaf(row.leaf)
        except DamagedLogError as error:
            yield self._damage(index, Kind.LEAF, error.detail)
            return
        unlike = _unlike(leaf, row, self._head)
        if unlike:
            yield self._damage(
                index, Kind.ENTRY, f"the row says another {', '.join(unlike)} than the leaf"
            )
        if not self._by_person:
            yield from self._chain(leaf, row)
            yield from self._payload(leaf, row)
        elif row.subject is None:
            yield from self._payload(leaf, row)

    def _chain(self, leaf: Leaf, row: _Entry) -> Iterator[Damage]:
        before = None if row.before_hash is None else row.before_hash.hex()
        if leaf.prev != before:
            yield self._damage(
                row.idx, Kind.CHAIN, "the leaf does not follow on its subject's entry before it"
            )

    def _payload(self, leaf: Leaf, row: _Entry) -> Iterator[Damage]:
        if row.key_kind is None:
            if leaf.commit is not None and not self._may_be_erased(row):
                yield self._damage(row.idx, Kind.PAYLOAD, "the payload is not there")
            return
        try:
            payload = self._payloads.open(leaf, row.event_id, row.subject, row)
        except UnknownKeyError as error:
            if row.key_kind == _SUBJECT_KEY:
                yield self._damage(row.idx, Kind.PAYLOAD, error.detail)
            else:
                yield from self._without_key(row)
        except BrokenSealError as error:
            yield self._damage(row.idx, Kind.PAYLOAD, error.detail)
        else:
            if self._suppressions is not None and leaf.type == RecordedKind.ERASE:
                self._suppressions.follow_erasure(row.idx, leaf, payload)

    def _may_be_erased(self, row: _Entry) -> bool:
        """Whether the payload may be gone with its person. In the consent log, ``people.py`` knows.

        What ends by age loses its key, and keeps its payload.
        """
        if row.subject is None or self._head.log is Log.CONSENT:
            return row.subject is not None
        wanted = {"organisation": self._head.organisation, "id": row.subject}
        return self._connection.execute(_ERASED, wanted).first() is not None

    def _without_key(self, row: _Entry) -> Iterator[Damage]:
        """A month's key that is gone must be said to be: that is how its retention ends."""
        key = (row.key_kind, row.key_version)
        # At a start the ends of the logs are looked at before the journal has told a restored copy
        # which months have ended.
        if key in self._keys_gone or self._is_tail:
            return
        self._keys_gone.add(key)
        if row.key_kind == KeyKind.DECISION:
            organisation = self._head.organisation
            if retention.expired_months(self._connection, organisation, [row.key_version]):
                return
        detail = (
            f"the {row.key_kind} key {row.key_version} is not there, and no entry says that it was"
            " destroyed: this is the first that lies under it"
        )
        yield self._damage(row.idx, Kind.KEY, detail)

    def _grow(self, hashes: Sequence[bytes], end: int) -> Iterator[Damage]:
        """Let the tree grow, and hold it against checkpoints and tiles on the way."""
        start = self._edge.size
        wanted = checkpoints.read_range(
            self._connection, self._head.organisation, self._head.log, above=start, until=end
        )
        for signed in wanted:
            yield from self._extend(hashes[self._edge.size - start : signed.size - start])
            yield from self._checkpoint(signed)
        yield from self._extend(hashes[self._edge.size - start :])

    def _extend(self, hashes: Sequence[bytes]) -> Iterator[Damage]:
        self._edge, made = tiles.extend(self._edge, hashes)
        by_level: dict[int, list[Tile]] = {}
        for tile in made:
            by_level.setdefault(tile.level, []).append(tile)
        for level, of_level in by_level.items():
            wanted = {**self._of_log, "level": level, "start": of_level[0].n}
            rows = self._connection.execute(_TILES, {**wanted, "end": of_level[-1].n + 1})
            stored = {n: found for n, found in rows}  # noqa: C416 - rows are no pairs to dict()
            for tile in of_level:
                if stored.get(tile.n) != tile.hashes:
                    yield self._tile_damage(tile, stored.get(tile.n))

    def _checkpoint(self, signed: SignedCheckpoint) -> Iterator[Damage]:
        public_keys = self._keys.log_public_keys(self._head.organisation, self._head.log)
        try:
            origin = checkpoints.read_unverified(signed.note).origin
            told = checkpoints.verify(signed.note, origin, public_keys)
        except NoteError as error:
            yield self._damage(signed.size - 1, Kind.CHECKPOINT, error.detail)
            return
        if (told.size, told.root) != (self._edge.size, self._edge.root()):
            yield self._damage(
                signed.size - 1,
                Kind.CHECKPOINT,
                f"the checkpoint of size {signed.size} is not of these entries",
            )

    def _compare_edge(self, stored: Edge) -> Iterator[Damage]:
        for level, (ours, theirs) in enumerate(zip(self._edge.levels, stored.levels, strict=True)):
            for place in range(0, len(ours), HASH_SIZE):
                if ours[place : place + HASH_SIZE] != theirs[place : place + HASH_SIZE]:
                    width = TILE_WIDTH**level
                    first = (self._head.size // width - len(ours) // HASH_SIZE) * width
                    yield self._damage(
                        first + place // HASH_SIZE * width,
                        Kind.EDGE,
                        f"the head's edge has another hash at level {level}",
                    )

    def _beyond_head(self) -> Iterator[Damage]:
        rows = self._connection.execute(_BEYOND, {**self._of_log, "start": self._head.size})
        for (index,) in rows:
            yield self._damage(index, Kind.BEYOND_HEAD, "the head does not know of the entry")

    def _hashes_in_tiles(self, start: int, end: int, edge: Edge | None) -> dict[int, bytes]:
        """What the lowest tiles, and behind them the edge, say that the leaves' hashes are."""
        found: dict[int, bytes] = {}
        wanted = {**self._of_log, "level": 0, "start": start // TILE_WIDTH}
        for n, stored in self._connection.execute(_TILES, {**wanted, "end": -(-end // TILE_WIDTH)}):
            for place in range(min(len(stored) // HASH_SIZE, TILE_WIDTH)):
                at = place * HASH_SIZE
                found[n * TILE_WIDTH + place] = stored[at : at + HASH_SIZE]
        if edge is not None and edge.levels:
            last, first = edge.levels[0], edge.size // TILE_WIDTH * TILE_WIDTH
            for place in range(len(last) // HASH_SIZE):
                found[first + place] = last[place * HASH_SIZE : (place + 1) * HASH_SIZE]
        return found

    def _tile_damage(self, tile: Tile, stored: bytes | None) -> Damage:
        width = TILE_WIDTH**tile.level
        place = 0
        if stored is not None:
            places = range(0, len(tile.hashes), HASH_SIZE)
            place = next(
                (p for p in places if stored[p : p + HASH_SIZE] != tile.hashes[p : p + HASH_SIZE]),
                0,
            )
        index = (tile.n * TILE_WIDTH + place // HASH_SIZE) * width
        what = "is not there" if stored is None else "is not that of its entries"
        return self._damage(index, Kind.TILE, f"tile {tile.n} of level {tile.level} {what}")

    def _gap(self, start: int, end: int) -> Damage:
        return self._damage(start, Kind.GAP, f"entries {start} to {end - 1} are not there")

    def _damage(self, index: int | None, kind: Kind, detail: str) -> Damage:
        return Damage(self._head.organisation, self._head.log, index, kind, detail)


class _InTiles:
    """What the tiles say that the leaves' hashes are; read only when somebody has to ask them."""

    def __init__(self, read: Callable[[], Mapping[int, bytes]]) -> None:
        self._read = read
        self._hashes: Mapping[int, bytes] | None = None

    def get(self, index: int) -> bytes | None:
        if self._hashes is None:
            self._hashes = self._read()
        return self._hashes.get(index)

    def of(self, indexes: range) -> list[bytes]:
        """The hashes of entries that are not there; zeros where the tiles are not either."""
        return [self.get(index) or b"\0" * HASH_SIZE for index in indexes]


def _unlike(leaf: Leaf, row: _Entry, head: GrownLog) -> list[str]:
    """The columns of a row that its leaf contradicts."""
    whose = None if row.subject is None else row.subject.hex()
    said = (
        leaf.organisation,
        leaf.log,
        leaf.event_id,
        leaf.subject,
        leaf.subject_seq,
        microseconds_of(leaf.recorded_at),
    )
    stored = (
        head.organisation,
        head.log,
        row.event_id.hex(),
        whose,
        row.subject_seq,
        row.recorded_at,
    )
    if said == stored:
        return []
    return [name for name, *both in zip(_COMPARED, said, stored, strict=True) if both[0] != both[1]]


_COMPARED = ("organisation", "log", "event_id", "subject", "subject_seq", "recorded_at")
_E = log_entry.c
_BEFORE = log_entry.alias("before")
_COLUMNS = (
    _E.idx,
    _E.event_id,
    _E.subject,
    _E.subject_seq,
    sa.type_coerce(_E.recorded_at, Count).label("recorded_at"),
    _E.leaf,
    _E.leaf_hash,
    *COLUMNS,
)
_WHERE = (
    _E.organisation == bindparam("organisation"),
    _E.log == bindparam("log"),
    _E.idx >= bindparam("start"),
    _E.idx < bindparam("end"),
)
_OF_NOBODY = sa.case((_E.subject.is_(None), _E.event_id))
"""Of a person's entry it is null, so that nothing is read of the payload."""
_ROWS = ByMany(
    lambda _: (
        sa.select(*_COLUMNS, sa.null().label("before_hash"))
        .select_from(log_entry.outerjoin(log_payload, log_payload.c.event_id == _OF_NOBODY))
        .where(*_WHERE)
        .order_by(_E.idx)
    )
)
_JOINED = log_entry.outerjoin(log_payload, log_payload.c.event_id == _E.event_id)
_ROWS_WITH_CHAIN = ByMany(
    lambda _: (
        sa.select(*_COLUMNS, _BEFORE.c.leaf_hash.label("before_hash"))
        .select_from(
            _JOINED.outerjoin(
                _BEFORE,
                sa.and_(
                    _BEFORE.c.subject == _E.subject,
                    _BEFORE.c.log == _E.log,
                    _BEFORE.c.subject_seq == _E.subject_seq - 1,
                ),
            )
        )
        .where(*_WHERE)
        .order_by(_E.idx)
    )
)
_ERASED = sa.select(subject.c.id).where(
    subject.c.organisation == bindparam("organisation"),
    subject.c.id == bindparam("id"),
    subject.c.erased_at.is_not(None),
)
_BEYOND = sa.select(_E.idx).where(
    _E.organisation == bindparam("organisation"),
    _E.log == bindparam("log"),
    _E.idx >= bindparam("start"),
)
_TILES = sa.select(log_tile.c.n, log_tile.c.hashes).where(
    log_tile.c.organisation == bindparam("organisation"),
    log_tile.c.log == bindparam("log"),
    log_tile.c.level == bindparam("level"),
    log_tile.c.n >= bindparam("start"),
    log_tile.c.n < bindparam("end"),
)
