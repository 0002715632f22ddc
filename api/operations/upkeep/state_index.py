"""State the index of subjects in its log: daily, and whenever an export asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.ledger import log as ledger_log
from consent.ledger import subject_index
from consent.ledger.entries import find_entries
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt
from consent.ledger.subject_index import SubjectIndex


@dataclass(frozen=True, slots=True)
class StatedIndex:
    """An index as it was computed. ``daily``: one a day is enough. ``actor``: who exports."""

    organisation: str
    index: SubjectIndex
    daily: bool = False
    actor: str | None = None


class StateIndex:
    """The work; the answer to a daily one that was stated already is None."""

    name = "state_index"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[StatedIndex], *, now: datetime
    ) -> list[Receipt | None]:
        """Append each."""
        return [self._state(connection, request, now) for request in requests]

    @staticmethod
    def _state(connection: Connection, request: StatedIndex, now: datetime) -> Receipt | None:
        event_id = None
        if request.daily:
            event_id = subject_index.daily_id(request.organisation, now)
            if find_entries(connection, request.organisation, [event_id]):
                return None
        return subject_index.append(
            connection,
            request.organisation,
            request.index,
            recorded_at=now,
            event_id=event_id,
            actor=request.actor,
        )


def is_due(connection: Connection, organisation: str, *, now: datetime) -> bool:
    """Whether the log has entries, and today's index is not stated yet."""
    if ledger_log.head(connection, organisation, Log.CONSENT).size == 0:
        return False
    today = subject_index.daily_id(organisation, now)
    return not find_entries(connection, organisation, [today])
