"""How deliveries end that have done their part: bodies of the erased, and rows that nobody needs.

What was told of the consent log stays, without its body: a trail shows when it arrived, and what a
receiver should hold is summed up from it. Everything else goes after a while.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import suppression, tables
from consent.events import RecordedKind
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.columns import Instant
from consent.ledger.tables import log_entry, subject
from consent.propagation import outbox
from consent.propagation.cloud_events import data_in, without_addresses
from consent.propagation.tables import FAILED, PASSING, delivery_line, webhook_delivery
from consent.propagation.words import ABOUT_PEOPLE, Urgency, WebhookEvent
from jurisdictions.addresses import parse_address

ROWS_MAX: Final = 500
"""How many are looked at in one turn of the writer."""

_C = webhook_delivery.c
_NOW = bindparam("now", type_=Instant)
_BEFORE = bindparam("before", type_=Instant)
_IDS = _C.id.in_(bindparam("ids", expanding=True))
# By the entry that it tells of: in its line stand others as well, who may not be erased.
_IS_ERASED = (
    sa.exists()
    .where(
        log_entry.c.organisation == _C.organisation,
        log_entry.c.log == _C.log,
        log_entry.c.idx == _C.sequence,
        subject.c.organisation == _C.organisation,
        subject.c.id == log_entry.c.subject,
        subject.c.erased_at.is_not(None),
    )
    .correlate(webhook_delivery)
)
_S = tables.suppression.c
_L = delivery_line.c
# Somebody who stood in its line when it was told: a stop of others may name their address.
_MAY_NAME_ERASED = (
    sa.exists()
    .where(
        _L.organisation == _C.organisation,
        _L.line == _C.subject,
        _S.organisation == _L.organisation,
        _S.token == _L.subject,
        _S.kind == RecordedKind.ERASE.value,
        _S.idx >= _C.sequence,
        sa.or_(_C.withheld_at.is_(None), _S.occurred_at >= _C.withheld_at),
    )
    .correlate(webhook_delivery)
)
_ENDED = (
    _C.event.in_(sorted(event.value for event in ABOUT_PEOPLE)),
    _C.sealed_body.is_not(None),
    _C.settled_at.is_(None),
    sa.or_(_C.urgency == int(Urgency.OTHER), _C.deadline_at <= _NOW),
    sa.or_(
        sa.and_(
            _C.withheld_at.is_(None),
            sa.or_(_C.event == WebhookEvent.ERASED.value, _IS_ERASED),
        ),
        _MAY_NAME_ERASED,
    ),
)
_WITH_ENDED = sa.select(_C.organisation).where(*_ENDED).distinct()
_BODIES = (
    sa.select(
        _C.id,
        _C.event,
        _C.sequence,
        _C.sealed_body,
        sa.and_(_C.withheld_at.is_(None), _IS_ERASED).label("is_owners"),
    )
    .where(_C.organisation == bindparam("organisation"), *_ENDED)
    .limit(ROWS_MAX)
)
_WITHHOLD = (
    sa.update(webhook_delivery)
    .where(_C.id == bindparam("its_id"), _C.sealed_body.is_not(None))
    .values(sealed_body=bindparam("body"), withheld_at=_NOW)
)
_PASSED = sa.select(_C.id).where(PASSING, _C.settled_at < _BEFORE).limit(ROWS_MAX)
_GIVEN_UP = (
    sa.select(_C.id)
    .where(FAILED, _C.sealed_body.is_not(None), sa.or_(_C.settled_at < _BEFORE, _IS_ERASED))
    .limit(ROWS_MAX)
)
_DELETE = sa.delete(webhook_delivery).where(_IDS)
_DROP_BODY = sa.update(webhook_delivery).where(_IDS, FAILED).values(sealed_body=None)


def with_ended(connection: Connection, *, now: datetime) -> list[str]:
    """The organisations that have bodies of erased persons whose time is over."""
    return list(connection.execute(_WITH_ENDED, {"now": now}).scalars())


def withhold(connection: Connection, organisation: str, *, keys: KeyRing, now: datetime) -> int:
    """Take the addresses of the erased out of what is on its way; give from how many.

    Of an opt-out or erasure at its deadline, of anything else at once. The rest still goes, and
    with it every other address that it names: a stop holds for those who are still there.
    """
    rows = connection.execute(_BODIES, {"organisation": organisation, "now": now}).all()
    bodies = {row.id: _open(organisation, row, keys) for row in rows}
    erased = _erased_of(connection, organisation, rows, bodies, keys)
    looked: list[dict[str, Any]] = []
    count = 0
    for row in rows:
        body, sealed = bodies[row.id], row.sealed_body
        if body is not None and erased[row.id]:
            count += 1
            rest = without_addresses(body, erased[row.id])
            sealed = outbox.seal_body(organisation, row.id, rest, keys=keys, now=now)
        looked.append({"its_id": row.id, "body": sealed, "now": now})
    if looked:
        connection.execute(_WITHHOLD, looked)
    return count


def find_passed(connection: Connection, *, before: datetime) -> list[bytes]:
    """Deliveries that were settled before and that nothing is worked out from any more."""
    return list(connection.execute(_PASSED, {"before": before}).scalars())


def find_given_up(connection: Connection, *, before: datetime) -> list[bytes]:
    """Deliveries given up before, or of somebody erased, that still have their bodies."""
    return list(connection.execute(_GIVEN_UP, {"before": before}).scalars())


def delete(connection: Connection, ids: Sequence[bytes]) -> None:
    """Delete these rows."""
    if ids:
        connection.execute(_DELETE, {"ids": ids})


def drop_bodies(connection: Connection, ids: Sequence[bytes]) -> None:
    """Delete the bodies of these, unless somebody is trying them again."""
    if ids:
        connection.execute(_DROP_BODY, {"ids": ids})


def _open(organisation: str, row: Any, keys: KeyRing) -> bytes | None:
    try:
        return outbox.open_body(organisation, row.id, row.sealed_body, keys=keys)
    except (BrokenSealError, UnknownKeyError):
        return None  # Nobody can read it.


def _erased_of(
    connection: Connection,
    organisation: str,
    rows: Sequence[Any],
    bodies: Mapping[bytes, bytes | None],
    keys: KeyRing,
) -> dict[bytes, set[str]]:
    """Which of the addresses that each names were erased since, as their suppressions say."""
    named = {
        row.id: list(data_in(body)["addresses"])
        for row in rows
        if (body := bodies[row.id]) is not None
    }
    every = [parse_address(text) for row in rows for text in named.get(row.id, ())]
    stops = iter(suppression.load_many(connection, organisation, every, keys=keys))
    found: dict[bytes, set[str]] = {}
    for row in rows:
        texts = named.get(row.id, [])
        found[row.id] = {
            text
            for text, events in zip(texts, islice(stops, len(texts)), strict=True)
            if any(e.event is RecordedKind.ERASE and e.index >= row.sequence for e in events)
        }
        if row.event == WebhookEvent.ERASED or (row.is_owners and not found[row.id]):
            found[row.id] = set(texts)  # Nothing else says which of them is gone.
    return found
