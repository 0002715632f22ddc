"""Typed consent events of one person, and what words like "in scope" and "revoked" make of them."""

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

    def names(self, brand: str) -> bool:
        """Tell whether the event speaks of ``brand``; names are compared without case."""
        return self.brand is None or self.brand.casefold() == brand.casefold()

    def covers(self, channel: Channel, purpose: Purpose) -> bool:
        """Tell whether the event speaks of this channel and this purpose."""
        return self.channel in (None, channel) and self.purpose in (None, purpose)


@dataclass(frozen=True, slots=True)
class History:
    """A person's events, oldest first; events of one instant stand as they were recorded."""

    events: tuple[Event, ...] = field(default=())

    def until(self, at: datetime) -> tuple[Event, ...]:
        """Give the events at or before ``at``."""
        return tuple(event for event in self.events if event.at <= at)


NOTHING_ON_RECORD = History()

STOPPED_BY_ANY_OPT_OUT: frozenset[Purpose] = frozenset(
    {Purpose.MARKETING, Purpose.SERVICE, Purpose.SURVEY, Purpose.CHARITY, Purpose.POLITICAL}
)
"""What an opt-out that names no purpose stops, where no law says more."""


def is_confirmed(grant: Event, events: tuple[Event, ...]) -> bool:
    """Tell whether a grant that asked for a double opt-in was answered.

    A ``confirm`` answers the last such grant before it, of its own channel if it names one.
    """
    if Quality.DOUBLE_OPT_IN not in grant.qualities:
        return True
    for confirm in events:
        if confirm.event is not EventKind.CONFIRM or confirm.at < grant.at:
            continue
        asked = [
            event
            for event in events
            if event.event is EventKind.GRANT
            and Quality.DOUBLE_OPT_IN in event.qualities
            and event.at <= confirm.at
            and (confirm.channel is None or event.channel in (None, confirm.channel))
        ]
        if asked and asked[-1] is grant:
            return True
    return False


def last_erasure(events: tuple[Event, ...]) -> Event | None:
    """Give the last erasure of the person's data, or None."""
    erasures = [event for event in events if event.event is EventKind.ERASE]
    return max(erasures, key=lambda event: event.at, default=None)
