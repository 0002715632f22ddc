"""Our copy of a register: one file that is written once, read whole, and asked per address.

A telephone number is the integer of its E.164 digits, in a compressed bitmap; an e-mail address
is a keyed hash of 63 bits with the top bit set, in a sorted array (two addresses of a register
of a hundred million share one with a chance of one in 10**11). Rows that say more than "listed"
stand apart, in order of key, each with the number of its group: what such rows have in common.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date
from typing import IO, Final, NamedTuple

import msgspec
from pyroaring import BitMap64

from consent.errors import RegistryFileError, RegistryUnreadableError
from consent.registries.formats import Parsed, Row
from rules.facts import RegistryEntry
from rules.vocabulary import Channel

EVERYTHING: Final = "everything"
ONLY_ROWS: Final = "rows"

_MAGIC: Final = b"register copy 1\n"
_EMAIL_BIT: Final = 1 << 63
_PIECE: Final = 1 << 20

EmailHash = Callable[[str], bytes]
"""The keyed hash of an e-mail address, at least eight bytes."""


class _Group(NamedTuple):
    listed: bool | None
    sender: str | None
    channel: Channel | None
    on: date | None

    @property
    def specificity(self) -> int:
        """A row for one sender and channel beats one for the sender, that one for the channel."""
        return 2 * (self.sender is not None) + (self.channel is not None)


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    registry: str
    as_of: date
    covers: tuple[str, ...]
    byte_order: str
    groups: tuple[_Group, ...]
    number_byte_count: int
    email_count: int
    row_count: int


def email_key(hashed: bytes) -> int:
    """The key of an e-mail address, from its keyed hash."""
    return int.from_bytes(hashed[:8], "big") | _EMAIL_BIT


class Copy:
    """One copy of one register, as it is asked."""

    def __init__(
        self,
        header: _Header,
        numbers: BitMap64,
        emails: "array[int]",
        row_keys: "array[int]",
        row_groups: "array[int]",
    ) -> None:
        self.registry = header.registry
        self.as_of = header.as_of
        self.covers = header.covers
        self.numbers = numbers
        self._header = header
        self.emails = emails
        self._row_keys = row_keys
        self._row_groups = row_groups
        self._groups = header.groups
        self._prefixes = tuple(cover for cover in header.covers if cover.startswith("+"))
        self._listed = RegistryEntry(registry=self.registry, listed=True, as_of=self.as_of)
        self._clear = RegistryEntry(registry=self.registry, listed=False, as_of=self.as_of)

    @property
    def has_emails(self) -> bool:
        """Whether asking for an e-mail address needs its hash."""
        return bool(self.emails) or bool(self._row_keys)

    @property
    def has_rows(self) -> bool:
        """Whether any row says more than "listed"."""
        return bool(self._row_keys)

    @property
    def entry_count(self) -> int:
        """How many numbers, e-mail addresses and particular rows it holds."""
        return len(self.numbers) + len(self.emails) + len(self._row_keys)

    def entry(
        self, spellings: Sequence[str], keys: Sequence[int], sender: str, channel: Channel
    ) -> RegistryEntry | None:
        """What it says of an address in any of its spellings; None: it does not know."""
        if self._row_keys:
            found = self._row_of(keys, sender, channel)
            if found is not None and (found.specificity or not self._is_listed(keys)):
                if found.listed is None:
                    return None
                as_of = self.as_of if found.on is None else min(found.on, self.as_of)
                return RegistryEntry(registry=self.registry, listed=found.listed, as_of=as_of)
        if self._is_listed(keys):
            return self._listed
        return self._clear if self._covers(spellings) else None

    def _is_listed(self, keys: Sequence[int]) -> bool:
        for key in keys:
            if key < _EMAIL_BIT:
                if key in self.numbers:
                    return True
            elif _holds(self.emails, key):
                return True
        return False

    def _row_of(self, keys: Sequence[int], sender: str, channel: Channel) -> _Group | None:
        matching = []
        for key in keys:
            at = bisect_left(self._row_keys, key)
            while at < len(self._row_keys) and self._row_keys[at] == key:
                group = self._groups[self._row_groups[at]]
                if group.sender in (None, sender) and group.channel in (None, channel):
                    matching.append(group)
                at += 1
        # Of equally particular rows the latest answer holds; a row without a day is of as_of.
        return max(
            matching, key=lambda group: (group.specificity, group.on or self.as_of), default=None
        )

    def _covers(self, spellings: Sequence[str]) -> bool:
        if EVERYTHING in self.covers:
            return True
        return any(spelling.startswith(self._prefixes) for spelling in spellings)

    def write(self, file: IO[bytes]) -> None:
        """Write it out. The caller syncs the file."""
        numbers = self.numbers.serialize()
        header = msgspec.json.encode(
            msgspec.structs.replace(self._header, number_byte_count=len(numbers))
        )
        file.write(_MAGIC + len(header).to_bytes(4, "big") + header)
        view = memoryview(numbers)
        for start in range(0, len(view), _PIECE):
            file.write(view[start : start + _PIECE])
        for part in (self.emails, self._row_keys, self._row_groups):
            file.write(part.tobytes())


def build(
    parsed: Parsed,
    *,
    registry: str,
    as_of: date,
    covers: tuple[str, ...],
    email_hash: EmailHash,
    earlier: Copy | None = None,
) -> Copy:
    """Make a copy of what a file says; of a list of changes, on top of the ``earlier`` copy."""
    numbers = parsed.numbers
    if parsed.is_change:
        if earlier is None or earlier.has_rows:
            raise RegistryFileError("a list of changes needs an earlier plain copy to change")
        covers = earlier.covers  # A list of changes tells nothing of other prefixes.
        numbers = (earlier.numbers | parsed.numbers) - parsed.removed
    emails = array("Q", sorted({email_key(email_hash(email)) for email in parsed.emails}))
    if parsed.is_change and earlier is not None:
        emails = earlier.emails
    rows = _one_each(parsed.rows, numbers, emails, email_hash)
    groups = {group: place for place, group in enumerate(dict.fromkeys(g for _, g in rows))}
    header = _Header(
        registry=registry,
        as_of=as_of,
        covers=covers,
        byte_order=sys.byteorder,
        groups=tuple(groups),
        number_byte_count=0,
        email_count=len(emails),
        row_count=len(rows),
    )
    row_keys = array("Q", [key for key, _ in rows])
    return Copy(header, numbers, emails, row_keys, array("I", [groups[g] for _, g in rows]))


def read(file: IO[bytes]) -> Copy:
    """Read a copy back. Raises ``RegistryUnreadableError`` for anything that we did not write."""
    try:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise RegistryUnreadableError("the file is no copy of a register")
        header = msgspec.json.decode(file.read(int.from_bytes(file.read(4), "big")), type=_Header)
        if header.byte_order != sys.byteorder:
            raise RegistryUnreadableError("the copy was written on another kind of machine")
        numbers = BitMap64.deserialize(file.read(header.number_byte_count))
        emails = _read_array(file, "Q", header.email_count)
        row_keys = _read_array(file, "Q", header.row_count)
        row_groups = _read_array(file, "I", header.row_count)
    except (ValueError, IndexError, EOFError, msgspec.MsgspecError) as problem:
        raise RegistryUnreadableError(
            f"the copy of a register is damaged: {type(problem).__name__}"
        ) from None
    return Copy(header, numbers, emails, row_keys, row_groups)


def _one_each(
    rows: Sequence[Row], numbers: BitMap64, emails: "array[int]", email_hash: EmailHash
) -> list[tuple[int, _Group]]:
    """The rows with their keys, in order; two that contradict each other are refused."""
    said: dict[tuple[int, str | None, Channel | None, date | None], _Group] = {}
    for row in rows:
        by_number = row.address.startswith("+")
        key = int(row.address[1:]) if by_number else email_key(email_hash(row.address))
        sender = row.sender.casefold() if row.sender else None
        group = _Group(row.listed, sender, row.channel, row.on)
        earlier = said.setdefault((key, *group[1:]), group)
        plain = group == _Group(group.listed, None, None, None)
        is_listed = key in numbers if by_number else _holds(emails, key)
        if earlier != group or (plain and is_listed):
            raise RegistryFileError("two rows of the file contradict each other")
    return sorted(((place[0], group) for place, group in said.items()), key=lambda pair: pair[0])


def _read_array(file: IO[bytes], code: str, count: int) -> "array[int]":
    read: array[int] = array(code)
    read.frombytes(file.read(count * read.itemsize))
    if len(read) != count:
        raise EOFError
    return read


def _holds(ordered: "array[int]", key: int) -> bool:
    at = bisect_left(ordered, key)
    return at < len(ordered) and ordered[at] == key
