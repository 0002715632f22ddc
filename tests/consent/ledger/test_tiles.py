"""Tiles and the edge, against the naive tree."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consent.ledger import tiles, tree
from consent.ledger.errors import DamagedLogError


def hashes(size: int) -> list[bytes]:
    return [sha256(b"%d" % i).digest() for i in range(size)]


def root_of(leaf_hashes: list[bytes]) -> bytes:
    """The root by joining neighbours, row by row: an odd one out moves up as it is."""
    row = leaf_hashes or [tree.EMPTY_ROOT]
    while len(row) > 1:
        paired = [tree.node_hash(*row[i : i + 2]) for i in range(0, len(row) - 1, 2)]
        row = paired + ([row[-1]] if len(row) % 2 else [])
    return row[0]


def grown(steps: list[int]) -> tuple[tiles.Edge, dict[tuple[int, int], bytes]]:
    """Grow a tree to each of these sizes in turn, with all the tiles that became full."""
    edge, stored = tiles.EMPTY_EDGE, {}
    leaves = hashes(steps[-1])
    for before, after in pairwise([0, *steps]):
        edge, full = tiles.extend(edge, leaves[before:after])
        for tile in full:
            assert (tile.level, tile.n) not in stored, "a tile becomes full once"
            stored[tile.level, tile.n] = tile.hashes
    return edge, stored


def reader_of(edge: tiles.Edge, stored: dict[tuple[int, int], bytes]) -> tiles.TileReader:
    return lambda level, n: stored.get((level, n)) or edge.levels[level]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=8).map(sorted))
@example([256])
@example([255, 256, 257])
@example([511, 513])
def test_the_root_of_the_edge_is_the_root_of_all_leaves(steps: list[int]) -> None:
    edge, _ = grown(steps)
    assert edge.size == steps[-1]
    assert edge.root() == root_of(hashes(steps[-1]))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=8).map(sorted))
def test_batches_do_not_matter(steps: list[int]) -> None:
    assert grown(steps) == grown([steps[-1]])


@settings(max_examples=20)
@given(st.integers(1, 1500), st.data())
def test_proofs_from_tiles_verify(size: int, data: st.DataObject) -> None:
    leaves = hashes(size)
    subtrees = tiles.subtrees_of(reader_of(*grown([size])))
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size, subtrees)
    assert tree.verify_inclusion(leaves[index], index, size, proof, root_of(leaves))
    old = data.draw(st.integers(0, size))
    consistent = tree.consistency_proof(old, size, subtrees)
    roots = root_of(leaves[:old]), root_of(leaves)
    assert tree.verify_consistency(old, size, consistent, *roots)


def test_three_levels_of_tiles() -> None:
    size = 2 * 256 * 256 + 300
    edge, stored = grown([256 * 256 + 7, size])
    assert {(level, n) for level, n in stored if level} == {(1, 0), (1, 1)}
    assert [tiles.tile_width(level, 0, size) for level in range(4)] == [256, 256, 2, 0]
    assert stored[1, 0] == b"".join(tiles.tile_root(stored[0, n]) for n in range(256))
    assert edge.levels[2] == tiles.tile_root(stored[1, 0]) + tiles.tile_root(stored[1, 1])
    assert edge.root() == root_of(hashes(size))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 1000])
def test_an_edge_is_read_as_it_was_written(size: int) -> None:
    edge, _ = grown([size])
    assert tiles.Edge.of(size, edge.joined()) == edge


@pytest.mark.parametrize(("size", "change"), [(5, b"\x00"), (255, b"\x00" * 32), (256, b"\x00")])
def test_an_edge_of_another_size_is_refused(size: int, change: bytes) -> None:
    edge, _ = grown([size])
    with pytest.raises(DamagedLogError):
        tiles.Edge.of(size, edge.joined() + change)
    with pytest.raises(DamagedLogError):
        tiles.Edge.of(size, edge.joined()[:-1])


def test_a_tile_that_is_not_full_has_its_width() -> None:
    assert [tiles.tile_width(0, n, 300) for n in (0, 1, 2)] == [256, 44, 0]
