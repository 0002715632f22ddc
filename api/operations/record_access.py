"""Put on record who read whose trail: the ``access`` log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from api.work import Priority
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log, Statement
from consent.ledger.log import Receipt, SealedEntry, append_many


class AccessKind(StrEnum):
    """How a trail was read."""

    LOOKUP = "lookup"
    TRAIL = "trail"
    EXPORT = "export"
    REVIEW = "review"
    REPLAY = "replay"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Access:
    """A person's record was read by ``actor``, the id of a key. None: nobody was on record.

    ``statement`` says of an export which it was; nothing personal belongs in it.
    """

    organisation: str
    actor: str
    kind: AccessKind
    subject: bytes | None
    statement: Statement | None = None


class RecordAccess:
    """The work; those of one organisation that share a turn are one batch."""

    name = "record_access"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[Access], *, now: datetime
    ) -> list[Receipt]:
        """Append each, in order."""
        grouped: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            grouped.setdefault(request.organisation, []).append(place)
        receipts: dict[int, Receipt] = {}
        for organisation, places in grouped.items():
            entries = [_entry_of(requests[place], now) for place in places]
            made = append_many(connection, organisation, Log.ACCESS, entries, recorded_at=now)
            receipts.update(zip(places, made, strict=True))
        return [receipts[place] for place in range(len(requests))]


def _entry_of(access: Access, now: datetime) -> SealedEntry:
    return SealedEntry(
        event_id=uuid7(now),
        type=access.kind.value,
        occurred_at=now,
        subject=access.subject,
        actor=access.actor,
        statement=access.statement,
    )
