"""Typed consent events of one person, and what words like "in scope" and "revoked" make of them."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from rules.text import stream_safe
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact about a person's will or relationship.

    ``at`` is when it happened (aware). An absent ``channel`` or ``purpose`` means any;
    an absent ``brand`` means the sender's own, and on a revoke every brand.
    ``expires_at`` (grant) and ``ends_at`` (contract, membership) end at that instant.
    ``held_until`` marks a ``sent`` that has not happened yet: a place held in a cap,
    which counts only before that instant. ``index`` is its place in the consent log;
    a ``release`` ``answers`` the hold at that index. ``elsewhere``: it was said at, or sent
    to, another address of the same person.
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
    answers: int | None = None
    elsewhere: bool = False

    def names(self, brand: str) -> bool:
        """Tell whether the event speaks of ``brand``, however the two are written."""
        return self.brand is None or same_brand(self.brand, brand)

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


@lru_cache(maxsize=4096)
def folded_brand(name: str) -> str:
    """Give a name as it is compared: without case, spaces at its ends, or forms of its letters."""
    return " ".join(unicodedata.normalize("NFKC", stream_safe(name)).casefold().split())


def same_brand(left: str, right: str) -> bool:
    """Tell whether two names are one brand's."""
    return left == right or folded_brand(left) == folded_brand(right)


def answers(confirm: Event, grant: Event, brand: str) -> bool:
    """Tell whether a ``confirm`` speaks of what this grant to ``brand`` was about.

    It proves who holds an address: one from elsewhere says nothing of what was asked here.
    """
    return (
        confirm.event is EventKind.CONFIRM
        and confirm.elsewhere is grant.elsewhere
        and confirm.names(brand)
        and (confirm.channel is None or grant.channel in (None, confirm.channel))
        and (confirm.purpose is None or grant.purpose in (None, confirm.purpose))
    )


def is_confirmed(grant: Event, events: tuple[Event, ...], brand: str) -> bool:
    """Tell whether a grant to ``brand`` that asked for a double opt-in was answered.

    A ``confirm`` answers the last such grant before it, of its own channel, purpose and brand
    if it names them.
    """
    if Quality.DOUBLE_OPT_IN not in grant.qualities:
        return True
    for confirm in events:
        if confirm.at < grant.at or not answers(confirm, grant, brand):
            continue
        asked = [
            event
            for event in events
            if event.event is EventKind.GRANT
            and Quality.DOUBLE_OPT_IN in event.qualities
            and event.at <= confirm.at
            and event.names(brand)
            and answers(confirm, event, brand)
        ]
        if asked and asked[-1] is grant:
            return True
    return False


def open_hold(
    events: tuple[Event, ...], brand: str, channel: Channel, purpose: Purpose
) -> Event | None:
    """Give the last reply that may have stopped such messages and that nothing has settled."""
    reaching = [e for e in events if e.names(brand) and e.covers(channel, purpose)]
    for hold in reversed(reaching):
        if hold.event is EventKind.HOLD and not _is_settled(hold, events, reaching):
            return hold
    return None


def _is_settled(hold: Event, events: tuple[Event, ...], reaching: Sequence[Event]) -> bool:
    """Tell whether anything took the place of a doubt: its answer, an opt-out, a new beginning.

    Nobody can decide on a reply that was erased; a grant given since an erasure starts anew.
    """
    released = (e.answers for e in events if e.event is EventKind.RELEASE)
    if hold.index is not None and hold.index in released:
        return True
    if any(e.event is EventKind.REVOKE and e.at >= hold.at for e in reaching):
        return True
    erased = last_erasure(events)
    if erased is None or erased.at < hold.at:
        return False
    return any(e.event is EventKind.GRANT and e.at > erased.at for e in reaching)


def last_erasure(events: tuple[Event, ...]) -> Event | None:
    """Give the last erasure of the person's data, or None."""
    erasures = [event for event in events if event.event is EventKind.ERASE]
    return max(erasures, key=lambda event: event.at, default=None)
