"""Sinch: JSON signed with the webhook's secret, or with a name and password where it is not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from api.inbound.binary import Letters, is_part, letters_in_base64
from api.inbound.delivery import Delivery, part_of
from api.inbound.message import (
    InboundMessage,
    Mark,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import (
    KeyOrPassword,
    hmac_of,
    instant_of_epoch,
    require_any,
    require_fresh,
    same_base64,
)
from api.inbound.wording import words_in, words_of
from api.work import Reply
from rules.vocabulary import Channel

_PREFIX = "x-sinch-webhook-signature"
_CHANNELS = {"whatsapp": Channel.WHATSAPP, "rcs": Channel.RCS, "mms": Channel.MMS}


class SinchCredentials(KeyOrPassword, frozen=True, kw_only=True):
    """``secret``, or ``username`` and ``password`` of an account that does not sign."""

    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None

    @property
    def key(self) -> str | None:
        """What signs the body."""
        return self.secret


class Sinch:
    """Inbound messages of the SMS API, and of the Conversation API."""

    name = ProviderName.SINCH
    credentials = SinchCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[SinchCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        body = delivery.json()
        require_any(
            secrets, lambda one: one.verifies(delivery, lambda key: _is_signed(delivery, key))
        )
        if delivery.header(_PREFIX):
            require_fresh(instant_of_epoch(delivery.header(f"{_PREFIX}-timestamp")), now=now)
        return _messages_of(body)


def _is_signed(delivery: Delivery, key: str) -> bool:
    nonce, signed_at = delivery.header(f"{_PREFIX}-nonce"), delivery.header(f"{_PREFIX}-timestamp")
    message = delivery.body + f".{nonce}.{signed_at}".encode("utf-8", "surrogateescape")
    return same_base64(delivery.header(_PREFIX), hmac_of(key, message))


def _messages_of(body: Mapping[str, Any]) -> list[InboundMessage]:
    """A message, or Sinch's word that somebody opted out there; what reports on ours is neither."""
    message = part_of(body, "message")
    if part_of(message, "contact_message") is not None:
        return [_of_conversation(body, message)]
    stopped = part_of(body, "opt_out_notification")
    if stopped is not None:
        return [_of_opt_out(stopped)]
    kind = text_of(body.get("type"))
    if not kind.startswith("mo_") and ("report" in kind or "from" not in body):
        return []
    said, is_binary = body.get("body"), kind == "mo_binary"
    letters = letters_in_base64(text_of(said)) if is_binary else Letters("", is_guessed=False)
    words = words_of([letters.text]) if is_binary else words_in({"body": said})
    return [
        InboundMessage(
            id=id_of(body.get("id")),
            address=address_of(body.get("from")),
            text=words.text,
            payload=words.payload,
            is_wordless=words.is_wordless,
            in_doubt=letters.is_guessed or is_part(text_of(body.get("udh"))),
            channel=Channel.MMS if kind == "mo_media" else Channel.SMS,
            received_at=instant_of(body.get("received_at")),
        )
    ]


def _of_conversation(body: Mapping[str, Any], message: Mapping[str, Any]) -> InboundMessage:
    """What the Conversation API sends of any channel."""
    words = words_in(message["contact_message"])
    channel = text_of(part_of(message, "channel_identity", "channel"))
    return InboundMessage(
        id=id_of(message.get("id")),
        address=address_of(part_of(message, "channel_identity", "identity")),
        text=words.text,
        payload=words.payload,
        is_wordless=words.is_wordless,
        channel=_CHANNELS.get(channel.lower(), Channel.SMS),
        received_at=instant_of(message.get("accept_time", body.get("event_time"))),
    )


def _of_opt_out(notification: object) -> InboundMessage:
    channel = text_of(part_of(notification, "channel"))
    return InboundMessage(
        id=id_of(part_of(notification, "request_id")),
        address=address_of(part_of(notification, "identity")),
        channel=_CHANNELS.get(channel.lower(), Channel.SMS),
        mark=Mark.BLOCKED,
    )
