"""The Merkle tree of RFC 6962: hashes, roots and proofs. Pure.

A perfect subtree is named by its height and its number from the left: ``(0, i)`` is leaf ``i``,
``(h, n)`` covers the leaves from ``n << h`` until ``(n + 1) << h``. Whoever has the hashes
answers for them as ``Subtrees``; ``tiles.py`` does so from tiles.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

Subtrees = Callable[[int, int], bytes]
"""``(height, number)`` -> root of that perfect subtree."""


def leaf_hash(leaf: bytes) -> bytes:
    """Hash an entry: RFC 6962 section 2.1, with 0x00 before it."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children: RFC 6962 section 2.1, with 0x01 before them."""
    return sha256(b"\x01" + left + right).digest()


def peaks(start: int, end: int) -> list[tuple[int, int]]:
    """Split ``[start, end)`` into the fewest perfect subtrees, from left to right."""
    found = []
    while start < end:
        height = (end - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        found.append((height, start >> height))
        start += 1 << height
    return found


def root_of_peaks(hashes: Sequence[bytes]) -> bytes:
    """Join the roots of perfect subtrees, largest first, to the root of the whole."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def root_of_range(start: int, end: int, subtrees: Subtrees) -> bytes:
    """Compute MTH(D[start:end]), where ``start`` begins a subtree of the tree that proofs walk."""
    return root_of_peaks([subtrees(height, number) for height, number in peaks(start, end)])


def inclusion_proof(index: int, size: int, subtrees: Subtrees) -> list[bytes]:
    """Prove that leaf ``index`` is in the tree of ``size``: RFC 6962 section 2.1.1, leaf first."""
    assert 0 <= index < size, "only a leaf of the tree can be proved to be in it"
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(root_of_range(middle, end, subtrees))
            end = middle
        else:
            proof.append(root_of_range(start, middle, subtrees))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, subtrees: Subtrees) -> list[bytes]:
    """Prove that the tree of ``new`` begins with the tree of ``old``: RFC 6962 section 2.1.2."""
    assert 0 <= old <= new, "a tree is consistent with a larger one"
    if old in (0, new):
        return []
    proof = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(root_of_range(middle, end, subtrees))
            end = middle
        else:
            proof.append(root_of_range(start, middle, subtrees))
            start = middle
    if start:  # Otherwise it is the old root, which the verifier has.
        proof.append(root_of_range(start, end, subtrees))
    proof.reverse()
    return proof


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Compute the root that ``proof`` leads to from a leaf hash. None: it has the wrong length."""
    if not 0 <= index < size:
        return None
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        return None
    root = leaf
    for height, sibling in enumerate(proof):
        on_the_left = height >= inner or (index >> height) & 1
        root = node_hash(sibling, root) if on_the_left else node_hash(root, sibling)
    return root


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Check that the leaf with this hash is at ``index`` in the tree of ``size`` and ``root``."""
    return root_by_inclusion(leaf, index, size, proof) == root


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Check that the tree of ``new`` begins with the tree of ``old``: RFC 9162 section 2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(width: int) -> int:
    """The largest power of two below ``width``."""
    return 1 << (width - 1).bit_length() - 1
