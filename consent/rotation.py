"""What lies under keys that are to go: wrapped and sealed anew, in batches, in the writer's turns.

A pass walks over the persons in the order of their ids. Nothing is destroyed here: that must wait
until the last batch has been committed (``api/operations/rotate_keys.py``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import standing, subjects
from consent.errors import StandingUnreadableError, UnknownSubjectError
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.tables import subject, subject_alias, subject_key
from consent.own_addresses import addresses_of
from consent.tables import standing as standing_table
from jurisdictions.addresses import Address

START = b""


@dataclass(frozen=True, slots=True)
class Passed:
    """How far a pass has come. ``after``: the last person of it; None, there is nobody left.

    ``unreadable``: of them something did not open, so it was left as it was.
    """

    after: bytes | None
    count: int
    unreadable: int = 0


def count_people(connection: Connection, organisation: str) -> int:
    """How many persons a pass will meet."""
    found = sa.select(sa.func.count()).where(
        subject.c.organisation == organisation, subject.c.erased_at.is_(None)
    )
    return int(connection.execute(found.select_from(subject)).scalar_one())


def rewrap(
    connection: Connection,
    organisation: str,
    *,
    after: bytes,
    limit: int,
    keys: KeyRing,
    now: datetime,
) -> Passed:
    """Wrap the keys of the next persons under the newest organisation key, and seal their standings
    under this month's."""
    people = _next_people(connection, organisation, after, limit)
    if not people:
        return Passed(None, 0)
    ids = [one.id for one in people]
    unreadable = _rewrap_keys(connection, organisation, ids, keys)
    unreadable += _reseal(connection, organisation, people, keys, now)
    return Passed(ids[-1] if len(ids) == limit else None, len(ids), unreadable)


def reindex(
    connection: Connection,
    organisation: str,
    *,
    after: bytes,
    limit: int,
    keys: KeyRing,
) -> Passed:
    """Let the next persons be found under the newest version of the index too.

    Their addresses are told by their own entries. Under the older versions they go on being
    found, for a decision may name a stranger by one: until those are destroyed.
    """
    people = _next_people(connection, organisation, after, limit)
    unreadable = 0
    for one in people:
        addresses, _, broken = addresses_of(connection, organisation, one.id, keys)
        unreadable += bool(broken)
        _add_aliases(connection, organisation, one.id, addresses.values(), keys)
    return Passed(people[-1].id if len(people) == limit else None, len(people), unreadable)


def renew_subject_key(
    connection: Connection, organisation: str, address: Address, *, keys: KeyRing
) -> int:
    """Make a person's next data key, for what comes from now on; give its version.

    What lies under the old one still opens with it: payloads are never rewritten.
    """
    (person,) = subjects.find_many(connection, organisation, [address], keys=keys)
    if person is None:
        raise UnknownSubjectError("the organisation has no such person on record")
    of_person = (
        subject_key.c.organisation == organisation,
        subject_key.c.subject == person.id,
    )
    newest: int = connection.execute(
        sa.select(sa.func.max(subject_key.c.version)).where(*of_person)
    ).scalar_one()
    made = keys.new_subject_key(organisation, person.id, newest + 1)
    row = {
        "organisation": organisation,
        "subject": person.id,
        "version": newest + 1,
        "wrapping_key_version": made.wrapping_key_version,
        "wrapped": made.wrapped,
    }
    connection.execute(sa.insert(subject_key), row)
    return newest + 1


def organisation_keys_in_use(connection: Connection, organisation: str) -> set[int]:
    """The organisation keys under which any person's key lies."""
    found = sa.select(subject_key.c.wrapping_key_version).distinct()
    return set(
        connection.execute(found.where(subject_key.c.organisation == organisation)).scalars()
    )


def standing_keys_in_use(connection: Connection, organisation: str) -> set[int]:
    """The months under whose keys any standing lies."""
    month = sa.func.substr(standing_table.c.sealed_history, 2, 4)
    found = sa.select(month).distinct().where(standing_table.c.organisation == organisation)
    return {int.from_bytes(raw, "big") for raw in connection.execute(found).scalars()}


def index_versions_in_use(connection: Connection, organisation: str, newest: int) -> set[int]:
    """The versions under which a person is found who is not found under ``newest``."""
    under_newest = sa.select(subject_alias.c.subject).where(
        subject_alias.c.organisation == organisation, subject_alias.c.index_version == newest
    )
    found = (
        sa.select(subject_alias.c.index_version)
        .distinct()
        .where(
            subject_alias.c.organisation == organisation,
            subject_alias.c.subject.not_in(under_newest),
        )
    )
    return set(connection.execute(found).scalars())


_NEXT = (
    sa.select(subject.c.id, subject.c.head_seq)
    .where(
        subject.c.organisation == bindparam("organisation"),
        subject.c.id > bindparam("after"),
        subject.c.erased_at.is_(None),
    )
    .order_by(subject.c.id)
    .limit(bindparam("limit"))
)
_REWRAPPED = (
    sa.update(subject_key)
    .where(
        subject_key.c.organisation == bindparam("its_organisation"),
        subject_key.c.subject == bindparam("its_subject"),
        subject_key.c.version == bindparam("its_version"),
    )
    .values(wrapped=bindparam("to_wrapped"), wrapping_key_version=bindparam("to_version"))
)


def _next_people(
    connection: Connection, organisation: str, after: bytes, limit: int
) -> list[subjects.Subject]:
    wanted = {"organisation": organisation, "after": after, "limit": limit}
    return [subjects.Subject(*row) for row in connection.execute(_NEXT, wanted)]


def _rewrap_keys(
    connection: Connection, organisation: str, ids: Sequence[bytes], keys: KeyRing
) -> int:
    newest = keys.versions_of(organisation, KeyKind.ORGANISATION)[-1]
    rows = connection.execute(
        sa.select(subject_key.c.subject, subject_key.c.version, subject_key.c.wrapped).where(
            subject_key.c.organisation == organisation,
            subject_key.c.subject.in_(ids),
            subject_key.c.wrapping_key_version != newest,
        )
    ).all()
    unreadable = 0
    written: list[dict[str, Any]] = []
    for person, version, wrapped in rows:
        try:
            again = keys.rewrap_subject_key(organisation, person, version, wrapped)
        except (BrokenSealError, UnknownKeyError):
            unreadable += 1
            continue
        written.append(
            {
                "its_organisation": organisation,
                "its_subject": person,
                "its_version": version,
                "to_wrapped": again,
                "to_version": newest,
            }
        )
    if written:
        connection.execute(_REWRAPPED, written)
    return unreadable


def _reseal(
    connection: Connection,
    organisation: str,
    people: Sequence[subjects.Subject],
    keys: KeyRing,
    now: datetime,
) -> int:
    rows = standing.load_rows(connection, organisation, [one.id for one in people])
    key = keys.sealing_key(organisation, KeyKind.STANDING, at=now)
    unreadable = 0
    written: list[standing.Row] = []
    for one in people:
        row = rows.get(one.id)
        if row is None:
            continue
        opened = standing.open_row(keys, organisation, one.id, one.head_seq, row)
        if isinstance(opened, StandingUnreadableError):
            unreadable += 1
            continue
        written.append(standing.seal_row(key, organisation, one.id, one.head_seq, opened))
    standing.write_rows(connection, written)
    return unreadable


def _add_aliases(
    connection: Connection,
    organisation: str,
    person: bytes,
    addresses: Iterable[Address],
    keys: KeyRing,
) -> None:
    """Write each known alias under the newest version, with the time that it holds for.

    Those of versions that were destroyed go: nobody can be found by them any more.
    """
    newest, *older = keys.index_versions(organisation)
    of_person = (subject_alias.c.organisation == organisation, subject_alias.c.subject == person)
    connection.execute(
        sa.delete(subject_alias).where(
            *of_person, subject_alias.c.index_version.not_in([newest, *older])
        )
    )
    rows = connection.execute(sa.select(subject_alias).where(*of_person)).mappings().all()
    spelled = {
        keys.blind_index(organisation, spelling, version=version): spelling
        for address in addresses
        for spelling in address.spellings
        for version in (newest, *older)
    }
    there = {(row["blind_index"], row["valid_from"]) for row in rows}
    added: list[dict[str, object]] = []
    for row in rows:
        spelling = spelled.get(row["blind_index"])
        if spelling is None:
            continue
        index = keys.blind_index(organisation, spelling, version=newest)
        if (index, row["valid_from"]) not in there:
            there.add((index, row["valid_from"]))
            added.append({**row, "index_version": newest, "blind_index": index})
    if added:
        connection.execute(sa.insert(subject_alias), added)
