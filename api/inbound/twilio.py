"""Twilio: forms signed with the account's auth token, over the URL and every field."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import msgspec

from api.inbound.delivery import Delivery, Fields
from api.inbound.message import (
    InboundMessage,
    Mark,
    ProviderName,
    address_of,
    id_of,
)
from api.inbound.signatures import hmac_of, require_any, same_base64
from api.inbound.wording import WORDLESS, Words, words_of
from api.work import Reply
from rules.vocabulary import Channel

OPTED_OUT = "21610"
"""Twilio's error for a message to somebody who told it to stop."""

_MARKS = {"STOP": Mark.STOP, "START": Mark.START, "HELP": Mark.HELP}
_CHANNELS = {"whatsapp": Channel.WHATSAPP, "rcs": Channel.RCS}


class TwilioCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``signing_key``: the shared key of an account that signs with HMAC-SHA256."""

    auth_token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    signing_key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class Twilio:
    """Inbound messages, and status callbacks that say a person is opted out there.

    The scheme has no time in it; what comes twice is told by the message's id.
    """

    name = ProviderName.TWILIO
    credentials = TwilioCredentials
    answer = Reply(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>')
    media_type = b"text/xml"

    async def read(
        self, delivery: Delivery, secrets: Sequence[TwilioCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        signed = delivery.form() if delivery.method == "POST" else []
        require_any(secrets, lambda secret: _is_signed(delivery, signed, secret))
        return _messages_of(dict(signed or delivery.query_fields()))


def _is_signed(delivery: Delivery, form: Fields, secret: TwilioCredentials) -> bool:
    settings = delivery.header("x-twilio-webhooks-signature-settings")
    algorithm = _algorithm_of(settings)
    keys = {"HMAC_SHA1": ("sha1", secret.auth_token), "HMAC_SHA256": ("sha256", secret.signing_key)}
    name, key = keys.get(algorithm, ("", None))
    signature = delivery.header("x-twilio-signature")
    if key is None or not signature:
        return False
    fields = "".join(name + value for name, value in sorted(set(form)))
    # Twilio is not of one mind whether the URL that it signs names the port.
    return any(
        same_base64(signature, hmac_of(key, url + fields, name)) for url in _urls(delivery.url)
    )


def _algorithm_of(settings: str) -> str:
    """The algorithm that the header names; without one it is the auth token's."""
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "algorithm" and value.strip():
            return value.strip().upper()
    return "HMAC_SHA1"


def _urls(url: str) -> tuple[str, str]:
    """The URL without and with its port."""
    parts = urlsplit(url)
    host = parts.netloc
    bare = host.rpartition(":")[0] if parts.port is not None else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return urlunsplit(parts._replace(netloc=bare)), urlunsplit(
        parts._replace(netloc=f"{bare}:{port}")
    )


def _messages_of(fields: dict[str, str]) -> list[InboundMessage]:
    id_ = id_of(fields.get("MessageSid") or fields.get("SmsMessageSid") or fields.get("SmsSid"))
    if "Body" not in fields and "OptOutType" not in fields and "MessageStatus" in fields:
        if fields.get("ErrorCode") != OPTED_OUT:
            return []
        channel, address = _channel_of(fields.get("To", ""))
        return [
            InboundMessage(id=id_, address=address_of(address), channel=channel, mark=Mark.BLOCKED)
        ]
    channel, address = _channel_of(fields.get("From", ""))
    words = _words_of(fields)
    return [
        InboundMessage(
            id=id_,
            address=address_of(address),
            text=words.text,
            payload=words.payload,
            is_wordless=words.is_wordless,
            channel=channel,
            mark=_MARKS.get(fields.get("OptOutType", "").strip().upper()),
        )
    ]


def _words_of(fields: Mapping[str, str]) -> Words:
    """What was written, and what the button or the row says that was pressed."""
    return words_of(
        [fields.get(name) for name in ("Body", "ButtonText", "ListTitle")],
        behind=[fields.get(name) for name in ("ButtonPayload", "ListId", "ListDescription")],
        is_wordless=fields.get("NumMedia", "0") != "0"
        or "Latitude" in fields
        or fields.get("MessageType", "").lower() in WORDLESS,
    )


def _channel_of(address: str) -> tuple[Channel, str]:
    """An address such as ``whatsapp:+12125550123`` says by which channel."""
    scheme, _, rest = address.partition(":")
    channel = _CHANNELS.get(scheme.strip().lower())
    return (Channel.SMS, address) if channel is None else (channel, rest)
