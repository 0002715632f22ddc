"""Sinch: JSON signed with the webhook's secret, or with a name and password where it is not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from api.inbound.delivery import Delivery, part_of
from api.inbound.message import (
    InboundMessage,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import (
    hmac_of,
    instant_of_epoch,
    is_basic,
    require_any,
    require_fresh,
    same_base64,
)
from api.work import Reply
from rules.vocabulary import Channel

_PREFIX = "x-sinch-webhook-signature"
_CHANNELS = {"mo_text": Channel.SMS, "mo_binary": Channel.SMS, "mo_media": Channel.MMS}


class SinchCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``secret``, or ``username`` and ``password`` of an account that does not sign."""

    secret: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    username: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None

    def __post_init__(self) -> None:
        """Refuse credentials that verify nothing."""
        if self.secret is None and (self.username is None or self.password is None):
            raise ValueError("give secret, or username and password")


class Sinch:
    """Inbound messages of the SMS API."""

    name = ProviderName.SINCH
    credentials = SinchCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[SinchCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        body = delivery.json()
        require_any(secrets, lambda secret: _is_signed(delivery, secret))
        if delivery.header(_PREFIX):
            require_fresh(instant_of_epoch(delivery.header(f"{_PREFIX}-timestamp")), now=now)
        return _messages_of(body)


def _is_signed(delivery: Delivery, secret: SinchCredentials) -> bool:
    if secret.secret is None:
        assert secret.username is not None, "its credentials are one or the other"
        assert secret.password is not None, "its credentials are one or the other"
        return is_basic(delivery, secret.username, secret.password)
    nonce, signed_at = delivery.header(f"{_PREFIX}-nonce"), delivery.header(f"{_PREFIX}-timestamp")
    message = delivery.body + f".{nonce}.{signed_at}".encode("utf-8", "surrogateescape")
    return same_base64(delivery.header(_PREFIX), hmac_of(secret.secret, message))


def _messages_of(body: Mapping[str, Any]) -> list[InboundMessage]:
    channel = _CHANNELS.get(text_of(body.get("type")))
    if channel is None:
        return []
    said = body.get("body")
    return [
        InboundMessage(
            id=id_of(body.get("id")),
            address=address_of(body.get("from")),
            text=text_of(said) or text_of(part_of(said, "message")),
            channel=channel,
            received_at=instant_of(body.get("received_at")),
        )
    ]
