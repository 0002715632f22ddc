"""Deliveries as they are listed, retried, reported on and given up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger.columns import Instant
from consent.propagation.attempts import let_next_go
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import Problem, State, Urgency, WebhookEvent

ID_PREFIX: Final = "dlv"
_C = webhook_delivery.c
_PENDING = _C.state == sa.literal_column("'pending'")
_AT = bindparam("at", type_=Instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as lists show it."""

    id: bytes
    organisation: str
    endpoint: str
    position: int
    event: WebhookEvent
    event_id: bytes
    log: str | None
    sequence: int | None
    subject: bytes | None
    state: State
    attempt_count: int
    recorded_at: datetime
    first_attempt_at: datetime | None
    last_attempt_at: datetime | None
    due_at: datetime | None
    last_status: int | None
    last_problem: Problem | None
    deadline_at: datetime | None
    deadline_rule: str | None
    delivered_at: datetime | None
    applied_at: datetime | None
    settled_at: datetime | None


_SHOWN = tuple(_C[name] for name in Delivery.__dataclass_fields__)
_ONE = sa.select(*_SHOWN).where(_C.id == bindparam("id"))
_PAGE = (
    sa.select(*_SHOWN)
    .where(
        _C.organisation == bindparam("organisation"),
        _C.endpoint == bindparam("endpoint"),
        _C.position < bindparam("before"),
        sa.or_(bindparam("state", type_=sa.Text).is_(None), _C.state == bindparam("state")),
    )
    .order_by(_C.position.desc())
    .limit(bindparam("count"))
)
_APPLIED = (
    sa.update(webhook_delivery)
    .where(
        _C.id == bindparam("its_id"),
        _C.state.in_([State.PENDING.value, State.DELIVERED.value]),
    )
    .values(
        state=State.APPLIED.value,
        applied_at=_AT,
        delivered_at=sa.func.coalesce(_C.delivered_at, _AT),
        settled_at=sa.func.coalesce(_C.settled_at, _AT),
        due_at=None,
        claim=None,
        sealed_body=None,
    )
)
_RETRY = (
    sa.update(webhook_delivery)
    .where(_C.id == bindparam("its_id"), _PENDING, _C.claim.is_(None), _C.due_at.is_not(None))
    .values(due_at=_AT)
)
_REVIVE = (
    sa.update(webhook_delivery)
    .where(
        _C.id == bindparam("its_id"),
        _C.state == State.FAILED.value,
        _C.sealed_body.is_not(None),
    )
    .values(
        state=State.PENDING.value,
        subject=bindparam("line"),
        due_at=bindparam("due", type_=Instant),
        settled_at=None,
    )
)
_ABANDON = (
    sa.update(webhook_delivery)
    .where(_C.endpoint == bindparam("its_endpoint"), _C.settled_at.is_(None))
    .values(
        state=sa.case((_PENDING, State.ABANDONED.value), else_=_C.state),
        settled_at=_AT,
        due_at=None,
        claim=None,
        sealed_body=None,
    )
)
_OWED_THERE = (
    sa.select(_C.id)
    .where(
        _C.organisation == bindparam("organisation"),
        _C.endpoint == bindparam("endpoint"),
        _C.settled_at.is_(None),
        _C.urgency != int(Urgency.OTHER),
    )
    .limit(1)
)
_PLACE = sa.func.coalesce(_C.deadline_at, _C.recorded_at)
_UNDER_WAY = (
    sa.select(*_SHOWN)
    .where(
        _C.organisation == bindparam("organisation"),
        _C.settled_at.is_(None),
        _C.urgency != int(Urgency.OTHER),
        sa.tuple_(_PLACE, _C.id) > sa.tuple_(bindparam("place", type_=Instant), bindparam("after")),
        sa.or_(
            bindparam("late_at", type_=Instant).is_(None),
            _C.deadline_at <= bindparam("late_at", type_=Instant),
        ),
    )
    .order_by(_PLACE, _C.id)
    .limit(bindparam("count"))
)
_OF_EVENTS = (
    sa.select(*_SHOWN)
    .where(
        _C.event_id.in_(bindparam("event_ids", expanding=True)),
        _C.organisation == bindparam("organisation"),
    )
    .order_by(_C.recorded_at, _C.endpoint)
)


def find(connection: Connection, id_: bytes) -> Delivery | None:
    """The delivery of that id, whoever's it is."""
    row = connection.execute(_ONE, {"id": id_}).first()
    return None if row is None else _delivery_of(row)


def load_page(
    connection: Connection,
    organisation: str,
    endpoint: str,
    *,
    before: int,
    limit: int,
    state: State | None = None,
) -> list[Delivery]:
    """Deliveries of an endpoint, the newest first, from below the place ``before``."""
    asked = {
        "organisation": organisation,
        "endpoint": endpoint,
        "before": before,
        "count": limit,
        "state": None if state is None else state.value,
    }
    return [_delivery_of(row) for row in connection.execute(_PAGE, asked)]


def load_under_way(
    connection: Connection,
    organisation: str,
    *,
    place: datetime,
    after: bytes,
    limit: int,
    late_at: datetime | None = None,
) -> list[Delivery]:
    """Opt-outs and erasures that have not arrived everywhere, by their deadline, past a place in
    that order; with ``late_at`` only those whose deadline is over by then."""
    asked = {
        "organisation": organisation,
        "place": place,
        "after": after,
        "count": limit,
        "late_at": late_at,
    }
    return [_delivery_of(row) for row in connection.execute(_UNDER_WAY, asked)]


def place_of(delivery: Delivery) -> datetime:
    """Where a delivery stands in the order of what is under way."""
    return delivery.deadline_at or delivery.recorded_at


def of_events(
    connection: Connection, organisation: str, event_ids: Iterable[bytes]
) -> list[Delivery]:
    """Where these events of the consent log were sent, and what came of it: for trails."""
    asked = {"organisation": organisation, "event_ids": list(event_ids)}
    return [_delivery_of(row) for row in connection.execute(_OF_EVENTS, asked)]


def report_applied(connection: Connection, delivery: Delivery, *, now: datetime) -> None:
    """The receiver says that it acted on it; that it also arrived need not have been told."""
    connection.execute(_APPLIED, {"its_id": delivery.id, "at": now})
    let_next_go(connection, [delivery.id], now)


def retry(connection: Connection, delivery: Delivery, *, now: datetime) -> bool:
    """Make it due now; False where it arrived, is under way, was given up or waits behind
    another."""
    return bool(connection.execute(_RETRY, {"its_id": delivery.id, "at": now}).rowcount)


def revive(
    connection: Connection,
    delivery: Delivery,
    *,
    line: bytes | None,
    waits: bool,
    now: datetime,
) -> bool:
    """Take up again what was given up, in its line; False where nothing is left to be sent.

    ``waits``: another goes first there.
    """
    values = {"its_id": delivery.id, "line": line, "due": None if waits else now}
    return bool(connection.execute(_REVIVE, values).rowcount)


def holds_owed(connection: Connection, organisation: str, endpoint: str) -> bool:
    """Whether an opt-out or erasure has not arrived there yet."""
    asked = {"organisation": organisation, "endpoint": endpoint}
    return connection.execute(_OWED_THERE, asked).first() is not None


def abandon(connection: Connection, endpoint: str, *, now: datetime) -> int:
    """Give up all that has not arrived there, bodies and all; give how many."""
    return connection.execute(_ABANDON, {"its_endpoint": endpoint, "at": now}).rowcount


def _delivery_of(row: Any) -> Delivery:
    fields = dict(row._mapping)  # noqa: SLF001 - a public name, in spite of its look
    fields["event"] = WebhookEvent(row.event)
    fields["state"] = State(row.state)
    fields["last_problem"] = None if row.last_problem is None else Problem(row.last_problem)
    return Delivery(**fields)
