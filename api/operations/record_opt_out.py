"""Record opt-outs: never refused for their content, first in every turn, and wide in doubt."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from api.operations.record_events import EventAnswer, EventBatch, RecordEvents
from api.work import Priority


class RecordOptOuts:
    """The work; its requests are batches of one revoke each (``consent.opt_outs`` reads it).

    An opt-out that was recorded with doubts says so in the ``flags`` of its receipt.
    """

    name = "record_opt_out"
    priority = Priority.OPT_OUT

    def __init__(self, events: RecordEvents) -> None:
        self._events = events

    def run_many(
        self, connection: Connection, requests: Sequence[EventBatch], *, now: datetime
    ) -> list[EventAnswer]:
        """Record each opt-out; the next check sees it."""
        assert all(len(request.events) == 1 for request in requests), "an opt-out is one event"
        answers = self._events.run_many(connection, requests, now=now)
        return [answer for (answer,) in answers]
