"""Attempts: what is due is claimed, and what came of it is put on record.

Everything here runs in the writer's transaction. What settles a delivery or adds to a line runs
under the lock of the organisation's logs as well, so that nobody joins a line whose head is just
leaving it; a claim takes no such lock, and passes over rows that another process is claiming.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger.columns import Instant
from consent.propagation.laws import Deadline
from consent.propagation.tables import webhook_delivery, webhook_endpoint
from consent.propagation.words import Problem, State, Urgency, WebhookEvent

LEASE: Final = timedelta(minutes=2)
"""How long a claim holds. Whoever has not told by then what came of it has died, and the delivery
is attempted again, with the same id."""

AGAIN_SHARE: Final = 4
"""Of what is claimed at once, one part in so many is kept for what failed before."""

_C = webhook_delivery.c
_PENDING = _C.state == sa.literal_column("'pending'")
_AT = bindparam("at", type_=Instant)
_IDS = _C.id.in_(bindparam("ids", expanding=True))


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that this process may attempt until ``until``."""

    id: bytes
    organisation: str
    endpoint: str
    event: WebhookEvent
    event_id: bytes
    attempt_count: int
    deadline_at: datetime | None
    recorded_at: datetime
    sealed_body: bytes
    claim: bytes
    until: datetime


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt that began at ``at``. ``problem`` None: it arrived.

    ``settles``: whether arrival is all that the endpoint's proof asks for. ``due_at``: when the
    next attempt is due; None if it arrived, or is given up.
    """

    claimed: Claimed
    at: datetime
    status: int | None = None
    problem: Problem | None = None
    settles: bool = True
    due_at: datetime | None = None
    deadline: Deadline | None = None


_CLAIMABLE = (
    sa.select(_C.id)
    .where(
        _C.endpoint == bindparam("endpoint"),
        _C.urgency == bindparam("urgency"),
        _C.due_at <= _AT,
        _PENDING,
    )
    .order_by(_C.due_at)
    .limit(bindparam("count"))
    .with_for_update(skip_locked=True)
)
_CLAIM = (
    sa.update(webhook_delivery)
    .where(_IDS)
    .values(claim=bindparam("by"), due_at=bindparam("until", type_=Instant))
)
_CLAIMED = (
    sa.select(
        _C.id,
        _C.organisation,
        _C.event,
        _C.event_id,
        _C.attempt_count,
        _C.deadline_at,
        _C.recorded_at,
        _C.sealed_body,
    )
    .where(_IDS)
    .order_by(_C.urgency, _C.position)
)
_ATTEMPTED = {
    "attempt_count": _C.attempt_count + 1,
    "first_attempt_at": sa.func.coalesce(_C.first_attempt_at, _AT),
    "last_attempt_at": _AT,
    "last_status": bindparam("status"),
    "deadline_at": sa.func.coalesce(_C.deadline_at, bindparam("until", type_=Instant)),
    "deadline_rule": sa.func.coalesce(_C.deadline_rule, bindparam("rule", type_=sa.Text)),
    "claim": None,
}
_ARRIVED = (
    sa.update(webhook_delivery)
    .where(_C.id == bindparam("its_id"), _PENDING)
    .values(
        **_ATTEMPTED,
        state=State.DELIVERED.value,
        delivered_at=_AT,
        settled_at=bindparam("settled", type_=Instant),
        last_problem=None,
        due_at=None,
        sealed_body=None,
    )
)
_OF_CLAIM = (_C.id == bindparam("its_id"), _C.claim == bindparam("its_claim"), _PENDING)
_FAILED = (
    sa.update(webhook_delivery)
    .where(*_OF_CLAIM)
    .values(
        **_ATTEMPTED,
        last_problem=bindparam("problem"),
        urgency=sa.case((_C.urgency == int(Urgency.FIRST), int(Urgency.AGAIN)), else_=_C.urgency),
        due_at=bindparam("next_at", type_=Instant),
    )
)
_GIVEN_UP = (
    sa.update(webhook_delivery)
    .where(*_OF_CLAIM)
    .values(
        **_ATTEMPTED,
        last_problem=bindparam("problem"),
        state=State.FAILED.value,
        settled_at=_AT,
        due_at=None,
    )
)
_LINE = webhook_delivery.alias("line")
_LINES = sa.select(_C.subject, _C.endpoint).where(_IDS, _C.subject.is_not(None)).distinct()
_NEXT_IN_LINE = (
    sa.update(webhook_delivery)
    .where(
        _C.id
        == sa.select(_LINE.c.id)
        .where(
            _LINE.c.subject == bindparam("line_subject"),
            _LINE.c.endpoint == bindparam("line_endpoint"),
            _LINE.c.state == sa.literal_column("'pending'"),
        )
        .order_by(_LINE.c.position)
        .limit(1)
        .scalar_subquery(),
        _C.due_at.is_(None),
    )
    .values(due_at=_AT)
)
_RELEASE = sa.update(webhook_delivery).where(*_OF_CLAIM).values(claim=None, due_at=_AT)
_HURRY = (
    sa.update(webhook_delivery)
    .where(
        _C.endpoint == bindparam("its_endpoint"),
        _PENDING,
        _C.claim.is_(None),
        _C.due_at > _AT,
    )
    .values(due_at=_AT)
)
_UNCLAIM = (
    sa.update(webhook_delivery)
    .where(_PENDING, _C.claim.is_not(None))
    .values(claim=None, due_at=_AT)
)
_ENDPOINT = webhook_endpoint.c


def _first_due(urgency: Urgency) -> Any:
    return (
        sa.select(sa.func.min(_C.due_at))
        .where(_C.endpoint == _ENDPOINT.id, _C.urgency == int(urgency), _PENDING)
        .scalar_subquery()
    )


_DUE = sa.select(
    _ENDPOINT.id,
    *(_first_due(urgency).label(f"urgency_{int(urgency)}") for urgency in Urgency),
).where(_ENDPOINT.disabled_at.is_(None), _ENDPOINT.deleted_at.is_(None))
_IS_STRANDED = (
    _PENDING,
    _C.due_at.is_(None),
    ~sa.exists().where(
        _LINE.c.subject == _C.subject,
        _LINE.c.endpoint == _C.endpoint,
        _LINE.c.state == sa.literal_column("'pending'"),
        _LINE.c.position < _C.position,
    ),
)
_ANY_STRANDED = sa.select(_C.id).where(*_IS_STRANDED).limit(1)
_STRANDED = sa.update(webhook_delivery).where(*_IS_STRANDED).values(due_at=_AT)


def claim(
    connection: Connection, endpoint: str, *, count: int, by: bytes, now: datetime
) -> list[Claimed]:
    """Take up to ``count`` deliveries that are due at an endpoint, the most urgent first.

    What was never attempted goes before what failed, but a share is kept for the latter.
    """
    ids: list[bytes] = []
    kept = count // AGAIN_SHARE
    for urgency, most in (
        (Urgency.AGAIN, kept),
        (Urgency.FIRST, count),
        (Urgency.AGAIN, count),
        (Urgency.OTHER, count),
    ):
        room = min(most, count - len(ids))
        if room <= 0:
            continue
        asked = {"endpoint": endpoint, "urgency": int(urgency), "at": now, "count": room}
        found = connection.execute(_CLAIMABLE, asked).scalars()
        ids += [id_ for id_ in found if id_ not in ids]
    if not ids:
        return []
    until = now + LEASE
    connection.execute(_CLAIM, {"ids": ids, "by": by, "until": until})
    return [
        Claimed(
            id=row.id,
            organisation=row.organisation,
            endpoint=endpoint,
            event=WebhookEvent(row.event),
            event_id=row.event_id,
            attempt_count=row.attempt_count,
            deadline_at=row.deadline_at,
            recorded_at=row.recorded_at,
            sealed_body=row.sealed_body,
            claim=by,
            until=until,
        )
        for row in connection.execute(_CLAIMED, {"ids": ids})
    ]


def due(connection: Connection) -> dict[str, datetime]:
    """When something is next due at each endpoint that is not disabled; none where nothing is."""
    found: dict[str, datetime] = {}
    for id_, *firsts in connection.execute(_DUE):
        first = min((at for at in firsts if at is not None), default=None)
        if first is not None:
            found[id_] = first
    return found


def is_any_stranded(connection: Connection) -> bool:
    """Whether something waits in a line that nobody heads."""
    return connection.execute(_ANY_STRANDED).first() is not None


def free_stranded(connection: Connection, *, now: datetime) -> int:
    """Let go whatever waits in a line that nobody heads; there should never be any."""
    return connection.execute(_STRANDED, {"at": now}).rowcount


def conclude(connection: Connection, attempts: Sequence[Attempt], *, now: datetime) -> None:
    """Put on record what came of attempts, and let those behind what has left its line go.

    That something arrived counts whoever attempted it; that it failed, only while the claim of
    whoever says so holds.
    """
    arrived = [one for one in attempts if one.problem is None]
    failed = [one for one in attempts if one.problem is not None and one.due_at is not None]
    given_up = [one for one in attempts if one.problem is not None and one.due_at is None]
    _run(
        connection,
        _ARRIVED,
        [{**_told(one), "settled": one.at if one.settles else None} for one in arrived],
    )
    _run(connection, _FAILED, [{**_told_failure(one), "next_at": one.due_at} for one in failed])
    _run(connection, _GIVEN_UP, [_told_failure(one) for one in given_up])
    let_next_go(connection, [one.claimed.id for one in arrived + given_up], now)


def release(connection: Connection, claimed: Sequence[Claimed], *, now: datetime) -> None:
    """Give back what was claimed and not attempted."""
    values = [{"its_id": one.id, "its_claim": one.claim, "at": now} for one in claimed]
    _run(connection, _RELEASE, values)


def hurry(connection: Connection, endpoint: str, *, now: datetime) -> int:
    """Make all due that waits there for another attempt: it was the endpoint that failed, and it is
    back. Give how many."""
    return connection.execute(_HURRY, {"its_endpoint": endpoint, "at": now}).rowcount


def let_go(connection: Connection, *, now: datetime) -> int:
    """Drop every claim: for a start where whoever claimed has died. Give how many there were."""
    return connection.execute(_UNCLAIM, {"at": now}).rowcount


def _told(one: Attempt) -> dict[str, Any]:
    deadline = one.deadline
    return {
        "its_id": one.claimed.id,
        "at": one.at,
        "status": one.status,
        "until": None if deadline is None else deadline.at,
        "rule": None if deadline is None else deadline.rule,
    }


def _told_failure(one: Attempt) -> dict[str, Any]:
    assert one.problem is not None, "a failure has its problem"
    return {**_told(one), "its_claim": one.claimed.claim, "problem": one.problem.value}


def _run(connection: Connection, statement: sa.Update, values: Sequence[dict[str, Any]]) -> None:
    if values:
        connection.execute(statement, values)


def let_next_go(connection: Connection, ids: Sequence[bytes], now: datetime) -> None:
    """Let go whoever stands first where these stood: in which line, their rows say by now."""
    if not ids:
        return
    values = [
        {"line_subject": subject, "line_endpoint": endpoint, "at": now}
        for subject, endpoint in connection.execute(_LINES, {"ids": ids})
    ]
    _run(connection, _NEXT_IN_LINE, values)
