"""Standings, suppression and reviews written anew from the log.

Nothing is made looser: a person of whom an entry cannot be read keeps the standing that is there,
and no row of the suppression is deleted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import reviews, standing, tables
from consent.fsck import people
from consent.fsck.damage import Progress
from consent.fsck.entries import LogInspection
from consent.fsck.people import Person
from consent.fsck.suppressions import Suppressions
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, SealingKey
from consent.ledger.checkpoints import read_heads
from consent.ledger.leaf import Log

ROWS_AT_ONCE = 256


class Rebuilt(msgspec.Struct, frozen=True):
    """How many rows were written, and of how many persons the entries cannot all be read."""

    organisation: str
    subjects: int
    standings: int
    suppressions: int
    reviews: int
    unreadable: int


def rebuild(
    connection: Connection, organisation: str, *, keys: KeyRing, now: datetime, progress: Progress
) -> Rebuilt:
    """Write every standing, suppression and review that is not what the log adds up to.

    In the writer's transaction, under the lock of the log's head.
    """
    suppressions = Suppressions(connection, organisation, keys)
    (head,) = [one for one in read_heads(connection, [organisation]) if one.log is Log.CONSENT]
    inspection = LogInspection(
        connection, head, keys=keys, by_person=True, suppressions=suppressions
    )
    for _ in inspection.damages(progress):
        pass  # Not ours to mend: ``fsck`` names it.
    subjects = unreadable = standings = reviewed = 0
    written = _mend(connection, suppressions, at_least=1)
    waiting: list[standing.Row] = []
    walking = people.walk(
        connection, organisation, keys=keys, suppressions=suppressions, progress=progress
    )
    for person in walking:
        subjects += 1
        if person.standing is None and not person.erased:
            unreadable += 1
        elif not person.stands:
            standings += 1
            key = keys.sealing_key(organisation, KeyKind.STANDING, at=now)
            waiting += _row_of(connection, organisation, person, key)
        if person.reviews:
            reviews.write_anew(connection, organisation, person.reviews)
            reviewed += len(person.reviews)
        if len(waiting) >= ROWS_AT_ONCE:
            standing.write_rows(connection, waiting)
            waiting = []
        written += _mend(connection, suppressions, at_least=ROWS_AT_ONCE)
    standing.write_rows(connection, waiting)
    written += _mend(connection, suppressions, at_least=1)
    return Rebuilt(organisation, subjects, standings, written, reviewed, unreadable)


def _row_of(
    connection: Connection, organisation: str, person: Person, key: SealingKey
) -> list[standing.Row]:
    if person.standing is None or not person.head_seq:
        wanted = {"organisation": organisation, "subject": person.id}
        connection.execute(_DELETE_STANDING, wanted)
        return []
    return [standing.seal_row(key, organisation, person.id, person.head_seq, person.standing)]


def _mend(connection: Connection, suppressions: Suppressions, *, at_least: int) -> int:
    written = sum(1 for _ in suppressions.flush(at_least=at_least))
    if written:
        _write(connection, suppressions.missing)
        suppressions.missing = []
    return written


def _write(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    unique = {(row["token"], row["kind"], row["idx"]): dict(row) for row in rows}
    connection.execute(
        _DELETE_SUPPRESSION,
        [
            {"of_organisation": row["organisation"], "of_token": token, "of_kind": kind, "at": at}
            for (token, kind, at), row in unique.items()
        ],
    )
    connection.execute(sa.insert(tables.suppression), list(unique.values()))


_DELETE_STANDING = sa.delete(tables.standing).where(
    tables.standing.c.organisation == bindparam("organisation"),
    tables.standing.c.subject == bindparam("subject"),
)
_S = tables.suppression.c
_DELETE_SUPPRESSION = sa.delete(tables.suppression).where(
    _S.organisation == bindparam("of_organisation"),
    _S.token == bindparam("of_token"),
    _S.kind == bindparam("of_kind"),
    _S.idx == bindparam("at"),
)
