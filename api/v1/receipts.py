"""Receipts: what a caller keeps for later proof. An opt-out gets the same as any event."""

from datetime import datetime

import msgspec

from api.operations.record_events import ID_PREFIX
from api.problems import Problem, problem_of
from consent.events import Flag
from consent.ledger.identifiers import label_of
from consent.ledger.log import Receipt
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

    @classmethod
    def without_flags(cls, receipt: Receipt) -> "ReceiptShape":
        """Render that of an entry of which nothing was in doubt."""
        return cls(
            id=label_of(ID_PREFIX, receipt.event_id),
            log=receipt.log.value,
            index=receipt.index,
            leaf_hash=receipt.leaf_hash.hex(),
            recorded_at=receipt.recorded_at,
            flags=[],
        )


class ItemShape(msgspec.Struct, frozen=True, kw_only=True):
    """An item of a batch: the fields of its receipt, or ``error``, why it was not recorded."""

    id: str | msgspec.UnsetType = msgspec.UNSET
    log: str | msgspec.UnsetType = msgspec.UNSET
    index: int | msgspec.UnsetType = msgspec.UNSET
    leaf_hash: str | msgspec.UnsetType = msgspec.UNSET
    recorded_at: datetime | msgspec.UnsetType = msgspec.UNSET
    flags: list[Flag] | msgspec.UnsetType = msgspec.UNSET
    error: Problem | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, outcome: Recorded | ComplianceError) -> "ItemShape":
        """Render it."""
        if isinstance(outcome, ComplianceError):
            return cls(error=problem_of(outcome))
        return cls(**msgspec.structs.asdict(ReceiptShape.of(outcome)))


class BatchResponse(msgspec.Struct, frozen=True):
    """Item by item, in the order of the batch: a receipt, or why it was refused."""

    results: list[ItemShape]
