"""Places that an allowed message holds in frequency caps until it goes out or its permit ends."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rules.vocabulary import Channel, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A place held by one decision. ``blind_index`` is the recipient's; ``subject`` if known."""

    decision: bytes
    subject: bytes | None
    blind_index: bytes
    sender: str
    channel: Channel
    purpose: Purpose
    topic: str | None
    send_at: datetime
    held_until: datetime


def hold_many(connection: Connection, organisation: str, holds: Sequence[Hold]) -> None:
    """Hold the places, in one statement."""
    raise NotImplementedError


def free_many(connection: Connection, organisation: str, decisions: Collection[bytes]) -> None:
    """Give the places of these decisions back: the message went out, or will not."""
    raise NotImplementedError


def find(connection: Connection, organisation: str, decision: bytes) -> Hold | None:
    """The place that a decision holds, if it still does."""
    raise NotImplementedError


def expire(connection: Connection, *, now: datetime) -> int:
    """Delete places whose time is over; they count no more in any case."""
    raise NotImplementedError
