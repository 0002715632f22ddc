"""Checkpoints of C2SP (c2sp.org/tlog-checkpoint): how far a log has come, and signed.

A checkpoint is signed for what was read back from the rows, never for what was just handed to
the database: each leaf is hashed again, the tree grows from the last checkpoint's by those
hashes, and has to be the one that lies in tiles and head.
"""

import base64
import re
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, bindparam

from consent.ledger import tables, tiles
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier, parse_note, sign_note, verify_note
from consent.ledger.proofs import LogTree
from consent.ledger.tiles import EMPTY_EDGE, Edge, Tile
from consent.ledger.tree import HASH_SIZE, leaf_hash

ROWS_AT_ONCE = 4096
EDGES_KEPT = 256
"""Edges that a ``Rereader`` remembers, of some ten kilobytes each; others are read again."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(msgspec.Struct, frozen=True):
    """The log of that origin had ``size`` entries, and this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint's note, and whose log it is of."""

    organisation: str
    log: Log
    size: int
    note: str
    signed_at: datetime


def sign(checkpoint: Checkpoint, keys: Sequence[Ed25519PrivateKey]) -> str:
    """Sign a checkpoint under its origin's name."""
    return sign_note(checkpoint.text, checkpoint.origin, keys)


def read_unverified(note: str) -> Checkpoint:
    """Read a checkpoint whose signature was or will be verified. ``NoteError``: it is none."""
    return _checkpoint_of(parse_note(note).text)


def verify(note: str, origin: str, keys: Sequence[Ed25519PublicKey]) -> Checkpoint:
    """Read a checkpoint that one of ``keys`` signed. ``NoteError``: none did, or another origin."""
    checkpoint = _checkpoint_of(verify_note(note, [Verifier(origin, key) for key in keys]))
    if checkpoint.origin != origin:
        raise NoteError(f"a checkpoint is of {checkpoint.origin}, and not of {origin}")
    return checkpoint


def keep_many(connection: Connection, signed: Sequence[SignedCheckpoint]) -> None:
    """Put checkpoints on record, in one statement."""
    if signed:
        connection.execute(sa.insert(tables.checkpoint), [_row_of(one) for one in signed])


def newest(
    connection: Connection, organisation: str, log: Log, *, size_max: int
) -> SignedCheckpoint | None:
    """The newest checkpoint on record of at most that size."""
    wanted = {"organisation": organisation, "log": log.value, "size_max": size_max}
    row = connection.execute(_NEWEST, wanted).first()
    return None if row is None else SignedCheckpoint(organisation, log, *row)


def of_size(
    connection: Connection, organisation: str, log: Log, size: int
) -> SignedCheckpoint | None:
    """The last checkpoint on record of just that size."""
    found = newest(connection, organisation, log, size_max=size)
    return found if found is not None and found.size == size else None


def read_range(
    connection: Connection, organisation: str, log: Log, *, above: int, until: int
) -> list[SignedCheckpoint]:
    """The checkpoints of sizes in ``(above, until]``, smallest first."""
    wanted = {"organisation": organisation, "log": log.value, "above": above, "until": until}
    return [SignedCheckpoint(organisation, log, *row) for row in connection.execute(_RANGE, wanted)]


class GrownLog(msgspec.Struct, frozen=True):
    """A log's head as it was read for signing."""

    organisation: str
    log: Log
    origin: str
    size: int
    edge: bytes


def read_heads(
    connection: Connection, organisations: Collection[str] | None = None
) -> list[GrownLog]:
    """The heads of all logs, or of these organisations', without locking them."""
    statement = _HEADS
    if organisations is not None:
        statement = _HEADS.where(tables.log_head.c.organisation.in_(list(organisations)))
    return [_grown_log(row) for row in connection.execute(statement)]


class Rereader:
    """Reads back what was appended since it last did, and says what root that gives.

    For one thread at a time. What it remembers came from leaves, or was held against a root that
    was signed for what came from leaves.
    """

    def __init__(self) -> None:
        self._edges: OrderedDict[tuple[str, Log], Edge] = OrderedDict()

    def advance(
        self, connection: Connection, head: GrownLog, *, signed: Checkpoint | None
    ) -> Checkpoint:
        """Give the checkpoint of ``head``, of which ``signed`` is the last one so far.

        ``DamagedLogError``: the rows are not those whose hashes lie in tiles and head.
        """
        place = (head.organisation, head.log)
        edge = self._edges.pop(place, None)
        if edge is None or edge.size > head.size:
            edge = EMPTY_EDGE if signed is None else _signed_edge(connection, head, signed)
        while edge.size < head.size:
            until = min(edge.size + ROWS_AT_ONCE, head.size)
            edge = _grown(connection, head, edge, until)
        if edge.joined() != head.edge:
            raise DamagedLogError(f"the head of {_name(head)} is not that of its entries")
        self._edges[place] = edge
        if len(self._edges) > EDGES_KEPT:
            self._edges.popitem(last=False)
        return Checkpoint(head.origin, head.size, edge.root())


def _signed_edge(connection: Connection, head: GrownLog, signed: Checkpoint) -> Edge:
    tree = LogTree(connection, head.organisation, head.log)
    if signed.size > tree.size:
        raise DamagedLogError(f"{_name(head)} is shorter than was signed")
    edge = tree.edge_at(signed.size)
    if edge.root() != signed.root:
        raise DamagedLogError(f"{_name(head)} has another root at size {signed.size} than signed")
    return edge


def _grown(connection: Connection, head: GrownLog, edge: Edge, until: int) -> Edge:
    wanted = {"organisation": head.organisation, "log": head.log.value}
    rows = connection.execute(_LEAVES, {**wanted, "start": edge.size, "until": until}).all()
    if len(rows) != until - edge.size:
        raise DamagedLogError(f"entries of {_name(head)} are missing below {until}")
    hashes: list[bytes] = []
    for leaf, stored in rows:
        hashed = leaf_hash(leaf)
        if hashed != stored:
            index = edge.size + len(hashes)
            raise DamagedLogError(f"entry {index} of {_name(head)} is not what was hashed")
        hashes.append(hashed)
    grown, made = tiles.extend(edge, hashes)
    for tile in made:
        if _stored(connection, wanted, tile) != tile.hashes:
            raise DamagedLogError(
                f"tile {tile.n} of level {tile.level} of {_name(head)} is not that of its entries"
            )
    return grown


def _stored(connection: Connection, wanted: dict[str, str], tile: Tile) -> bytes | None:
    found: bytes | None = connection.execute(
        _TILE, {**wanted, "level": tile.level, "n": tile.n}
    ).scalar()
    return found


def _grown_log(row: Any) -> GrownLog:
    try:
        log = Log(row.log)
    except ValueError:
        raise DamagedLogError("a head names a log that there is not") from None
    return GrownLog(row.organisation, log, row.origin, row.size, row.edge)


def _checkpoint_of(text: str) -> Checkpoint:
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise NoteError("a note is no checkpoint: it names no origin, size and root")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError:
        root = b""
    if len(root) != HASH_SIZE:
        raise NoteError("a checkpoint has no root")
    return Checkpoint(lines[0], int(lines[1]), root)


def _name(head: GrownLog) -> str:
    return f"the log {head.log} of {head.organisation}"


def _row_of(signed: SignedCheckpoint) -> dict[str, object]:
    return {
        "organisation": signed.organisation,
        "log": signed.log.value,
        "size": signed.size,
        "note": signed.note,
        "signed_at": signed.signed_at,
    }


_ROW = tables.checkpoint.c
_CHECKPOINTS = sa.select(_ROW.size, _ROW.note, _ROW.signed_at).where(
    _ROW.organisation == bindparam("organisation"), _ROW.log == bindparam("log")
)
_NEWEST = (
    _CHECKPOINTS.where(_ROW.size <= bindparam("size_max"))
    .order_by(_ROW.size.desc(), _ROW.signed_at.desc())
    .limit(1)
)
_RANGE = _CHECKPOINTS.where(
    _ROW.size > bindparam("above"), _ROW.size <= bindparam("until")
).order_by(_ROW.size, _ROW.signed_at)
_HEADS = sa.select(
    tables.log_head.c.organisation,
    tables.log_head.c.log,
    tables.log_head.c.origin,
    tables.log_head.c.size,
    tables.log_head.c.edge,
).order_by(tables.log_head.c.organisation, tables.log_head.c.log)
_ENTRY = tables.log_entry.c
_LEAVES = (
    sa.select(_ENTRY.leaf, _ENTRY.leaf_hash)
    .where(
        _ENTRY.organisation == bindparam("organisation"),
        _ENTRY.log == bindparam("log"),
        _ENTRY.idx >= bindparam("start"),
        _ENTRY.idx < bindparam("until"),
    )
    .order_by(_ENTRY.idx)
)
_TILE = sa.select(tables.log_tile.c.hashes).where(
    tables.log_tile.c.organisation == bindparam("organisation"),
    tables.log_tile.c.log == bindparam("log"),
    tables.log_tile.c.level == bindparam("level"),
    tables.log_tile.c.n == bindparam("n"),
)
