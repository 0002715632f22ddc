"""Plivo: forms, signed over the URL, the fields and a nonce; or over URL and nonce alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import msgspec

from api.inbound.delivery import Delivery, Fields
from api.inbound.message import InboundMessage, Mark, ProviderName, address_of, id_of
from api.inbound.signatures import hmac_of, require_any, same_base64
from api.inbound.wording import WORDLESS, words_of
from api.work import Reply
from rules.vocabulary import Channel

OPTED_OUT = "200"
"""Plivo's error for a message to somebody who told the number to stop."""

_WHOLE = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
_URL_ONLY = ("x-plivo-signature-v2", "x-plivo-signature-ma-v2")
_URL_NONCE = "x-plivo-signature-v2-nonce"
_SAID = ("Text", "Body", "Caption", "ButtonText", "InteractiveTitle")
_BEHIND = ("ButtonPayload", "InteractiveId", "InteractiveDescription", "Subject")
_CHANNELS = {"mms": Channel.MMS, "whatsapp": Channel.WHATSAPP}


class PlivoCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The auth token of the account, or of the subaccount that owns the number."""

    auth_token: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Plivo:
    """Inbound messages, and reports that say somebody opted out there.

    What version 2 signs is not the message, so its nonce is good for one message only.
    """

    name = ProviderName.PLIVO
    credentials = PlivoCredentials
    answer = Reply(200, b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>')
    media_type = b"text/xml"

    async def read(
        self, delivery: Delivery, secrets: Sequence[PlivoCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        form = delivery.form() if delivery.method == "POST" else []
        whole = [value for name in _WHOLE if (value := delivery.header(name))]
        if whole:
            require_any(secrets, lambda secret: _is_whole(delivery, form, whole, secret))
        else:
            require_any(secrets, lambda secret: _is_called(delivery, secret))
        # Stripped of its version 3, a call is the very same one of version 2.
        nonce = delivery.header(_URL_NONCE) or None
        return _messages_of(dict(form or delivery.query_fields()), nonce)


def _is_whole(
    delivery: Delivery, form: Fields, signatures: Sequence[str], secret: PlivoCredentials
) -> bool:
    nonce = delivery.header("x-plivo-signature-v3-nonce")
    query = "&".join(f"{name}={value}" for name, value in sorted(delivery.query_fields()))
    message = _without_query(delivery.url)
    if query or form:
        message += f"?{query}"
    if query and form:
        message += "."
    message += "".join(name + value for name, value in sorted(form))
    expected = hmac_of(secret.auth_token, f"{message}.{nonce}")
    given = [part for header in signatures for part in header.split(",")]
    return bool(nonce) and any(same_base64(part, expected) for part in given)


def _is_called(delivery: Delivery, secret: PlivoCredentials) -> bool:
    nonce = delivery.header(_URL_NONCE)
    expected = hmac_of(secret.auth_token, _without_query(delivery.url) + nonce)
    given = [delivery.header(name) for name in _URL_ONLY]
    return bool(nonce) and any(same_base64(header, expected) for header in given)


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))


def _messages_of(fields: Mapping[str, str], nonce: str | None) -> list[InboundMessage]:
    """A message; a report on one of ours is none, but where it says that the person opted out."""
    words = words_of(
        [fields.get(name) for name in _SAID],
        behind=[fields.get(name) for name in _BEHIND],
        is_wordless=any(name in fields for name in ("Media0", "MediaUrl0", "Latitude"))
        or fields.get("ContentType", "").lower() in WORDLESS,
    )
    channel = _CHANNELS.get(fields.get("Type", "").lower(), Channel.SMS)
    id_ = id_of(fields.get("MessageUUID"))
    if "Status" in fields and not words.text:
        if fields.get("ErrorCode") != OPTED_OUT:
            return []
        address = address_of(fields.get("To"))
        return [
            InboundMessage(id=id_, address=address, channel=channel, mark=Mark.BLOCKED, nonce=nonce)
        ]
    return [
        InboundMessage(
            id=id_,
            address=address_of(fields.get("From")),
            text=words.text,
            payload=words.payload,
            is_wordless=words.is_wordless,
            channel=channel,
            nonce=nonce,
        )
    ]
