"""What of a log goes into a bundle: all of it, a range, or what concerns certain persons."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from audit.errors import ExportError
from consent.ledger.entries import Entry, read_entries, read_subject
from consent.ledger.leaf import Log
from consent.ledger.subject_index import SubjectIndex

ROWS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class WholeLog:
    """Every entry until the newest checkpoint."""

    log: Log

    @property
    def discloses(self) -> bool:
        """Leaves only."""
        return False


@dataclass(frozen=True, slots=True)
class LogRange:
    """The entries of ``[start, end)``; ``discloses``: with what was sealed for them."""

    log: Log
    start: int
    end: int
    discloses: bool = False


@dataclass(frozen=True, slots=True)
class Trail:
    """Everything that names these persons, with what was sealed for it.

    ``index``, with ``stated_at``, the place of its leaf in the log, proves that nothing was cut
    from the trail's end. The trail then ends where it was computed. ``others``: entries that name
    nobody and belong to the story.
    """

    log: Log
    subjects: tuple[bytes, ...]
    index: SubjectIndex | None = None
    stated_at: int | None = None
    others: tuple[int, ...] = ()

    @property
    def discloses(self) -> bool:
        """What is asked for is what was said."""
        return True

    def __post_init__(self) -> None:
        assert (self.index is None) == (self.stated_at is None), "an index is stated to prove"


Part = WholeLog | LogRange | Trail


def bounds_of(part: Part, size: int) -> tuple[int, int]:
    """The range in which the part's entries lie. ``ExportError``: the log is not signed so far."""
    if isinstance(part, WholeLog):
        return 0, size
    end = part.end if isinstance(part, LogRange) else (part.stated_at or -1) + 1
    if end > size:
        raise ExportError(f"the log {part.log} is signed until {size} and not until {end} yet")
    return (part.start, part.end) if isinstance(part, LogRange) else (0, size)


def entries_of(connection: Connection, organisation: str, part: Part, size: int) -> Iterator[Entry]:
    """The part's entries in order, in flat memory but for the trail of a person."""
    start, end = bounds_of(part, size)
    if isinstance(part, Trail):
        yield from _trail_of(connection, organisation, part, size)
        return
    for at in range(start, end, ROWS_AT_ONCE):
        until = min(at + ROWS_AT_ONCE, end)
        yield from read_entries(connection, organisation, part.log, at, until)


def _trail_of(connection: Connection, organisation: str, part: Trail, size: int) -> Iterator[Entry]:
    until = size if part.index is None else part.index.size
    found = [
        entry
        for subject in part.subjects
        for entry in read_subject(connection, organisation, part.log, subject)
        if entry.index < until
    ]
    others = [index for index in part.others if index < until]
    if part.stated_at is not None:
        others.append(part.stated_at)
    for index in others:
        found += read_entries(connection, organisation, part.log, index, index + 1)
    yield from sorted(found, key=lambda entry: entry.index)
