"""Deadlines of what is on its way: reckoned by the law, and told of once they have passed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.columns import Instant
from consent.ledger.identifiers import label_of, uuid7
from consent.propagation import outbox
from consent.propagation.cloud_events import EVENT_PREFIX, Told, data_in
from consent.propagation.deliveries import ID_PREFIX
from consent.propagation.laws import AT_ONCE, NO_LAW, Deadline, Deadlines, Stopped
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import Urgency, WebhookEvent
from consent.senders import SenderRecord
from consent.tables import sender as sender_table
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Purpose

ROWS_MAX: Final = 500
"""How many are looked at in one turn of the writer."""

_SENDER: Final = msgspec.json.Decoder(SenderRecord)
_C = webhook_delivery.c
_OPEN = (
    _C.organisation == bindparam("organisation"),
    _C.settled_at.is_(None),
    _C.urgency != int(Urgency.OTHER),
)
_UNDATED = (
    sa.select(_C.id, _C.event_id, _C.recorded_at, _C.sealed_body)
    .where(*_OPEN, _C.deadline_at.is_(None), _C.sealed_body.is_not(None))
    .limit(ROWS_MAX)
)
_PAST = (
    sa.select(
        _C.id,
        _C.endpoint,
        _C.event,
        _C.event_id,
        _C.sequence,
        _C.deadline_at,
        _C.deadline_rule,
        _C.state,
        _C.last_problem,
    )
    .where(*_OPEN, _C.deadline_at <= bindparam("now", type_=Instant), _C.overdue_at.is_(None))
    .order_by(_C.deadline_at)
    .limit(ROWS_MAX)
)
_DATE = (
    sa.update(webhook_delivery)
    .where(_C.event_id == bindparam("its_event"), _C.deadline_at.is_(None))
    .values(deadline_at=bindparam("until", type_=Instant), deadline_rule=bindparam("rule"))
)
_RAISE = (
    sa.update(webhook_delivery)
    .where(_C.id == bindparam("its_id"))
    .values(overdue_at=bindparam("at", type_=Instant))
)
_WAITING = (
    sa.select(_C.organisation)
    .where(
        _C.settled_at.is_(None),
        _C.urgency != int(Urgency.OTHER),
        sa.or_(
            _C.deadline_at.is_(None),
            sa.and_(_C.deadline_at <= bindparam("now", type_=Instant), _C.overdue_at.is_(None)),
        ),
    )
    .distinct()
)
_COUNTRIES = sa.select(sender_table.c.id, sender_table.c.record).where(
    sender_table.c.organisation == bindparam("organisation")
)


def deadline_in(
    deadlines: Deadlines,
    data: Mapping[str, Any],
    countries: Mapping[str, str],
    *,
    recorded_at: datetime,
) -> Deadline:
    """The deadline of an opt-out or erasure, from the data that is told of it: the earliest of all
    its addresses. ``countries``: of the organisation's senders.

    It runs from when the person said it; what we learnt of late is not overdue at once.
    """
    at = datetime.fromisoformat(data["occurred_at"])
    sender, channel, purpose = data.get("sender"), data.get("channel"), data.get("purpose")
    covered = [country for id_, country in countries.items() if sender in (None, id_)]
    found = [
        deadlines.of(
            Stopped(
                address=parse_address(text),
                at=at,
                channel=None if channel is None else Channel(channel),
                purpose=None if purpose is None else Purpose(purpose),
                sender_countries=frozenset(covered),
            )
        )
        for text in data["addresses"]
    ]
    first = min(found, key=lambda one: one.at, default=Deadline(at + NO_LAW))
    return Deadline(max(first.at, recorded_at + AT_ONCE), first.rule)


def countries_of_senders(connection: Connection, organisation: str) -> dict[str, str]:
    """The country of every sender of the organisation, by id."""
    rows = connection.execute(_COUNTRIES, {"organisation": organisation})
    return {row.id: _SENDER.decode(row.record).country for row in rows}


def waiting(connection: Connection, *, now: datetime) -> list[str]:
    """The organisations that have something to reckon or to tell."""
    return list(connection.execute(_WAITING, {"now": now}).scalars())


def reckon(
    connection: Connection,
    organisation: str,
    *,
    deadlines: Deadlines,
    keys: KeyRing,
) -> int:
    """Date what waits and was not attempted yet; give how many events.

    What does not open cannot be dated, nor sent: it gets our own limit.
    """
    rows = connection.execute(_UNDATED, {"organisation": organisation}).all()
    if not rows:
        return 0
    countries = countries_of_senders(connection, organisation)
    dated: dict[bytes, Deadline] = {}
    for row in rows:
        if row.event_id in dated:
            continue
        try:
            body = outbox.open_body(organisation, row.id, row.sealed_body, keys=keys)
        except (BrokenSealError, UnknownKeyError):
            dated[row.event_id] = Deadline(row.recorded_at + NO_LAW)
        else:
            dated[row.event_id] = deadline_in(
                deadlines, data_in(body), countries, recorded_at=row.recorded_at
            )
    connection.execute(
        _DATE,
        [
            {"its_event": event_id, "until": deadline.at, "rule": deadline.rule}
            for event_id, deadline in dated.items()
        ],
    )
    return len(dated)


def raise_overdue(
    connection: Connection, organisation: str, *, keys: KeyRing, now: datetime
) -> int:
    """Tell once of each that its deadline has passed; give of how many."""
    rows = connection.execute(_PAST, {"organisation": organisation, "now": now}).all()
    if not rows:
        return 0
    told = [
        Told(
            event=WebhookEvent.OVERDUE,
            event_id=uuid7(now),
            at=now,
            data={
                "delivery": label_of(ID_PREFIX, row.id),
                "webhook": row.endpoint,
                "event": label_of(EVENT_PREFIX, row.event_id),
                "type": row.event,
                "sequence": None if row.sequence is None else str(row.sequence),
                "state": row.state,
                "deadline_at": row.deadline_at,
                "rule": row.deadline_rule,
                "last_problem": row.last_problem,
            },
        )
        for row in rows
    ]
    connection.execute(_RAISE, [{"its_id": row.id, "at": now} for row in rows])
    outbox.tell(connection, organisation, told, keys=keys, now=now)
    return len(rows)
