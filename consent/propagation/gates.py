"""What may not be sent meanwhile: messages by an endpoint that holds an overdue opt-out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.ledger.columns import Instant
from consent.propagation.endpoints import Listening
from consent.propagation.tables import webhook_delivery
from rules.vocabulary import Channel

_C = webhook_delivery.c
_OVERDUE: Final = ByMany(
    lambda among: (
        sa.select(_C.endpoint, sa.func.min(_C.deadline_at))
        .where(
            _C.organisation == bindparam("organisation"),
            _C.settled_at.is_(None),
            _C.deadline_at <= bindparam("now", type_=Instant),
            among(_C.endpoint, "endpoints"),
        )
        .group_by(_C.endpoint)
    )
)


def overdue(
    connection: Connection, organisation: str, listening: Sequence[Listening], *, now: datetime
) -> Mapping[tuple[str, Channel], datetime]:
    """For each sender and channel that hangs on an endpoint which holds an overdue opt-out, since
    when it is. Where no endpoint has gates nothing is asked."""
    gated = {by.id: by for by in listening if by.gates}
    if not gated:
        return {}
    rows = _OVERDUE.execute(
        connection, {"organisation": organisation, "now": now, "endpoints": list(gated)}
    )
    closed: dict[tuple[str, Channel], datetime] = {}
    for endpoint, since in rows:
        for gate in gated[endpoint].gates:
            place = (gate.sender, gate.channel)
            closed[place] = min(since, closed.get(place, since))
    return closed
