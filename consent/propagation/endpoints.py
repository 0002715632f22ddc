"""Where events are sent: the organisation's webhooks, their secrets and what they ask for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, Row, bindparam

from consent.among import ByMany
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.propagation.signatures import Secret
from consent.propagation.tables import webhook_endpoint
from consent.propagation.words import (
    KEPT_WHILE_DISABLED,
    DisabledWhy,
    Proof,
    WebhookEvent,
)
from rules.vocabulary import Channel

ID_PREFIX: Final = "whk"
ROTATION_LASTS: Final = timedelta(hours=24)
"""How long the secret before signs beside the new one."""

_CONTEXT: Final = b"webhook endpoint"


class Gate(msgspec.Struct, frozen=True):
    """What an endpoint sends: messages of this sender by this channel hang on its being up to
    date."""

    sender: str
    channel: Channel


class _Sealed(msgspec.Struct, frozen=True):
    url: str
    secrets: tuple[Secret, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint, opened. ``secrets``: the one in use first."""

    organisation: str
    id: str
    url: str
    events: tuple[WebhookEvent, ...]
    gates: tuple[Gate, ...]
    proof: Proof
    secrets: tuple[Secret, ...]
    recorded_at: datetime
    disabled_at: datetime | None = None
    disabled_why: DisabledWhy | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """What of an endpoint every turn has to know."""

    id: str
    events: frozenset[str]
    gates: tuple[Gate, ...]
    proof: Proof
    is_disabled: bool

    def wants(self, event: WebhookEvent) -> bool:
        """Whether a row is to be made for it."""
        if event not in self.events:
            return False
        return not self.is_disabled or event in KEPT_WHILE_DISABLED


_C = webhook_endpoint.c
_OF_ORGANISATION = (_C.organisation == bindparam("organisation"), _C.deleted_at.is_(None))
_LISTENING = ByMany(
    lambda _: (
        sa.select(_C.id, _C.events, _C.gates, _C.proof, _C.disabled_at)
        .where(*_OF_ORGANISATION)
        .order_by(_C.id)
    )
)
_PAGE = (
    sa.select(webhook_endpoint)
    .where(*_OF_ORGANISATION, _C.id > bindparam("after"))
    .order_by(_C.id)
    .limit(bindparam("count"))
)
_ONE = sa.select(webhook_endpoint).where(*_OF_ORGANISATION, _C.id == bindparam("id"))
_BY_ID = sa.select(webhook_endpoint).where(_C.id == bindparam("id"), _C.deleted_at.is_(None))
_UPDATE = sa.update(webhook_endpoint).where(
    _C.organisation == bindparam("of_organisation"), _C.id == bindparam("of_id")
)
_GATES = msgspec.json.Decoder(tuple[Gate, ...])
_NO_GATES: tuple[Gate, ...] = ()


def make(
    connection: Connection,
    organisation: str,
    *,
    url: str,
    events: Sequence[WebhookEvent],
    gates: Sequence[Gate],
    proof: Proof,
    keys: KeyRing,
    now: datetime,
) -> Endpoint:
    """Store a new endpoint with a secret of its own."""
    endpoint = Endpoint(
        organisation=organisation,
        id=f"{ID_PREFIX}_{os.urandom(16).hex()}",
        url=url,
        events=tuple(event for event in WebhookEvent if event in set(events)),
        gates=tuple(dict.fromkeys(gates)),
        proof=proof,
        secrets=(Secret.new(),),
        recorded_at=now,
    )
    connection.execute(
        webhook_endpoint.insert(),
        {
            "organisation": organisation,
            "id": endpoint.id,
            "events": " ".join(endpoint.events),
            "gates": msgspec.json.encode(endpoint.gates).decode() if endpoint.gates else None,
            "proof": proof.value,
            "sealed": _seal(endpoint, keys, now),
            "recorded_at": now,
        },
    )
    return endpoint


def listening(connection: Connection, organisation: str) -> list[Listening]:
    """What every endpoint of the organisation asks for, in one statement that mostly finds none."""
    rows = _LISTENING.fetch(connection, {"organisation": organisation})
    return [
        Listening(
            id_,
            frozenset(events.split()),
            _GATES.decode(gates) if gates else _NO_GATES,
            Proof(proof),
            disabled_at is not None,
        )
        for id_, events, gates, proof, disabled_at in rows
    ]


def find(connection: Connection, organisation: str, id_: str, *, keys: KeyRing) -> Endpoint | None:
    """The endpoint of that id."""
    row = connection.execute(_ONE, {"organisation": organisation, "id": id_}).first()
    return None if row is None else _opened(row, keys)


def find_anybodys(connection: Connection, id_: str, *, keys: KeyRing) -> Endpoint | None:
    """The same for whoever delivers, and proves itself by the endpoint's own secret."""
    row = connection.execute(_BY_ID, {"id": id_}).first()
    return None if row is None else _opened(row, keys)


def load_page(
    connection: Connection, organisation: str, *, after: str, limit: int, keys: KeyRing
) -> list[Endpoint]:
    """Endpoints in order of id, from the first past ``after``."""
    rows = connection.execute(_PAGE, {"organisation": organisation, "after": after, "count": limit})
    return [_opened(row, keys) for row in rows]


def rotate(
    connection: Connection, organisation: str, id_: str, *, keys: KeyRing, now: datetime
) -> Endpoint | None:
    """Give the endpoint a new secret; the one before signs beside it for a day, none for longer."""
    endpoint = find(connection, organisation, id_, keys=keys)
    if endpoint is None:
        return None
    before = endpoint.secrets[0]
    retiring = Secret(before.shared, before.private, now + ROTATION_LASTS)
    rotated = _with_secrets(endpoint, (Secret.new(), retiring))
    _change(connection, rotated, sealed=_seal(rotated, keys, now))
    return rotated


def disable(connection: Connection, endpoint: Endpoint, *, why: DisabledWhy, now: datetime) -> None:
    """Attempt no more there. What waits goes on waiting, and what concerns people queues up."""
    if endpoint.disabled_at is None:
        _change(connection, endpoint, disabled_at=now, disabled_why=why.value)


def enable(connection: Connection, endpoint: Endpoint) -> None:
    """Attempt there again."""
    _change(connection, endpoint, disabled_at=None, disabled_why=None)


def delete(connection: Connection, endpoint: Endpoint, *, now: datetime) -> None:
    """Forget URL and secrets; the row stays, for deliveries name it."""
    _change(connection, endpoint, deleted_at=now, sealed=b"")


def _with_secrets(endpoint: Endpoint, secrets: tuple[Secret, ...]) -> Endpoint:
    return Endpoint(
        organisation=endpoint.organisation,
        id=endpoint.id,
        url=endpoint.url,
        events=endpoint.events,
        gates=endpoint.gates,
        proof=endpoint.proof,
        secrets=secrets,
        recorded_at=endpoint.recorded_at,
        disabled_at=endpoint.disabled_at,
        disabled_why=endpoint.disabled_why,
    )


def _change(connection: Connection, endpoint: Endpoint, **values: Any) -> None:
    connection.execute(
        _UPDATE.values(**values),
        {"of_organisation": endpoint.organisation, "of_id": endpoint.id},
    )


def _seal(endpoint: Endpoint, keys: KeyRing, now: datetime) -> bytes:
    content = msgspec.msgpack.encode(_Sealed(endpoint.url, endpoint.secrets))
    return keys.seal(
        endpoint.organisation, KeyKind.RECORD, content, _CONTEXT, endpoint.id.encode(), at=now
    )


def _opened(row: Row[*tuple[Any, ...]], keys: KeyRing) -> Endpoint:
    """``BrokenSealError``: it is not what was stored."""
    content = keys.open_sealed(
        row.organisation, KeyKind.RECORD, row.sealed, _CONTEXT, row.id.encode()
    )
    sealed = msgspec.msgpack.decode(content, type=_Sealed)
    return Endpoint(
        organisation=row.organisation,
        id=row.id,
        url=sealed.url,
        events=tuple(WebhookEvent(word) for word in row.events.split()),
        gates=_GATES.decode(row.gates) if row.gates else _NO_GATES,
        proof=Proof(row.proof),
        secrets=sealed.secrets,
        recorded_at=row.recorded_at,
        disabled_at=row.disabled_at,
        disabled_why=None if row.disabled_why is None else DisabledWhy(row.disabled_why),
    )
