"""What an export is to hold: a person's trail, a sender's entries, or those of a period."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit.errors import ExportError
from audit.exports.parts import LogRange, Trail, entries_of
from audit.exports.telling import Wanted
from audit.jobs import Asked, ScopeKind
from audit.trail import LOGS, Person, TrailEntry, find_person
from consent import senders
from consent.events import ConsentEvent
from consent.keys.key_ring import KeyRing
from consent.ledger import log as ledger_log
from consent.ledger import subject_index
from consent.ledger.entries import read_entries
from consent.ledger.leaf import Log
from consent.ledger.subject_index import SubjectIndex
from jurisdictions.addresses import Address
from rules.history import same_brand


@dataclass(frozen=True, slots=True)
class Planned:
    """What was found to be asked for, at one state of the database.

    ``indexes`` are to be stated in their logs before the parts can be proved. ``person`` is None
    where nobody's in particular is asked for.
    """

    asked: Asked
    indexes: tuple[SubjectIndex, ...]
    person: Person | None = None
    sender_name: str | None = None
    bounds: tuple[tuple[int, int], ...] = ()

    @property
    def subjects(self) -> tuple[bytes, ...]:
        """Whose trail it is."""
        return () if self.person is None else self.person.subjects

    def parts(self, stated_at: Sequence[int]) -> list[Trail | LogRange]:
        """The parts of the bundle; ``stated_at``: where the indexes came to stand."""
        if self.person is None:
            # What has no end reaches to the index that was stated for it.
            is_open = self.asked.until is None
            return [
                LogRange(log, start, max(end, at + 1) if is_open else end, discloses=True)
                for log, (start, end), at in zip(LOGS, self.bounds, stated_at, strict=True)
            ]
        return [
            Trail(index.log, self.subjects, index, at, self.person.others.get(index.log, ()))
            for index, at in zip(self.indexes, stated_at, strict=True)
        ]

    def is_wanted(self) -> Wanted:
        """Which entries of the parts hold what was asked for."""
        asked = self.asked
        if asked.scope is ScopeKind.PERSON:
            return lambda _: True
        if asked.scope is ScopeKind.PERIOD:
            return lambda entry: _is_in(asked, entry)
        sender, name = asked.sender or "", self.sender_name or ""
        return lambda entry: _is_in(asked, entry) and _concerns(entry, sender, name)

    def stated(self) -> dict[str, object]:
        """What the manifest says that was asked for."""
        asked = self.asked
        return {
            "from": None if asked.since is None else asked.since.isoformat(),
            "scope": asked.scope.value,
            "sender": asked.sender,
            "to": None if asked.until is None else asked.until.isoformat(),
        }


def plan(
    connection: Connection,
    organisation: str,
    asked: Asked,
    address: Address | None,
    *,
    keys: KeyRing,
) -> Planned:
    """Find out what is asked for. ``connection`` has to see one state throughout."""
    person = None
    if asked.scope is ScopeKind.PERSON:
        if address is None:
            raise ExportError("whose trail was asked for is not known any more; ask again")
        person = find_person(connection, organisation, address, keys=keys)
    wanted = () if person is None else person.subjects
    indexes = tuple(
        subject_index.compute(connection, organisation, log, wanted=wanted) for log in LOGS
    )
    name = None
    if asked.sender is not None:
        names = senders.load_names(connection, organisation, [asked.sender])
        name = names.get(asked.sender, asked.sender)
    bounds = () if person is not None else _bounds(connection, organisation, asked, indexes)
    return Planned(asked, indexes, person, name, bounds)


def count_of(connection: Connection, organisation: str, parts: Sequence[Trail | LogRange]) -> int:
    """How many entries an export of these parts reads."""
    count = 0
    for part in parts:
        if isinstance(part, LogRange):
            count += part.end - part.start
        else:
            count += sum(1 for _ in entries_of(connection, organisation, part, 2**62))
    return count


def _bounds(
    connection: Connection, organisation: str, asked: Asked, indexes: Sequence[SubjectIndex]
) -> tuple[tuple[int, int], ...]:
    """Of each log, the entries that were recorded in the period, and who stands beside them:
    that one is earlier and the other later proves that none was left out."""
    found = []
    for index in indexes:
        size = ledger_log.head(connection, organisation, index.log).size
        times = _Times(connection, organisation, index.log, size)
        start = 0 if asked.since is None else bisect_left(times, asked.since)
        end = size if asked.until is None else bisect_left(times, asked.until)
        found.append((max(start - 1, 0), min(max(start, end) + 1, size)))
    return tuple(found)


class _Times(Sequence[datetime]):
    """When each entry of a log was recorded, to be searched in."""

    def __init__(self, connection: Connection, organisation: str, log: Log, size: int) -> None:
        self._place = (connection, organisation, log)
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> datetime:  # type: ignore[override]
        (entry,) = read_entries(*self._place, index, index + 1)
        return entry.recorded_at


def _is_in(asked: Asked, entry: TrailEntry) -> bool:
    at = entry.leaf.recorded_at
    return (asked.since is None or at >= asked.since) and (asked.until is None or at < asked.until)


def _concerns(entry: TrailEntry, sender: str, name: str) -> bool:
    """Whether an entry is about a sender; what names none is about all of them."""
    if entry.decision is not None:
        return entry.decision.circumstances.sender == sender
    if entry.told is None:
        return True
    return _is_about(entry.told[0], sender, name)


def _is_about(event: ConsentEvent, sender: str, name: str) -> bool:
    if event.brand is not None:
        return same_brand(event.brand, name)
    return event.sender in {None, sender}
