"""Read every entry of a bundle once, open it, and write what each of the bundle's files says of it.

Bounded handfuls, each in a short reading of its own, so that nothing waits for an export; memory
does not grow with the entries but for a person's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from audit.exports.parts import LogRange, Part, Trail, entries_of
from audit.exports.rows import (
    csv_header,
    csv_line,
    disclosed_line,
    entry_line,
    is_told,
    json_line,
)
from audit.exports.spool import Spool
from audit.opened import EntryOpener, Withheld
from audit.trail import TrailEntry, in_order, opened_of
from consent.keys.key_ring import KeyRing
from consent.ledger.entries import Entry, read_entries

AT_ONCE = 250
JSON_NAME = "trail.jsonl"
CSV_NAME = "trail.csv"

T = TypeVar("T")
Wanted = Callable[[TrailEntry], bool]
"""Whether what an entry holds was asked for."""

Step = Callable[[int], None]
"""Told how many entries are done; it may take its time, or raise to end it all."""


class Reading(Protocol):
    """Runs a function of a connection, in a transaction that is over when it returns."""

    def __call__(self, read: Callable[[Connection], T], /) -> T: ...


def entries_name(part: Part) -> str:
    """Where in the bundle the entries of a part stand."""
    return f"logs/{part.log}/entries.txt"


def disclosed_name(part: Part) -> str:
    """Where in the bundle stands what was sealed for them."""
    return f"disclosed/{part.log}.jsonl"


def names_of(parts: Sequence[Part]) -> list[str]:
    """The files that ``tell`` writes for these parts."""
    of_logs = [name for part in parts for name in (entries_name(part), disclosed_name(part))]
    return [*of_logs, JSON_NAME, CSV_NAME]


def tell(
    read: Reading,
    organisation: str,
    parts: Sequence[Trail | LogRange],
    spool: Spool,
    *,
    keys: KeyRing,
    wanted: Wanted = lambda _: True,
    step: Step = lambda _: None,
) -> Iterator[TrailEntry]:
    """Write the files of these parts into ``spool``, and give each entry of the story once it is
    written, in order. What is not ``wanted`` is withheld, and no part of the story."""
    for name in names_of(parts):
        spool.make(name)
    spool.add(CSV_NAME, csv_header())
    opener = EntryOpener(organisation, keys)
    merged = in_order([_entries_of(read, organisation, part) for part in parts])
    part_of = {part.log: part for part in parts}
    done = 0
    while batch := list(islice(merged, AT_ONCE)):
        opened = read(lambda connection, some=batch: list(opened_of(opener, connection, some)))  # type: ignore[misc]
        for entry in opened:
            shown = entry if wanted(entry) else without_payload(entry)
            _write(spool, part_of[entry.log], shown)
            if is_told(shown):
                yield shown
        done += len(batch)
        step(done)


def without_payload(entry: TrailEntry) -> TrailEntry:
    """The same with its payload withheld, if it ever had one."""
    if entry.opened is None:
        return entry
    return replace(entry, opened=Withheld.NOT_ASKED)


def _write(spool: Spool, part: Part, entry: TrailEntry) -> None:
    spool.add(entries_name(part), entry_line(entry.index, entry.leaf_bytes))
    disclosed = disclosed_line(entry)
    if disclosed is not None:
        spool.add(disclosed_name(part), disclosed)
    if is_told(entry):
        spool.add(JSON_NAME, json_line(entry))
        spool.add(CSV_NAME, csv_line(entry))


def _entries_of(read: Reading, organisation: str, part: Trail | LogRange) -> Iterator[Entry]:
    if isinstance(part, Trail):
        yield from read(lambda connection: list(entries_of(connection, organisation, part, 2**62)))
        return
    for at in range(part.start, part.end, AT_ONCE):
        until = min(at + AT_ONCE, part.end)
        yield from read(
            lambda connection, start=at, end=until: read_entries(  # type: ignore[misc]
                connection, organisation, part.log, start, end
            )
        )
