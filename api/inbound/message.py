"""The one form into which every provider's request is brought."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from rules.vocabulary import Channel


class ProviderName(StrEnum):
    """Whose webhooks are understood. The name stands in the URL."""

    TWILIO = "twilio"
    VONAGE = "vonage"
    MESSAGEBIRD = "messagebird"
    SINCH = "sinch"
    INFOBIP = "infobip"
    PLIVO = "plivo"
    TELNYX = "telnyx"
    AWS_SNS = "aws_sns"


class Mark(StrEnum):
    """What the provider itself made of a message, where it says so."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    BLOCKED = "blocked"
    """Not a message, but its word that it delivers nothing to the person, who told it to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """What a person sent, or a provider's word about them.

    ``id`` is the provider's, the same in each of its attempts; None where it names none.
    ``address`` is as it came, but for the plus of a number, and empty where the provider names
    nobody. ``received_at`` is aware.
    ``payload`` is what the sender put behind what was pressed: see ``wording.py``.
    ``is_wordless``: nobody expects words of it, for it is a picture, a place or the like.
    ``in_doubt``: ``text`` may not be what was said: a part of a message, or letters guessed.
    ``nonce`` comes with a signature that does not cover the message: it is good for one only.
    """

    id: str | None
    address: str
    text: str = ""
    payload: str = ""
    is_wordless: bool = False
    in_doubt: bool = False
    channel: Channel = Channel.SMS
    received_at: datetime | None = None
    mark: Mark | None = None
    nonce: str | None = None


def address_of(value: object) -> str:
    """The address in a field, or nothing. Providers that leave out a number's plus mean one."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    text = text.encode(errors="backslashreplace").decode()  # Halves of surrogate pairs stay kept.
    return f"+{text}" if text.isascii() and text.isdigit() and len(text) > 6 else text


def text_of(value: object) -> str:
    """A text, or none."""
    return value if isinstance(value, str) else ""


def id_of(value: object) -> str | None:
    """A provider's id, or None."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text or None


def instant_of(value: object) -> datetime | None:
    """An instant as providers write it; one without an offset is in UTC. None: it says none."""
    try:
        at = datetime.fromisoformat(str(value).strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
