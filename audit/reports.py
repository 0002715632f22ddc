"""What senders say became of allowed messages: sent, or not. One word each, and it stands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, select

from audit.tables import sending_report


class Outcome(StrEnum):
    """What became of a message."""

    SENT = "sent"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Report:
    """A sender's word. ``event_id``: the ``sent`` entry of the consent log, if one was made."""

    decision: bytes
    outcome: Outcome
    reported_at: datetime
    event_id: bytes | None


_FIND = select(
    sending_report.c.decision,
    sending_report.c.outcome,
    sending_report.c.reported_at,
    sending_report.c.event_id,
).where(
    sending_report.c.organisation == bindparam("organisation"),
    sending_report.c.decision.in_(bindparam("decisions", expanding=True)),
)
_ADD = insert(sending_report)


def find_many(
    connection: Connection, organisation: str, decisions: Collection[bytes]
) -> dict[bytes, Report]:
    """Those of these decisions on which the sender has reported, in one statement."""
    wanted = {"organisation": organisation, "decisions": list(decisions)}
    return {
        row.decision: Report(row.decision, Outcome(row.outcome), row.reported_at, row.event_id)
        for row in connection.execute(_FIND, wanted)
    }


def add_many(connection: Connection, organisation: str, reports: Sequence[Report]) -> None:
    """Keep these reports, in one statement. There must be none on their decisions yet."""
    if reports:
        connection.execute(
            _ADD,
            [
                {
                    "organisation": organisation,
                    "decision": report.decision,
                    "outcome": report.outcome.value,
                    "reported_at": report.reported_at,
                    "event_id": report.event_id,
                }
                for report in reports
            ],
        )
