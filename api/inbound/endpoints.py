"""The addresses that providers call: made, listed, given other credentials, disabled.

Credentials lie sealed, are shown to nobody, and go when their endpoint is disabled.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from api.errors import ConflictError, NotFoundError
from api.inbound.message import ProviderName
from api.tables import inbound_endpoint
from api.work import Priority
from consent import senders
from consent.errors import UnknownSenderError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from rules.errors import ComplianceError
from rules.vocabulary import Level, Purpose

REPLACED_FOR = timedelta(hours=24)
"""How long the credentials before the newest still verify: providers change theirs in steps."""

_SEALED_AS = b"inbound_endpoint"
_INSERT = insert(inbound_endpoint)
_ONE = select(inbound_endpoint).where(inbound_endpoint.c.id == bindparam("id"))
_PAGE = (
    select(inbound_endpoint)
    .where(
        inbound_endpoint.c.organisation == bindparam("organisation"),
        inbound_endpoint.c.id > bindparam("after"),
    )
    .order_by(inbound_endpoint.c.id)
    .limit(bindparam("count"))
)
_CHANGE = update(inbound_endpoint).where(inbound_endpoint.c.id == bindparam("its_id"))


class StopReach(StrEnum):
    """Whom a stop means that names nobody: every sender of the organisation, or the endpoint's."""

    ORGANISATION = "organisation"
    SENDER = "sender"


class StartGrant(msgspec.Struct, frozen=True):
    """What a START to this endpoint grants: the organisation has told people so."""

    purpose: Purpose
    level: Level
    disclosure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that a provider calls, for one sender."""

    id: str
    organisation: str
    provider: ProviderName
    sender: str
    start: StartGrant | None
    stop_reach: StopReach
    recorded_at: datetime
    disabled_at: datetime | None = None


class _Kept(msgspec.Struct, frozen=True):
    """Credentials as they are sealed, with the ones before them."""

    newest: dict[str, Any]
    before: dict[str, Any] | None = None
    before_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be made; ``credentials`` have the shape of its provider's."""

    organisation: str
    provider: ProviderName
    sender: str
    credentials: dict[str, Any]
    start: StartGrant | None
    stop_reach: StopReach


@dataclass(frozen=True, slots=True)
class NewCredentials:
    """Credentials in place of those that an endpoint has."""

    organisation: str
    endpoint: str
    credentials: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DisableEndpoint:
    """The endpoint of that id is to take nothing any more."""

    organisation: str
    endpoint: str


class MakeEndpoints:
    """The work that makes endpoints."""

    name = "make_inbound_endpoint"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[NewEndpoint], *, now: datetime
    ) -> list[Endpoint | ComplianceError]:
        """Make each; ``UnknownSenderError`` where the organisation has no such sender."""
        return [self._make(connection, request, now) for request in requests]

    def _make(
        self, connection: Connection, request: NewEndpoint, now: datetime
    ) -> Endpoint | ComplianceError:
        if not senders.load_names(connection, request.organisation, [request.sender]):
            return UnknownSenderError("the organisation has no sender of that id")
        made = Endpoint(
            id=f"inb_{secrets.token_hex(16)}",
            organisation=request.organisation,
            provider=request.provider,
            sender=request.sender,
            start=request.start,
            stop_reach=request.stop_reach,
            recorded_at=now,
        )
        start = None if made.start is None else msgspec.json.encode(made.start).decode()
        connection.execute(
            _INSERT,
            {
                "id": made.id,
                "organisation": made.organisation,
                "provider": made.provider.value,
                "sender": made.sender,
                "start_grant": start,
                "stop_reach": made.stop_reach.value,
                "sealed_credentials": _seal(self._keys, made, _Kept(request.credentials), now),
                "recorded_at": now,
                "disabled_at": None,
            },
        )
        return made


class ReplaceCredentials:
    """The work that gives an endpoint other credentials; the last ones verify for a day more."""

    name = "replace_inbound_credentials"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[NewCredentials], *, now: datetime
    ) -> list[Endpoint | ComplianceError]:
        """Replace those of each."""
        return [self._replace(connection, request, now) for request in requests]

    def _replace(
        self, connection: Connection, request: NewCredentials, now: datetime
    ) -> Endpoint | ComplianceError:
        row = _row_of(connection, request.endpoint, request.organisation)
        if row is None:
            return NotFoundError("there is no such endpoint")
        if row.sealed_credentials is None:
            return ConflictError("the endpoint is disabled; make another one")
        endpoint = _endpoint_of(row)
        before = _open(self._keys, endpoint, row.sealed_credentials).newest
        kept = _Kept(request.credentials, before, now + REPLACED_FOR)
        sealed = _seal(self._keys, endpoint, kept, now)
        connection.execute(
            _CHANGE.values(sealed_credentials=bindparam("sealed")),
            {"its_id": endpoint.id, "sealed": sealed},
        )
        return endpoint


class DisableEndpoints:
    """The work that disables endpoints; their credentials are gone then."""

    name = "disable_inbound_endpoint"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[DisableEndpoint], *, now: datetime
    ) -> list[Endpoint | ComplianceError]:
        """Disable each; one that is disabled already stays so since then."""
        answers: list[Endpoint | ComplianceError] = []
        for request in requests:
            row = _row_of(connection, request.endpoint, request.organisation)
            if row is None:
                answers.append(NotFoundError("there is no such endpoint"))
                continue
            if row.disabled_at is None:
                connection.execute(
                    _CHANGE.values(sealed_credentials=None, disabled_at=bindparam("at")),
                    {"its_id": row.id, "at": now},
                )
                row = _row_of(connection, request.endpoint, request.organisation)
                assert row is not None, "it was there a moment ago"
            answers.append(_endpoint_of(row))
        return answers


def list_endpoints(
    connection: Connection, organisation: str, *, after: str, limit: int
) -> list[Endpoint]:
    """The organisation's endpoints in order of id past ``after``, the disabled ones too."""
    rows = connection.execute(_PAGE, {"organisation": organisation, "after": after, "count": limit})
    return [_endpoint_of(row) for row in rows]


def provider_of(connection: Connection, organisation: str, endpoint: str) -> ProviderName:
    """Whose endpoint it is. ``NotFoundError``: the organisation has none of that id."""
    row = _row_of(connection, endpoint, organisation)
    if row is None:
        raise NotFoundError("there is no such endpoint")
    return ProviderName(row.provider)


def find_open(
    connection: Connection, provider: str, endpoint: str, *, keys: KeyRing, now: datetime
) -> tuple[Endpoint, list[dict[str, Any]]]:
    """The endpoint that a provider calls, and the credentials that may verify it, newest first.

    ``NotFoundError``: there is none, it is another provider's, or it is disabled.
    """
    row = connection.execute(_ONE, {"id": endpoint}).first()
    if row is None or row.provider != provider or row.sealed_credentials is None:
        raise NotFoundError("there is no such endpoint")
    found = _endpoint_of(row)
    kept = _open(keys, found, row.sealed_credentials)
    still = kept.before is not None and kept.before_until is not None and kept.before_until > now
    return found, [kept.newest, *([kept.before] if kept.before is not None and still else [])]


def _row_of(
    connection: Connection, endpoint: str, organisation: str
) -> Row[*tuple[Any, ...]] | None:
    row = connection.execute(_ONE, {"id": endpoint}).first()
    return row if row is not None and row.organisation == organisation else None


def _endpoint_of(row: Row[*tuple[Any, ...]]) -> Endpoint:
    start = row.start_grant
    return Endpoint(
        id=row.id,
        organisation=row.organisation,
        provider=ProviderName(row.provider),
        sender=row.sender,
        start=None if start is None else msgspec.json.decode(start, type=StartGrant),
        stop_reach=StopReach(row.stop_reach),
        recorded_at=row.recorded_at,
        disabled_at=row.disabled_at,
    )


def _seal(keys: KeyRing, endpoint: Endpoint, kept: _Kept, now: datetime) -> bytes:
    written = msgspec.json.encode(kept)
    place = (_SEALED_AS, endpoint.id.encode())
    return keys.seal(endpoint.organisation, KeyKind.RECORD, written, *place, at=now)


def _open(keys: KeyRing, endpoint: Endpoint, sealed: bytes) -> _Kept:
    place = (_SEALED_AS, endpoint.id.encode())
    opened = keys.open_sealed(endpoint.organisation, KeyKind.RECORD, sealed, *place)
    return msgspec.json.decode(opened, type=_Kept)
