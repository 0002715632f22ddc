"""Issue, list and revoke API keys. A token is shown once and stored as its hash."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from api.callers import hash_of, new_token, visible_prefix
from api.errors import NotFoundError
from api.roles import Role
from api.tables import api_key, person
from api.work import Priority

_INSERT = insert(api_key)
_INSERT_PERSON = insert(person)
_PERSON = select(person.c.id).where(
    person.c.organisation == bindparam("organisation"), person.c.name == bindparam("name")
)
_COLUMNS = (
    api_key.c.id,
    person.c.name,
    api_key.c.roles,
    api_key.c.prefix,
    api_key.c.recorded_at,
    api_key.c.revoked_at,
)
_ONE = (
    select(*_COLUMNS)
    .join(person)
    .where(api_key.c.organisation == bindparam("organisation"), api_key.c.id == bindparam("id"))
)
_PAGE = (
    select(*_COLUMNS)
    .join(person)
    .where(api_key.c.organisation == bindparam("organisation"), api_key.c.id > bindparam("after"))
    .order_by(api_key.c.id)
    .limit(bindparam("count"))
)
_REVOKE = (
    update(api_key)
    .where(
        api_key.c.organisation == bindparam("its_organisation"),
        api_key.c.id == bindparam("its_id"),
        api_key.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A key for ``person`` of ``organisation``, who need not be known yet."""

    organisation: str
    person: str
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class RevokeRequest:
    """The key of that id is to be refused from now on."""

    organisation: str
    key: str


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key as its list shows it. ``token`` is there only in the answer that issued it."""

    id: str
    person: str
    roles: tuple[Role, ...]
    prefix: str
    recorded_at: datetime
    revoked_at: datetime | None
    token: str | None = None


class IssueKeys:
    """The work that issues keys."""

    name = "issue_key"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[KeyRequest], *, now: datetime
    ) -> list[IssuedKey]:
        """Issue each key."""
        return [issue_key(connection, request, now=now) for request in requests]


class RevokeKeys:
    """The work that revokes keys. Whoever awaits it lets ``Callers`` forget before answering."""

    name = "revoke_key"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[RevokeRequest], *, now: datetime
    ) -> list[IssuedKey | NotFoundError]:
        """Revoke each key; one that is revoked already stays so since then."""
        return [_revoke(connection, request, now) for request in requests]


def issue_key(connection: Connection, request: KeyRequest, *, now: datetime) -> IssuedKey:
    """Issue one key in the caller's transaction."""
    token = new_token()
    issued = IssuedKey(
        id=f"key_{secrets.token_hex(8)}",
        person=request.person,
        roles=_in_order(request.roles),
        prefix=visible_prefix(token),
        recorded_at=now,
        revoked_at=None,
        token=token,
    )
    connection.execute(
        _INSERT,
        {
            "id": issued.id,
            "organisation": request.organisation,
            "person": _person_of(connection, request, now),
            "prefix": issued.prefix,
            "token_hash": hash_of(token),
            "roles": " ".join(issued.roles),
            "recorded_at": now,
            "revoked_at": None,
        },
    )
    return issued


def list_keys(
    connection: Connection, organisation: str, *, after: str, limit: int
) -> list[IssuedKey]:
    """The organisation's keys in order of id past ``after``, the revoked ones too."""
    rows = connection.execute(_PAGE, {"organisation": organisation, "after": after, "count": limit})
    return [_key_of(row) for row in rows]


def _revoke(
    connection: Connection, request: RevokeRequest, now: datetime
) -> IssuedKey | NotFoundError:
    connection.execute(
        _REVOKE,
        {"its_organisation": request.organisation, "its_id": request.key, "now": now},
    )
    row = connection.execute(
        _ONE, {"organisation": request.organisation, "id": request.key}
    ).first()
    return NotFoundError("there is no such key") if row is None else _key_of(row)


def _person_of(connection: Connection, request: KeyRequest, now: datetime) -> str:
    known = connection.execute(
        _PERSON, {"organisation": request.organisation, "name": request.person}
    ).scalar()
    if known is not None:
        return str(known)
    new = f"prs_{secrets.token_hex(8)}"
    connection.execute(
        _INSERT_PERSON,
        {
            "id": new,
            "organisation": request.organisation,
            "name": request.person,
            "recorded_at": now,
        },
    )
    return new


def _key_of(row: Row[*tuple[Any, ...]]) -> IssuedKey:
    words = (Role(word) for word in row.roles.split())
    return IssuedKey(
        row.id, row.name, _in_order(words), row.prefix, row.recorded_at, row.revoked_at
    )


def _in_order(roles: Iterable[Role]) -> tuple[Role, ...]:
    held = frozenset(roles)
    return tuple(role for role in Role if role in held)
