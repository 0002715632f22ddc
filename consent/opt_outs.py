"""What did this person ask us to stop? Pure; in doubt the wider reading.

A part that cannot be read narrows nothing: it is kept as it came, named in the flags, and the
opt-out reaches as far as if the part had not been there.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from consent.errors import NoAddressError
from consent.events import UNREFUSED, ConsentEvent, Evidence, Flag, RecordedKind
from jurisdictions.addresses import Address, address_meant, parse_address
from rules.history import same_brand
from rules.vocabulary import Channel, Purpose, Via

EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)

OLDEST_DAYS: Final = 30
"""An opt-out that is passed on by itself and claims to be older has a clock that is wrong, or comes
later than nearly every law leaves for acting on it. What is imported may be of any age."""

_Read = TypeVar("_Read")

_KNOWN: Final = frozenset(
    {
        "address",
        "event",
        "sender",
        "channel",
        "purpose",
        "topic",
        "brand",
        "via",
        "text",
        "at",
        "evidence",
    }
)
_SIGNS: Final = re.compile(r"[\W_]+")
_STOP_WORDS: Final = {
    **{kind.value: kind for kind in UNREFUSED},
    **dict.fromkeys(("stop", "opt out", "optout", "unsubscribe"), RecordedKind.REVOKE),
}
_TEXTS: Final = {
    "sender": Flag.SENDER_UNREADABLE,
    "brand": Flag.BRAND_UNREADABLE,
    "topic": Flag.FIELDS_UNREADABLE,
    "text": Flag.TEXT_UNREADABLE,
    "why": Flag.FIELDS_UNREADABLE,
}


@dataclass(frozen=True, slots=True)
class OptOut:
    """An opt-out as understood: the address as it was written, and the revoke it becomes."""

    address: str
    event: ConsentEvent


def read_opt_out(body: Mapping[str, object], *, now: datetime) -> OptOut:
    """Read the body of an opt-out, or of a revoke event; no scope means everything.

    Refuses nothing but a body without an address, or with several (``NoAddressError``): of one
    receipt nobody could say whom it leaves alone. Whether ``sender`` is one of ours shows when
    it is recorded.
    """
    written = _address(body.get("address"))
    address = address_meant(written)
    reading = _Reading(body)
    if address != written:
        reading.keep("address", written, Flag.ADDRESS_UNREADABLE)
    fields: dict[str, Any] = {
        "at": reading.part("at", _instant, Flag.AT_UNREADABLE) or now,
        "sender": reading.part("sender", _word, Flag.SENDER_UNREADABLE),
        "channel": reading.part("channel", _channel, Flag.CHANNEL_UNREADABLE),
        "purpose": reading.part("purpose", _purpose, Flag.PURPOSE_UNREADABLE),
        "topic": reading.part("topic", _word, Flag.FIELDS_UNREADABLE),
        "brand": reading.part("brand", _word, Flag.BRAND_UNREADABLE),
        "via": reading.part("via", _via, Flag.VIA_UNREADABLE),
        "text": reading.part("text", _text, Flag.TEXT_UNREADABLE),
        "evidence": reading.part("evidence", _evidence, Flag.FIELDS_UNREADABLE),
    }
    event = ConsentEvent(
        event=RecordedKind.REVOKE, unread=reading.unread, flags=tuple(reading.flags), **fields
    )
    return OptOut(address, event)


def stop_of(word: object) -> RecordedKind | None:
    """Which stop the ``event`` of a body names, however it is written; None if none."""
    if not isinstance(word, str):
        return None
    return _STOP_WORDS.get(" ".join(_SIGNS.sub(" ", word.casefold()).split()))


class _Reading:
    """Reads a body part by part, and gathers what cannot be read."""

    def __init__(self, body: Mapping[str, object]) -> None:
        self._body = body
        self._unread = {key: value for key, value in body.items() if key not in _KNOWN}
        self.flags = [Flag.FIELDS_UNREADABLE] if self._unread else []

    def part(self, name: str, read: Callable[[object], _Read], flag: Flag) -> _Read | None:
        """One part; None where it is absent or cannot be read."""
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
            self.keep(name, value, flag)
            return None

    def keep(self, name: str, value: object, flag: Flag) -> None:
        """Keep a part as it came, beside what was made of it."""
        self._unread[name] = value
        if flag not in self.flags:
            self.flags.append(flag)

    @property
    def unread(self) -> str | None:
        """What could not be read, as JSON in ASCII."""
        return _as_json(self._unread) if self._unread else None


def widened(
    event: ConsentEvent, address: Address, known_senders: Mapping[str, str], *, now: datetime
) -> ConsentEvent:
    """The same stop without whatever cannot be stored or found, and so one that reaches further.

    It binds from ``now`` at the latest. A brand that is the name of its sender (in
    ``known_senders``, by id) goes as well: the sender may be renamed, and is meant all the same.
    """
    own_name = known_senders.get(event.sender or "")
    if event.brand is not None and own_name is not None and same_brand(event.brand, own_name):
        unread = _kept_too(event, ("brand",))
        event = msgspec.structs.replace(event, brand=None, unread=unread)
    lost: dict[str, Flag] = {
        name: flag for name, flag in _TEXTS.items() if not is_storable(getattr(event, name) or "")
    }
    if event.sender is not None and "sender" not in lost and event.sender not in known_senders:
        lost["sender"] = Flag.SENDER_UNKNOWN
    if not is_instant(event.at):
        lost["at"] = Flag.AT_UNREADABLE
    elif event.at > now:
        lost["at"] = Flag.AT_IN_FUTURE
    if not _can_be_written(event.evidence):
        lost["evidence"] = Flag.FIELDS_UNREADABLE
    flags = [*lost.values()]
    if address.problem is not None:
        flags.append(Flag.ADDRESS_UNREADABLE)
    return _without(event, lost, flags, now=now) if flags or event.flags else event


def doubted(
    event: ConsentEvent, brands: Iterable[str], *, permitted_at: datetime | None, now: datetime
) -> ConsentEvent:
    """The same stop, which was passed on just after it was said, without what cannot be so.

    A brand that is none of ``brands`` narrows nothing. What claims to be older than
    ``OLDEST_DAYS``, or than what permitted messages last (``permitted_at``), is said ``now``: else
    a wrong clock would put a stop before the consent that it takes back.
    """
    lost: dict[str, Flag] = {}
    if event.brand is not None and not any(same_brand(event.brand, name) for name in brands):
        lost["brand"] = Flag.BRAND_UNKNOWN
    if is_instant(event.at) and event.at < now:
        oldest = now - timedelta(days=OLDEST_DAYS)
        if event.at < max(oldest, permitted_at or oldest):
            lost["at"] = Flag.AT_DOUBTED
    return _without(event, lost, lost.values(), now=now) if lost else event


def is_storable(text: str) -> bool:
    """Whether UTF-8 and both databases can hold it."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False  # Half of a surrogate pair is text to Python.


def is_instant(at: datetime) -> bool:
    """Whether it can be told on every clock: the first and last days of all years cannot.

    Nobody who is alive said anything before ``EARLIEST``.
    """
    try:
        return at.astimezone(UTC) >= EARLIEST
    except OverflowError:
        return False


def _without(
    event: ConsentEvent, lost: Collection[str], flags: Iterable[Flag], *, now: datetime
) -> ConsentEvent:
    """The same without these parts, which are kept beside it; a lost instant is ``now``."""
    changes: dict[str, Any] = dict.fromkeys(lost)
    if lost:
        changes["unread"] = _kept_too(event, lost)
    if "at" in lost:
        changes["at"] = now
    changes["flags"] = tuple(dict.fromkeys((*event.flags, *flags)))
    return msgspec.structs.replace(event, **changes)


def _kept_too(event: ConsentEvent, lost: Iterable[str]) -> str:
    kept = {} if event.unread is None else json.loads(event.unread)
    return _as_json(kept | {name: getattr(event, name) for name in lost})


def _can_be_written(evidence: Evidence | None) -> bool:
    try:
        msgspec.json.encode(evidence)
    except UnicodeEncodeError:
        return False
    return True


def _as_json(unread: Mapping[str, object]) -> str:
    """Write down whatever came in; nothing is too odd to be kept."""
    try:
        return json.dumps(unread, default=_plain)
    except RecursionError:
        return json.dumps(dict.fromkeys(unread, "nested too deeply to be kept"))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _address(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"+{abs(value)}"
    if isinstance(value, str) and value.strip():
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, list) and value:  # It stood there more than once.
        written = [_address(one) for one in value if isinstance(one, str | int) and one != ""]
        meant = {parse_address(address_meant(one)).normalised for one in written}
        if len(meant) > 1:
            raise NoAddressError("it names several addresses: send an opt-out for each of them")
        if written:
            return written[0]
    raise NoAddressError("an opt-out names the address that is to be left alone")


def _instant(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.tzinfo is None:
        raise ValueError("an instant without a zone names no instant")
    return at.astimezone(UTC)


def _channel(value: object) -> Channel:
    return Channel(_text(value).strip().lower())


def _purpose(value: object) -> Purpose:
    return Purpose(_text(value).strip().lower())


def _via(value: object) -> Via:
    return Via(_text(value).strip().lower())


def _word(value: object) -> str:
    word = _text(value).strip()
    if not word or not word.isprintable():
        raise ValueError("nothing that could name a thing")
    return word


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    if not is_storable(value):
        raise ValueError("no text that can be kept as it is")
    return value


def _evidence(value: object) -> Evidence:
    return msgspec.convert(value, Evidence)
