"""Put consent events on record: entry, standing and suppression in one go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consent.events import ConsentEvent, Flag
from consent.keys.key_ring import KeyRing
from consent.ledger.log import Receipt
from jurisdictions.addresses import Address
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """A person by the id that a decision or an earlier event gave."""

    subject: bytes


@dataclass(frozen=True, slots=True)
class Stranger:
    """A person of whom only the blind index is known, from a place held in a cap."""

    blind_index: bytes


@dataclass(frozen=True, slots=True)
class EventInput:
    """One event, and whom it concerns. ``actor``: the API key or system that brought it."""

    whom: Address | KnownSubject | Stranger
    event: ConsentEvent
    event_id: bytes
    actor: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event on record. The receipt is worth nothing before the commit."""

    receipt: Receipt
    subject: bytes
    flags: tuple[Flag, ...]


def record_events(
    connection: Connection,
    organisation: str,
    inputs: Sequence[EventInput],
    *,
    keys: KeyRing,
    now: datetime,
    release: str | None = None,
) -> list[Recorded | ComplianceError]:
    """Record what can be recorded, in order; an error stands in the place of what cannot.

    A revoke or complaint is never refused for its content. ``erase``, ``link`` and ``unlink``
    have their own operations and are refused here. A constant number of statements a batch.
    """
    raise NotImplementedError
