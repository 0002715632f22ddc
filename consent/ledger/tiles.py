"""Tiles of C2SP tlog-tiles: 256 hashes of one level side by side. Pure.

A full tile never changes and is stored once. What is not full is the edge: it lies in the log's
head, is written anew with each batch, and is all that an append has to read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consent.ledger.errors import DamagedLogError
from consent.ledger.tree import HASH_SIZE, Subtrees, node_hash, peaks, root_of_peaks

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_SIZE = TILE_WIDTH * HASH_SIZE

TileReader = Callable[[int, int], bytes]
"""``(level, n)`` -> the hashes of that tile, as many as it has."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: at level 0 of leaf hashes, above of the roots of the full tiles below."""

    level: int
    n: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """The tiles that are not full yet, lowest level first. ``size`` says how wide each is."""

    size: int
    levels: tuple[bytes, ...]

    @classmethod
    def of(cls, size: int, joined: bytes) -> "Edge":
        """Read what ``joined`` wrote. ``DamagedLogError``: it does not belong to that size."""
        levels = []
        start = 0
        for width in _widths(size):
            levels.append(joined[start : start + width * HASH_SIZE])
            start += width * HASH_SIZE
        if start != len(joined):
            raise DamagedLogError(f"the edge has {len(joined)} bytes where size {size} has {start}")
        return cls(size, tuple(levels))

    def joined(self) -> bytes:
        """All levels end to end, as the head keeps them."""
        return b"".join(self.levels)

    def root(self) -> bytes:
        """The root of the whole tree. Up to 255 hashes a level: checkpoints ask for it."""
        found = []
        for level in reversed(self.levels):
            for height, number in peaks(0, len(level) // HASH_SIZE):
                found.append(_subtree(level, height, number))
        return root_of_peaks(found)


EMPTY_EDGE = Edge(0, ())


def extend(edge: Edge, leaf_hashes: Sequence[bytes]) -> tuple[Edge, list[Tile]]:
    """Put leaves at the end: the new edge, and the tiles that have become full, in order."""
    size = edge.size + len(leaf_hashes)
    levels: list[bytes] = []
    tiles: list[Tile] = []
    arriving = b"".join(leaf_hashes)
    for level, width in enumerate(_widths(size)):
        before = edge.levels[level] if level < len(edge.levels) else b""
        first = edge.size >> TILE_HEIGHT * (level + 1)
        hashes = before + arriving
        full = len(hashes) // TILE_SIZE
        made = [hashes[i * TILE_SIZE : (i + 1) * TILE_SIZE] for i in range(full)]
        tiles += [Tile(level, first + i, tile) for i, tile in enumerate(made)]
        levels.append(hashes[full * TILE_SIZE :])
        assert len(levels[-1]) == width * HASH_SIZE, "the size says how wide the edge is"
        arriving = b"".join([tile_root(tile) for tile in made])
    return Edge(size, tuple(levels)), tiles


def tile_root(hashes: bytes) -> bytes:
    """The root of a full tile: what stands for it in the tile above."""
    assert len(hashes) == TILE_SIZE, "only a full tile has a place in the tile above"
    return _subtree(hashes, TILE_HEIGHT, 0)


def subtrees_of(read: TileReader) -> Subtrees:
    """Answer for any perfect subtree from the one tile that holds its hashes."""

    def subtree(height: int, number: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        n, place = divmod(number << within, TILE_WIDTH)
        return _subtree(read(level, n), within, place >> within)

    return subtree


def tile_width(level: int, n: int, size: int) -> int:
    """How many hashes tile ``n`` of ``level`` has in a tree of ``size``; 0: there is none."""
    return min(max((size >> TILE_HEIGHT * level) - n * TILE_WIDTH, 0), TILE_WIDTH)


def _subtree(hashes: bytes, height: int, number: int) -> bytes:
    start = (number << height) * HASH_SIZE
    row = [
        hashes[i : i + HASH_SIZE] for i in range(start, start + (HASH_SIZE << height), HASH_SIZE)
    ]
    assert len(row[-1]) == HASH_SIZE, "the tile has been read to where the subtree ends"
    for _ in range(height):
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def _widths(size: int) -> list[int]:
    widths = []
    while size:
        widths.append(size % TILE_WIDTH)
        size >>= TILE_HEIGHT
    return widths
