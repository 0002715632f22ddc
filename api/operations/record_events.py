"""Record consent events, one or a batch; an opt-out is one of them, and is never refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.events import ConsentEvent, Flag
from consent.ledger.log import Receipt
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True)
class EventOf:
    """One event and the address that it concerns, as it was written."""

    address: str
    event: ConsentEvent


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of one request. An item that could not be read stands there as its error."""

    organisation: str
    actor: str
    items: Sequence[EventOf | ComplianceError]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event on record, and what of it could not be read."""

    receipt: Receipt
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch with its addresses parsed, ready for the writer's turn."""

    batch: EventBatch


def prepare(batch: EventBatch, *, now: datetime) -> PreparedBatch:
    """Parse addresses before the writer's turn, in the request's task. Raises nothing."""
    raise NotImplementedError


class RecordEvents:
    """The work. Two of it are made: opt-outs go before everything else."""

    name = "record_events"

    def __init__(self, priority: Priority) -> None:
        self.priority = priority

    def run_many(
        self, connection: Connection, requests: Sequence[PreparedBatch], *, now: datetime
    ) -> Sequence[Sequence[RecordedEvent | ComplianceError] | ComplianceError]:
        """Record what can be recorded, in order; for each item a receipt or its error.

        An error for the whole batch means that none of it was recorded. Good items are
        recorded whatever the others are.
        """
        raise NotImplementedError
