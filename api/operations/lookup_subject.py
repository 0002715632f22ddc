"""Look a person up: what is on record of them, by sender, channel and purpose.

It says what was said, not what it permits: that is law, and ``POST /v1/checks`` (with
``preview``) answers it for a message.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from consent import on_record
from consent.events import MEMBERSHIPS, STOPS, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.standing import KeptEvent
from jurisdictions.addresses import Address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose


class LastWord(msgspec.Struct, frozen=True, kw_only=True):
    """The latest event of its kind within a scope, with its place in the consent log."""

    event: RecordedKind
    at: datetime
    level: str | None
    expires_at: datetime | None
    ends_at: datetime | None
    index: int


class ScopeOnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said within one scope; null means any sender, channel, purpose or brand.

    ``opted_out``: an opt-out is the latest word that names just this scope. A wider opt-out
    stands as a scope of its own.
    """

    sender: str | None
    brand: str | None
    channel: Channel | None
    purpose: Purpose | None
    opted_out: bool
    words: tuple[LastWord, ...]


class SubjectOnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person as they stand on record. ``subject`` is null for somebody of whom nothing is.

    ``linked``: the ids of their other addresses, whose consent and opt-outs stand here too.
    """

    subject: str | None
    linked: tuple[str, ...]
    erased_at: datetime | None
    consent: tuple[ScopeOnRecord, ...]
    held_places: int


_Scope = tuple[str | None, str | None, Channel | None, Purpose | None]


def lookup_subject(
    connection: Connection, organisation: str, address: Address, *, keys: KeyRing, now: datetime
) -> SubjectOnRecord:
    """Give what is on record under an address.

    ``StandingUnreadableError``: it cannot be trusted, and nothing may be told of it.
    """
    (person,) = on_record.load_many(
        connection, organisation, [address], keys=keys, now=now, brands={}
    )
    if isinstance(person, ComplianceError):
        raise person
    erasures = [event.at for event in person.events if event.event is RecordedKind.ERASE]
    return SubjectOnRecord(
        subject=None if person.subject is None else person.subject.hex(),
        linked=tuple(other.hex() for other in person.linked),
        erased_at=max(erasures, default=None),
        consent=tuple(_scopes(person.events)),
        held_places=len(person.holds),
    )


def _scopes(events: Iterable[KeptEvent]) -> Iterable[ScopeOnRecord]:
    """Group the events by what they name, in the order in which each scope was first named."""
    grouped: dict[_Scope, dict[RecordedKind, KeptEvent]] = {}
    for event in events:
        if event.event is not RecordedKind.ERASE and event.event not in MEMBERSHIPS:
            scope = (event.sender, event.brand, event.channel, event.purpose)
            grouped.setdefault(scope, {})[event.event] = event  # The later of a kind takes over.
    for (sender, brand, channel, purpose), latest in grouped.items():
        words = sorted(latest.values(), key=lambda event: (event.at, event.index))
        yield ScopeOnRecord(
            sender=sender,
            brand=brand,
            channel=channel,
            purpose=purpose,
            opted_out=_is_opted_out(words),
            words=tuple(_word(event) for event in words),
        )


def _is_opted_out(words: list[KeptEvent]) -> bool:
    """Whether no grant came after the last opt-out; at one instant the opt-out wins."""
    stops = [event.at for event in words if event.event in STOPS]
    grants = [event.at for event in words if event.event is RecordedKind.GRANT]
    return bool(stops) and not (grants and max(grants) > max(stops))


def _word(event: KeptEvent) -> LastWord:
    return LastWord(
        event=event.event,
        at=event.at,
        level=None if event.level is None else event.level.word,
        expires_at=event.expires_at,
        ends_at=event.ends_at,
        index=event.index,
    )
