"""Receipts: what a caller keeps for later proof. An opt-out gets the same as any event."""

from datetime import datetime

import msgspec

from api.operations.record_events import ID_PREFIX
from api.problems import Problem, problem_of
from consent.events import Flag
from consent.ledger.identifiers import label_of
from consent.recording import Recorded
from rules.errors import ComplianceError


class ReceiptShape(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event stands. ``flags`` name what could not be read of an opt-out."""

    id: str
    log: str
    index: int
    leaf_hash: str
    recorded_at: datetime
    flags: list[Flag]

    @classmethod
    def of(cls, recorded: Recorded) -> "ReceiptShape":
        """Render it."""
        receipt = recorded.receipt
        return cls(
            id=label_of(ID_PREFIX, receipt.event_id),
            log=receipt.log.value,
            index=receipt.index,
            leaf_hash=receipt.leaf_hash.hex(),
            recorded_at=receipt.recorded_at,
            flags=list(recorded.flags),
        )


class RefusedShape(msgspec.Struct, frozen=True):
    """An item of a batch that was not recorded, and why."""

    error: Problem

    @classmethod
    def of(cls, error: ComplianceError) -> "RefusedShape":
        """Render it."""
        return cls(problem_of(error))


class BatchResponse(msgspec.Struct, frozen=True):
    """Item by item, in the order of the batch: a receipt, or why it was refused."""

    results: list[ReceiptShape | RefusedShape]
