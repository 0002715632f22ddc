"""Who has read or exported whose record: the ``access`` log in words."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, select

from api.tables import api_key, person
from audit.trail import find_person
from consent.keys.key_ring import KeyRing
from consent.ledger import log as ledger_log
from consent.ledger.entries import Entry, read_entries, read_subject
from consent.ledger.leaf import Log, decode_leaf
from jurisdictions.addresses import Address

_NAMES = (
    select(api_key.c.id, person.c.name)
    .select_from(api_key.join(person, person.c.id == api_key.c.person))
    .where(
        api_key.c.organisation == bindparam("organisation"),
        api_key.c.id.in_(bindparam("keys", expanding=True)),
    )
)


class AccessTold(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody read a record: ``key`` is theirs, ``person`` who holds it (null: the operator).

    ``kind``: lookup, trail, export (asked for), download, review or replay. ``subject`` is whose
    record it was; null, where nobody's in particular. ``statement`` names the export or check.
    """

    index: int
    at: datetime
    kind: str
    key: str | None
    person: str | None
    subject: str | None
    statement: dict[str, str | int] | None


def read_access(
    connection: Connection, organisation: str, *, before: int | None, limit: int
) -> list[AccessTold]:
    """The accesses below an index of the log, the newest first."""
    size = ledger_log.head(connection, organisation, Log.ACCESS).size
    end = size if before is None else min(before, size)
    entries = read_entries(connection, organisation, Log.ACCESS, max(0, end - limit), end)
    return _told(connection, organisation, reversed(entries))


def read_access_of(
    connection: Connection,
    organisation: str,
    address: Address,
    *,
    keys: KeyRing,
    before: int | None,
    limit: int,
) -> list[AccessTold]:
    """The same of one person's record, whoever is or was on record under the address."""
    subjects = find_person(connection, organisation, address, keys=keys).subjects
    found = [
        entry
        for subject in subjects
        for entry in read_subject(connection, organisation, Log.ACCESS, subject)
        if before is None or entry.index < before
    ]
    newest = sorted(found, key=lambda entry: entry.index, reverse=True)[:limit]
    return _told(connection, organisation, newest)


def _told(connection: Connection, organisation: str, entries: Iterable[Entry]) -> list[AccessTold]:
    read = [(entry, decode_leaf(entry.leaf)) for entry in entries]
    names = _names_of(connection, organisation, [leaf.actor for _, leaf in read if leaf.actor])
    return [
        AccessTold(
            index=entry.index,
            at=leaf.occurred_at,
            kind=leaf.type,
            key=leaf.actor,
            person=names.get(leaf.actor or ""),
            subject=leaf.subject,
            statement=leaf.statement,
        )
        for entry, leaf in read
    ]


def _names_of(connection: Connection, organisation: str, keys: Sequence[str]) -> dict[str, str]:
    if not keys:
        return {}
    wanted = {"organisation": organisation, "keys": sorted(set(keys))}
    return {row.id: row.name for row in connection.execute(_NAMES, wanted)}
