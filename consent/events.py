"""What may be recorded of a person's will and dealings, as it was given.

How the law then sees it: ``on_record.py`` turns it into what ``rules/history.py`` reads.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from consent.ledger.canonical import canonical
from rules.vocabulary import LEVEL_OF_WORD, Channel, Level, Purpose, Quality, Via


class RecordedKind(StrEnum):
    """Every kind of entry that the consent log holds: the law's events and our own."""

    GRANT = "grant"
    CONFIRM = "confirm"
    REVOKE = "revoke"
    PURCHASE = "purchase"
    CONTRACT = "contract"
    INQUIRY = "inquiry"
    DONATION = "donation"
    MEMBERSHIP = "membership"
    PUBLICATION = "publication"
    SENT = "sent"
    COMPLAINT = "complaint"
    ERASE = "erase"
    LINK = "link"
    UNLINK = "unlink"
    HOLD = "hold"
    RELEASE = "release"


STOPS: Final = frozenset({RecordedKind.REVOKE, RecordedKind.COMPLAINT})
"""What a person says to be left alone: never refused, and kept in the suppression too."""

UNREFUSED: Final = STOPS | {RecordedKind.HOLD}
"""What is recorded whatever it looks like: an opt-out, or a reply that may be one."""

MEMBERSHIPS: Final = frozenset({RecordedKind.LINK, RecordedKind.UNLINK})
"""What says which addresses are one person's."""

OWN_OPERATION: Final = MEMBERSHIPS | {RecordedKind.ERASE}
"""What changes who a person is, and is never recorded as a plain event."""


class Flag(StrEnum):
    """What could not be read of an opt-out, or had to be read in the wider sense."""

    ADDRESS_UNREADABLE = "address_unreadable"
    SENDER_UNKNOWN = "sender_unknown"
    SENDER_UNREADABLE = "sender_unreadable"
    CHANNEL_UNREADABLE = "channel_unreadable"
    PURPOSE_UNREADABLE = "purpose_unreadable"
    BRAND_UNREADABLE = "brand_unreadable"
    BRAND_UNKNOWN = "brand_unknown"
    VIA_UNREADABLE = "via_unreadable"
    TEXT_UNREADABLE = "text_unreadable"
    AT_UNREADABLE = "at_unreadable"
    AT_IN_FUTURE = "at_in_future"
    AT_DOUBTED = "at_doubted"
    FIELDS_UNREADABLE = "fields_unreadable"
    STANDING_UNREADABLE = "standing_unreadable"


class Disclosure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the person was shown when they consented."""

    version: str | None = None
    text: str | None = None


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the event can be proven. Sealed with the event, and erased with the person."""

    method: str | None = None
    source_url: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    language: str | None = None
    disclosure: Disclosure | None = None


class CarriedStop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An opt-out or erasure that binds a person from a link or unlink on, by its own entry.

    ``elsewhere``: it was that of another address, linked until then.
    """

    index: int
    event: RecordedKind
    at: datetime
    sender: str | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    brand: str | None = None
    via: Via | None = None
    elsewhere: bool = False


class ConsentEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as it was given. The address is not in it: it travels beside it.

    ``at``: when it happened (aware). ``sender``: id of the organisation's sender that it
    concerns; on a revoke None means all of them. ``brand`` narrows to a name and beats
    ``sender``. ``unread`` holds, as JSON, those fields of an opt-out that could not be read;
    ``flags`` say which. ``why`` is the reason given for a hold, a release or an erasure;
    ``answers`` the index of the hold that a release, or the revoke in its place, decides on.
    Of a link or unlink, ``linked`` are the ids of all others who are the same person from
    then on, in hexadecimal, and ``carried`` the stops that this one takes over.
    """

    event: RecordedKind
    at: datetime
    sender: str | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    topic: str | None = None
    brand: str | None = None
    level: Level | None = None
    qualities: frozenset[Quality] = frozenset()
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    via: Via | None = None
    text: str | None = None
    evidence: Evidence | None = None
    why: str | None = None
    unread: str | None = None
    flags: tuple[Flag, ...] = ()
    answers: int | None = None
    linked: tuple[str, ...] = ()
    carried: tuple[CarriedStop, ...] = ()


def encode_payload(event: ConsentEvent, address: str | None) -> bytes:
    """The canonical JSON that is sealed: the event, and the normalised address it came for."""
    fields = msgspec.to_builtins(event, order="sorted")
    if event.level is not None:
        fields["level"] = event.level.word
    if address is not None:
        fields["address"] = address
    return canonical(fields)


def decode_payload(payload: bytes) -> tuple[ConsentEvent, str | None]:
    """Read what ``encode_payload`` wrote."""
    fields: dict[str, Any] = msgspec.json.decode(payload)
    address = fields.pop("address", None)
    if "level" in fields:
        fields["level"] = LEVEL_OF_WORD[fields["level"]]
    return msgspec.convert(fields, ConsentEvent), address
