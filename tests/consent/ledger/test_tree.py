"""The tree against a naive one written straight from RFC 6962, and against known vectors."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger import tree

# RFC 6962's reference leaves, with the roots of Certificate Transparency's own test suite.
KNOWN_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1, word by word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, word by word."""
    n = len(leaves)
    if m == n:
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def subtrees_of(leaves: list[bytes]) -> tree.Subtrees:
    return lambda height, n: naive_root(leaves[n << height : (n + 1) << height])


def some_leaves(size: int) -> list[bytes]:
    return [b"leaf %d" % i for i in range(size)]


sizes = st.integers(1, 70)


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = KNOWN_LEAVES[:size]
    assert naive_root(leaves).hex() == KNOWN_ROOTS[size - 1]
    assert tree.root_of_range(0, size, subtrees_of(leaves)).hex() == KNOWN_ROOTS[size - 1]


def test_the_empty_tree_has_the_root_of_nothing() -> None:
    assert tree.root_of_range(0, 0, subtrees_of([])) == naive_root([])


@given(sizes, st.data())
def test_an_inclusion_proof_is_that_of_the_rfc_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    proof = tree.inclusion_proof(index, size, subtrees_of(leaves))
    assert proof == naive_path(index, leaves)
    assert tree.verify_inclusion(
        tree.leaf_hash(leaves[index]), index, size, proof, naive_root(leaves)
    )


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_consistency_proof_is_that_of_the_rfc_and_verifies(one: int, other: int) -> None:
    old, new = sorted((one, other))
    leaves = some_leaves(new)
    proof = tree.consistency_proof(old, new, subtrees_of(leaves))
    assert proof == (naive_subproof(old, leaves, whole=True) if old else [])
    assert tree.verify_consistency(old, new, proof, naive_root(leaves[:old]), naive_root(leaves))


@given(sizes, st.data())
def test_a_changed_leaf_changes_the_root_and_breaks_its_proof(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    proof = tree.inclusion_proof(index, size, subtrees_of(leaves))
    changed = [*leaves[:index], leaves[index] + b"!", *leaves[index + 1 :]]
    changed_root = tree.root_of_range(0, size, subtrees_of(changed))
    assert changed_root != naive_root(leaves)
    changed_leaf = tree.leaf_hash(changed[index])
    assert not tree.verify_inclusion(changed_leaf, index, size, proof, naive_root(leaves))


@given(sizes, st.data())
def test_an_inclusion_proof_holds_for_no_other_place(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = some_leaves(size)
    proof = tree.inclusion_proof(index, size, subtrees_of(leaves))
    root, leaf = naive_root(leaves), tree.leaf_hash(leaves[index])
    for other in range(-1, size + 1):
        assert tree.verify_inclusion(leaf, other, size, proof, root) is (other == index)
    assert not tree.verify_inclusion(leaf, index, size, [*proof, root], root)
    if proof:
        assert not tree.verify_inclusion(leaf, index, size, proof[:-1], root)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_a_rewritten_past_is_consistent_with_nothing(
    one: int, other: int, data: st.DataObject
) -> None:
    old, new = sorted((one, other))
    index = data.draw(st.integers(0, old - 1))
    leaves = some_leaves(new)
    rewritten = [*leaves[:index], b"another", *leaves[index + 1 :]]
    proof = tree.consistency_proof(old, new, subtrees_of(rewritten))
    old_root, new_root = naive_root(leaves[:old]), naive_root(rewritten)
    assert not tree.verify_consistency(old, new, proof, old_root, new_root)


def test_a_smaller_tree_is_no_later_one() -> None:
    leaves = some_leaves(5)
    root = naive_root(leaves)
    assert not tree.verify_consistency(5, 3, [], root, naive_root(leaves[:3]))
    assert not tree.verify_consistency(3, 5, [], naive_root(leaves[:3]), root)
