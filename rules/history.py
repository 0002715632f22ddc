"""Typed consent events of one person, as the law looks at them."""

from dataclasses import dataclass, field
from datetime import datetime

from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact about a person's will or relationship.

    ``at`` is when it happened (aware). An absent ``channel`` or ``purpose`` means any;
    an absent ``brand`` means the sender's own, and on a revoke every brand.
    ``expires_at`` (grant) and ``ends_at`` (contract, membership) end at that instant.
    ``held_until`` marks a ``sent`` that has not happened yet: a place held in a cap,
    which counts only before that instant. ``index`` is its place in the consent log.
    """

    event: EventKind
    at: datetime
    channel: Channel | None = None
    purpose: Purpose | None = None
    topic: str | None = None
    brand: str | None = None
    level: Level | None = None
    qualities: frozenset[Quality] = frozenset()
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    via: Via | None = None
    held_until: datetime | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A person's events, oldest first; events of one instant stand as they were recorded."""

    events: tuple[Event, ...] = field(default=())


NOTHING_ON_RECORD = History()
