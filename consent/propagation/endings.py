"""How deliveries end that have done their part: bodies of the erased, and rows that nobody needs.

What was told of the consent log stays, without its body: a trail shows when it arrived, and what a
receiver should hold is summed up from it. Everything else goes after a while.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.columns import Instant
from consent.ledger.tables import log_entry, subject
from consent.propagation import outbox
from consent.propagation.cloud_events import without_addresses
from consent.propagation.tables import FAILED, PASSING, webhook_delivery
from consent.propagation.words import ABOUT_PEOPLE, Urgency, WebhookEvent

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
_IS_READABLE = (
    _C.event.in_(sorted(event.value for event in ABOUT_PEOPLE)),
    _C.sealed_body.is_not(None),
    _C.withheld_at.is_(None),
)
_ENDED = (
    *_IS_READABLE,
    _C.settled_at.is_(None),
    sa.or_(_C.urgency == int(Urgency.OTHER), _C.deadline_at <= _NOW),
    sa.or_(_C.event == WebhookEvent.ERASED.value, _IS_ERASED),
)
_WITH_ENDED = sa.select(_C.organisation).where(*_ENDED).distinct()
_BODIES = (
    sa.select(_C.id, _C.sealed_body)
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
    """Take the addresses out of what is on its way of somebody erased; give from how many.

    Of an opt-out or erasure at its deadline, of anything else at once. The rest still goes: the
    receiver knows the person by the ``subject`` of what it was told before.
    """
    rows = connection.execute(_BODIES, {"organisation": organisation, "now": now}).all()
    if rows:
        withheld = [
            {"its_id": row.id, "body": _withheld(organisation, row, keys, now), "now": now}
            for row in rows
        ]
        connection.execute(_WITHHOLD, withheld)
    return len(rows)


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


def _withheld(organisation: str, row: Any, keys: KeyRing, now: datetime) -> bytes:
    sealed: bytes = row.sealed_body
    try:
        body = outbox.open_body(organisation, row.id, sealed, keys=keys)
    except (BrokenSealError, UnknownKeyError):
        return sealed  # Nobody can read it.
    return outbox.seal_body(organisation, row.id, without_addresses(body), keys=keys, now=now)
