"""Found an organisation: its row, its keys and its empty logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from api.operations.adopt_release import adopt_release
from api.tables import organisation
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import new_organisation_id
from consent.ledger.log import create_logs
from consent.ledger.rollback import origin_of
from jurisdictions.releases import Release

_INSERT = insert(organisation)
_PAGE = (
    select(organisation)
    .where(organisation.c.id > bindparam("after"))
    .order_by(organisation.c.id)
    .limit(bindparam("count"))
)
_ONE = select(organisation).where(organisation.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Organisation:
    """A tenant: it owns senders, keys and records, and sees nobody else's."""

    id: str
    name: str
    recorded_at: datetime


class FoundOrganisation:
    """The work; its requests are the names of the organisations."""

    name = "found_organisation"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing, *, release: Release) -> None:
        self._keys = keys
        self._release = release

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[Organisation]:
        """Found each. Its keys are on disk before its row: without the row they mean nothing."""
        founded = [
            found_organisation(connection, name, keys=self._keys, now=now) for name in requests
        ]
        for one in founded:
            adopt_release(connection, one.id, self._release, now=now)
        return founded


def found_organisation(
    connection: Connection, name: str, *, keys: KeyRing, now: datetime
) -> Organisation:
    """Found one organisation in the caller's transaction."""
    founded = Organisation(new_organisation_id(), name, now)
    keys.add_organisation(founded.id, at=now)
    connection.execute(_INSERT, {"id": founded.id, "name": name, "recorded_at": now})
    create_logs(connection, founded.id, origin=origin_of(keys.ledger_id, founded.id))
    return founded


def list_organisations(
    connection: Connection, *, only: str | None, after: str, limit: int
) -> list[Organisation]:
    """Organisations in order of id past ``after``; one organisation sees only itself."""
    if only is not None:
        rows = connection.execute(_ONE, {"id": only})
        return [Organisation(*row) for row in rows if row.id > after]
    rows = connection.execute(_PAGE, {"after": after, "count": limit})
    return [Organisation(*row) for row in rows]
