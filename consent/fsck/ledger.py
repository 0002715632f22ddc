"""The whole ledger of one organisation, in parts, or the ends of its logs."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import retention
from consent.fsck import people
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.entries import LogInspection
from consent.fsck.people import EVERYBODY, People
from consent.fsck.store import inspect_store
from consent.fsck.suppressions import Suppressions
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.checkpoints import GrownLog, read_heads
from consent.ledger.leaf import Log
from consent.ledger.tables import subject

PEOPLE_OF_A_PART = 10_000


@dataclass(frozen=True, slots=True)
class OfStore:
    """Part of a look: the database itself, whosever it is."""


@dataclass(frozen=True, slots=True)
class OfLog:
    """Part of a look: one log from its leaves up."""

    organisation: str
    log: Log


@dataclass(frozen=True, slots=True)
class OfPeople:
    """Part of a look: some of an organisation's people, and all that is told of them."""

    organisation: str
    people: People = EVERYBODY


@dataclass(frozen=True, slots=True)
class OfRest:
    """Part of a look: what follows from no entry, and names nobody who is there."""

    organisation: str


Part = OfStore | OfLog | OfPeople | OfRest
"""Parts ask nothing of each other: each may be looked at in a process of its own."""


def parts_of(connection: Connection, organisation: str) -> list[Part]:
    """What ``inspect_part`` looks at one by one, for the whole ledger of an organisation."""
    logs = [OfLog(head.organisation, head.log) for head in read_heads(connection, [organisation])]
    known = connection.execute(_PEOPLE_OF, {"organisation": organisation}).scalar_one()
    shares = people.shared_out(-(-known // PEOPLE_OF_A_PART))
    return [*logs, *(OfPeople(organisation, some) for some in shares), OfRest(organisation)]


def inspect_part(
    connection: Connection, part: Part, *, keys: KeyRing, progress: Progress
) -> Iterator[Damage]:
    """Everything of a part that is not as it was written, in a transaction that sees one state.

    ``progress`` is told of each entry once, and of each person once.
    """
    if isinstance(part, OfStore):
        yield from inspect_store(connection)
        return
    organisation = part.organisation
    suppressions = Suppressions(connection, organisation, keys)
    if isinstance(part, OfLog):
        is_consent = part.log is Log.CONSENT
        for head in read_heads(connection, [organisation]):
            if head.log is part.log:
                inspection = LogInspection(
                    connection,
                    head,
                    keys=keys,
                    by_person=is_consent,
                    suppressions=suppressions if is_consent else None,
                )
                yield from inspection.damages(progress)
        yield from suppressions.flush(at_least=1)
    elif isinstance(part, OfPeople):
        walking = people.walk(
            connection,
            organisation,
            keys=keys,
            suppressions=suppressions,
            progress=progress,
            among=part.people,
        )
        for person in walking:
            yield from person.damages
            yield from suppressions.flush()
        yield from suppressions.flush(at_least=1)
    else:
        yield from suppressions.unexplained()
        yield from people.strays(connection, organisation)
        yield from _undead_keys(connection, organisation, keys)


def inspect_organisation(
    connection: Connection, organisation: str, *, keys: KeyRing, progress: Progress
) -> Iterator[Damage]:
    """All parts, one after the other."""
    for part in parts_of(connection, organisation):
        yield from inspect_part(connection, part, keys=keys, progress=progress)


def _undead_keys(connection: Connection, organisation: str, keys: KeyRing) -> Iterator[Damage]:
    """Keys of months that have ended on record, back from a backup or not destroyed yet."""
    months = keys.versions_of(organisation, KeyKind.DECISION)
    for month, ended in retention.expired_months(connection, organisation, months).items():
        detail = (
            f"the entry says that the decision key {month} is destroyed, and it is in the key"
            " store: the service destroys it at its next look"
        )
        yield Damage(organisation, Log.DECISIONS, ended.index, Kind.KEY, detail)


def inspect_tail(
    connection: Connection, head: GrownLog, *, keys: KeyRing, entries: int
) -> Iterator[Damage]:
    """The last ``entries`` of one log, and the tree as it grew by them."""
    yield from LogInspection(connection, head, keys=keys, tail=entries).damages(_nobody)


def _nobody(_: int) -> None:
    """Nobody is told."""


_PEOPLE_OF = (
    sa.select(sa.func.count())
    .select_from(subject)
    .where(subject.c.organisation == bindparam("organisation"))
)
