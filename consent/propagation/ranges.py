"""What an endpoint was told to stop, summed up by ranges, so that it can find what it lacks. Pure.

An entry is named by its event's id, which both sides have and which says nothing of anybody. Its
place is the RFC 6962 hash of that name, so entries lie evenly, and a range is a prefix of the
hash's 64 hexadecimal digits. Whoever compares a range's count and root with their own, and asks
for the sixteen parts of what differs, is at the entries after as many steps as their number has
hexadecimal digits.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from consent.ledger.tree import EMPTY_ROOT, leaf_hash, node_hash

PREFIX_LENGTH_MAX: Final = 64
ENTRIES_MAX: Final = 16
"""A range of so many entries at most is told entry by entry, not by its parts."""

_DIGITS: Final = "0123456789abcdef"
_PAST_DIGITS: Final = "g"


class Sum(msgspec.Struct, frozen=True):
    """How many entries a range has, and their Merkle root in the order of their hashes."""

    prefix: str
    count: int
    root: str


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A range with what it is made of: its entries if they are few, else its parts with any."""

    prefix: str
    count: int
    root: str
    entries: Sequence[str] = ()
    parts: Sequence[Sum] = ()


class Entries:
    """A set of entries, in the order of their hashes."""

    def __init__(self, labels: Iterable[str]) -> None:
        hashed = sorted((leaf_hash(label.encode()).hex(), label) for label in set(labels))
        self._hashes = [hash_ for hash_, _ in hashed]
        self._labels = [label for _, label in hashed]

    def sum_of(self, prefix: str = "") -> Sum:
        """Sum up a range; by default all there is."""
        hashes = self._hashes[self._slice(prefix)]
        return Sum(prefix, len(hashes), _root_of(map(bytes.fromhex, hashes)).hex())

    def range_of(self, prefix: str) -> Range:
        """The same, with what the range is made of."""
        whole, within = self.sum_of(prefix), self._slice(prefix)
        if whole.count <= ENTRIES_MAX:
            return Range(
                prefix=prefix,
                count=whole.count,
                root=whole.root,
                entries=self._labels[within],
            )
        parts = [self.sum_of(prefix + digit) for digit in _DIGITS]
        return Range(
            prefix=prefix,
            count=whole.count,
            root=whole.root,
            parts=[part for part in parts if part.count],
        )

    def _slice(self, prefix: str) -> slice:
        start = bisect_left(self._hashes, prefix)
        return slice(start, bisect_left(self._hashes, prefix + _PAST_DIGITS, start))


def _root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes: RFC 6962 section 2.1."""
    row = list(hashes)
    if not row:
        return EMPTY_ROOT
    while len(row) > 1:
        joined = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        # What is left over on the right goes up as it is.
        row = joined + row[len(joined) * 2 :]
    return row[0]
