"""What one sender may send to one recipient, as that recipient last said it.

It says what was said; what the law permits beside it, a check answers for a message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from consent import on_record, senders
from consent.errors import StandingUnreadableError
from consent.keys.key_ring import KeyRing
from consent.links import Link
from consent.senders import SenderRecord
from jurisdictions.addresses import Address, parse_address
from rules.history import STOPPED_BY_ANY_OPT_OUT, Event
from rules.kinds.consent import is_given
from rules.kinds.routes import Scope
from rules.vocabulary import RELATIONS, Channel, EventKind, Purpose

CHANNELS_OF: Final = {
    "number": (Channel.SMS, Channel.MMS, Channel.RCS, Channel.WHATSAPP, Channel.VOICE),
    "email": (Channel.EMAIL,),
}
"""What can reach an address of a family, in the order in which it is shown."""

ASKED_FOR: Final = frozenset({Purpose.AUTHENTICATION, Purpose.EMERGENCY, Purpose.GOVERNMENT})
"""What a person asks for at that moment, or nobody may turn off: never shown."""


class Answer(StrEnum):
    """What a person said last."""

    YES = "yes"
    NO = "no"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Said:
    """The last word on one purpose by one channel, and since when it stands."""

    purpose: Purpose
    answer: Answer
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """One channel. ``is_off``: nothing that can be turned off may go by it."""

    channel: Channel
    said: tuple[Said, ...]
    is_off: bool


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the page shows. ``sender`` is None where it is not on record any more.

    ``channels`` is None while what is on record cannot be trusted.
    """

    sender: SenderRecord | None
    address: Address
    channels: tuple[ChannelChoice, ...] | None

    @property
    def is_all_off(self) -> bool:
        """Whether this sender has been stopped altogether."""
        return self.channels is not None and all(choice.is_off for choice in self.channels)

    def is_off(self, channel: Channel | None, purpose: Purpose | None) -> bool:
        """Whether what this names has been stopped; None names all channels, or all purposes."""
        if channel is None:
            return self.is_all_off
        for choice in self.channels or ():
            if choice.channel is channel:
                return choice.is_off or any(
                    said.purpose is purpose and said.answer is Answer.NO for said in choice.said
                )
        return False

    @property
    def is_unanswered(self) -> bool:
        """Whether there is anything that the recipient has said nothing of."""
        return any(
            said.answer is Answer.NOTHING for choice in self.channels or () for said in choice.said
        )


def read_preferences(
    connection: Connection, link: Link, *, keys: KeyRing, now: datetime
) -> Preferences:
    """Read them for whom ``link`` was made."""
    sender = read_sender(connection, link)
    address = parse_address(link.address)
    (person,) = on_record.load_many(
        connection, link.organisation, [address], keys=keys, now=now, brands={}
    )
    if sender is None or isinstance(person, StandingUnreadableError):
        return Preferences(sender, address, None)
    events = person.history(sender.id, sender.former_names).events
    channels = CHANNELS_OF[address.channel_family]
    return Preferences(
        sender,
        address,
        tuple(_choice(channel, events, sender.name, now) for channel in channels),
    )


def read_sender(connection: Connection, link: Link) -> SenderRecord | None:
    """Whose messages a link is about."""
    found = senders.load_many(connection, link.organisation, [link.sender])
    return found.get(link.sender)


def _choice(channel: Channel, events: Sequence[Event], brand: str, now: datetime) -> ChannelChoice:
    def scope_of(purpose: Purpose) -> Scope:
        return Scope(brand, frozenset({channel}), frozenset({purpose}))

    shown = [
        _said(purpose, events, scope_of(purpose), now)
        for purpose in Purpose
        if purpose is Purpose.MARKETING or _is_named(purpose, channel, events, brand)
    ]
    # Being erased is no opt-out: what begins anew after it can still be turned off.
    spoken = [event for event in events if event.event is not EventKind.ERASE]
    stoppable = STOPPED_BY_ANY_OPT_OUT | {said.purpose for said in shown}
    is_off = all(
        _said(purpose, spoken, scope_of(purpose), now).answer is Answer.NO for purpose in stoppable
    )
    return ChannelChoice(channel, tuple(shown), is_off)


def _is_named(purpose: Purpose, channel: Channel, events: Iterable[Event], brand: str) -> bool:
    """Whether anything on record speaks of this purpose, on this channel, by name."""
    return purpose not in ASKED_FOR and any(
        event.purpose is purpose and event.channel in (None, channel) and event.names(brand)
        for event in events
    )


def _said(purpose: Purpose, events: Sequence[Event], scope: Scope, now: datetime) -> Said:
    """The later of the last opt-out and the last grant that stands; at one instant the first."""
    stops = [event.at for event in events if _stops(event, scope)]
    stops += _erased_at(events, scope.brand)
    whole = tuple(events)
    grants = [event.at for event in whole if event.at <= now and is_given(event, whole, scope, now)]
    stopped, given = max(stops, default=None), max(grants, default=None)
    if given is not None and (stopped is None or given > stopped):
        return Said(purpose, Answer.YES, given)
    if stopped is not None:
        return Said(purpose, Answer.NO, stopped)
    return Said(purpose, Answer.NOTHING)


def _erased_at(events: Sequence[Event], brand: str) -> list[datetime]:
    """When the person was erased, unless they have dealt with the brand since."""
    erased = max((event.at for event in events if event.event is EventKind.ERASE), default=None)
    if erased is None or any(
        event.event in RELATIONS and event.at > erased and event.names(brand) for event in events
    ):
        return []
    return [erased]


def _stops(event: Event, scope: Scope) -> bool:
    """Whether this is an opt-out that reaches messages in scope."""
    if event.event not in (EventKind.REVOKE, EventKind.COMPLAINT):
        return False
    (channel,), (purpose,) = scope.channels, scope.purposes
    if event.channel not in (None, channel) or not event.names(scope.brand):
        return False
    meant = Purpose.MARKETING if event.event is EventKind.COMPLAINT else event.purpose
    return purpose is meant or (meant is None and purpose in STOPPED_BY_ANY_OPT_OUT)
