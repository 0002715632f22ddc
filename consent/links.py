"""The tokens of recipients' links: who may be stopped by whoever holds one, sealed into it.

Nothing is stored, so making one asks no database and erasing a person leaves none behind here:
whoever still has the message can still stop the next one. A token is the organisation's id and,
under the organisation's link key of the month (AES-256-GCM-SIV, nonce drawn), the sender, the
address and the day. So it is authentic, nobody can read a person in it, and two messages to one
person carry tokens that have nothing in common. Its length tells the address's only to 32 bytes.

Link keys are monthly and are kept for good: what was promised in a message holds for as long as
somebody keeps the message. What a token permits is to stop, and for a time to look.
"""

import base64
import binascii
import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from consent.errors import BadLinkError
from consent.keys import sealing
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind

VIEW_LASTS: Final = timedelta(days=180)
"""How long a preference page shows what is on record: a message may be checked 90 days ahead, and
laws ask that the way out works for 60 days after it went."""

TOKEN_LENGTH_MAX: Final = 1024
_BLOCK: Final = 32
_EPOCH: Final = date(1970, 1, 1)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{64,1024}", re.ASCII)


class LinkKind(StrEnum):
    """What a link leads to; a token of one kind does not open as the other."""

    ONE_CLICK = "one_click"
    PREFERENCES = "preferences"


class Link(msgspec.Struct, frozen=True):
    """What a token says. ``address`` is normalised; ``made_on`` is a day in UTC."""

    organisation: str
    sender: str
    address: str
    made_on: date

    @property
    def viewable_until(self) -> date:
        """The day from which on it only stops."""
        return self.made_on + VIEW_LASTS


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What lies under the key. ``day`` counts from the beginning of 1970."""

    sender: str
    address: str
    day: int


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Sealed)


def make_token(
    keys: KeyRing, organisation: str, kind: LinkKind, *, sender: str, address: str, at: datetime
) -> str:
    """Make a token, fit for a URL. ``address``: as ``Address.normalised`` has it."""
    day = (at.astimezone(UTC).date() - _EPOCH).days
    said = _ENCODER.encode(_Sealed(sender, address, day))
    sealed = keys.seal(organisation, KeyKind.LINK, _padded(said), kind.encode(), at=at)
    name = organisation.encode()
    return _written(bytes((len(name),)) + name + sealed)


def open_token(keys: KeyRing, kind: LinkKind, token: str) -> Link:
    """Read a token. ``BadLinkError``: altered, cut off, another's or never ours; all look alike.

    One that is not ours is refused for the price of a look at memory and one opening.
    """
    organisation, sealed = _split(token)
    try:
        version = sealing.key_version_of(sealed)
        if version not in keys.versions_of(organisation, KeyKind.LINK):
            raise _bad_link()
        opened = keys.open_sealed(organisation, KeyKind.LINK, sealed, kind.encode())
    except (BrokenSealError, UnknownKeyError):
        raise _bad_link() from None
    said = _DECODER.decode(_unpadded(opened))
    return Link(organisation, said.sender, said.address, _EPOCH + timedelta(days=said.day))


def _split(token: str) -> tuple[str, bytes]:
    """The organisation and what it sealed. One token has one spelling."""
    if _TOKEN.fullmatch(token) is None:
        raise _bad_link()
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if _written(raw) != token:
            raise _bad_link()
        end = 1 + raw[0]
        return raw[1:end].decode("ascii"), raw[end:]
    except (binascii.Error, UnicodeDecodeError):
        raise _bad_link() from None


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _padded(said: bytes) -> bytes:
    whole = len(said).to_bytes(2, "big") + said
    return whole + bytes(-len(whole) % _BLOCK)


def _unpadded(whole: bytes) -> bytes:
    return whole[2 : 2 + int.from_bytes(whole[:2], "big")]


def _bad_link() -> BadLinkError:
    return BadLinkError("this link is not one of ours, or not whole")
