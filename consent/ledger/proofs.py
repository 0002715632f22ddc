"""Proofs from the tree as it is stored, for any size that it has had; and receipts of C2SP.

A ``.tlog-proof`` (c2sp.org/tlog-proof) is a receipt that whoever holds the log's public key
checks without us: the entry's index, its inclusion proof, and the checkpoint that it leads to.
"""

import base64
import re

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import tables, tiles, tree
from consent.ledger.errors import DamagedLogError, NoteError, UnknownLogError
from consent.ledger.leaf import Log
from consent.ledger.tiles import TILE_HEIGHT, TILE_SIZE, TILE_WIDTH, Edge, tile_width
from consent.ledger.tree import HASH_SIZE, root_of_range

RECEIPT_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class LogTree:
    """The stored tree of one log as it was when this was made: full tiles, and the edge.

    For one transaction. Tiles are read when they are asked for, each once.
    """

    def __init__(self, connection: Connection, organisation: str, log: Log) -> None:
        self._connection = connection
        self._of_log = {"organisation": organisation, "log": log.value}
        row = connection.execute(_HEAD, self._of_log).first()
        if row is None:
            raise UnknownLogError(f"{organisation} has no log {log} in this database")
        self.origin: str = row.origin
        self.size: int = row.size
        self._edge = Edge.of(row.size, row.edge)
        self._read: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, n: int) -> bytes:
        """All hashes that the tile has by now; empty where there is no such tile.

        ``DamagedLogError``: a full tile is missing, or is of another size.
        """
        width = tile_width(level, n, self.size)
        if width < TILE_WIDTH:
            # All but the last tile of each level are full, and the edge holds the last ones.
            return self._edge.levels[level] if width else b""
        found = self._read.get((level, n))
        if found is None:
            stored = self._connection.execute(
                _TILE, {**self._of_log, "level": level, "n": n}
            ).scalar()
            if stored is None or len(stored) != TILE_SIZE:
                raise DamagedLogError(
                    f"tile {n} of level {level} of the log {self._of_log['log']}"
                    f" of {self._of_log['organisation']} is missing or cut"
                )
            found = self._read[level, n] = bytes(stored)
        return found

    def root_at(self, size: int) -> bytes:
        """The root that the tree had when it had ``size`` leaves."""
        assert size <= self.size, "the log has not come that far"
        return root_of_range(0, size, tiles.subtrees_of(self.tile))

    def edge_at(self, size: int) -> Edge:
        """The edge that the tree had when it had ``size`` leaves."""
        assert size <= self.size, "the log has not come that far"
        levels = []
        level, left = 0, size
        while left:
            n, width = divmod(left, TILE_WIDTH)
            levels.append(self.tile(level, n)[: width * HASH_SIZE] if width else b"")
            level, left = level + 1, left >> TILE_HEIGHT
        return Edge(size, tuple(levels))

    def leaf_hash(self, index: int) -> bytes:
        """The hash of leaf ``index``, as the tree has it."""
        n, place = divmod(index, TILE_WIDTH)
        return self.tile(0, n)[place * HASH_SIZE : (place + 1) * HASH_SIZE]

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Prove that leaf ``index`` is in the tree that had ``size`` leaves."""
        assert size <= self.size, "the log has not come that far"
        return tree.inclusion_proof(index, size, tiles.subtrees_of(self.tile))

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Prove that the tree of ``new`` leaves began as that of ``old``."""
        assert new <= self.size, "the log has not come that far"
        return tree.consistency_proof(old, new, tiles.subtrees_of(self.tile))


class Receipt(msgspec.Struct, frozen=True):
    """What a ``.tlog-proof`` says. ``note`` is the signed checkpoint, not verified yet."""

    index: int
    proof: tuple[bytes, ...]
    note: str
    extra: bytes | None = None


def write_receipt(receipt: Receipt) -> str:
    """Write a receipt for offline verification."""
    lines = [RECEIPT_HEADER]
    if receipt.extra is not None:
        lines.append(f"extra {_base64(receipt.extra)}")
    lines.append(f"index {receipt.index}")
    lines += [_base64(sibling) for sibling in receipt.proof]
    return "\n".join([*lines, "", receipt.note])


def read_receipt(text: str) -> Receipt:
    """Read a receipt. ``NoteError``: it is none. What it says is still to be verified."""
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != RECEIPT_HEADER or not lines:
        raise NoteError("this is no tlog-proof")
    extra = _decoded(lines.pop(0)[6:]) if lines[0].startswith("extra ") else None
    index = _INDEX.fullmatch(lines.pop(0) if lines else "")
    proof = tuple(_decoded(line) for line in lines)
    if index is None or any(len(sibling) != HASH_SIZE for sibling in proof):
        raise NoteError("this is no tlog-proof: index or proof cannot be read")
    return Receipt(int(index[1]), proof, note, extra)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteError("this is no tlog-proof: a line is not base64") from None


_HEAD = sa.select(tables.log_head.c.origin, tables.log_head.c.size, tables.log_head.c.edge).where(
    tables.log_head.c.organisation == bindparam("organisation"),
    tables.log_head.c.log == bindparam("log"),
)
_TILE = sa.select(tables.log_tile.c.hashes).where(
    tables.log_tile.c.organisation == bindparam("organisation"),
    tables.log_tile.c.log == bindparam("log"),
    tables.log_tile.c.level == bindparam("level"),
    tables.log_tile.c.n == bindparam("n"),
)
