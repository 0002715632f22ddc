"""Bird, and MessageBird before it: two schemes, both over the URL and the body."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec

from api.inbound.delivery import FORM, JSON, Delivery, part_of
from api.inbound.message import (
    InboundMessage,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import (
    claims_of,
    from_base64,
    hmac_of,
    instant_of_epoch,
    require_any,
    require_fresh,
    same,
)
from api.inbound.wording import words_in, words_of
from api.work import Reply
from rules.vocabulary import Channel

_CHANNELS = {"rcs": Channel.RCS, "whatsapp": Channel.WHATSAPP, "email": Channel.EMAIL}


class MessageBirdCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The signing key of the webhook subscription, or of the older account."""

    signing_key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class MessageBird:
    """Inbound messages of Bird's channels, and of the older numbers."""

    name = ProviderName.MESSAGEBIRD
    credentials = MessageBirdCredentials
    answer = Reply(200, b"OK")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[MessageBirdCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        token = delivery.header("messagebird-signature-jwt")
        if token:
            _require_token(token, delivery, secrets, now=now)
        else:
            require_any(secrets, lambda secret: _is_signed(delivery, secret))
            signed_at = delivery.header("messagebird-request-timestamp")
            require_fresh(instant_of_epoch(signed_at), now=now)
        if delivery.method == "GET":
            return _of_number(dict(delivery.query_fields()))
        delivery.require(JSON, FORM)
        if delivery.media_type == FORM:
            return _of_number(dict(delivery.form()))
        body = delivery.json()
        return _of_channel(body) if "payload" in body else _of_number(body)


def _is_signed(delivery: Delivery, secret: MessageBirdCredentials) -> bool:
    signed_at = delivery.header("messagebird-request-timestamp")
    message = f"{signed_at}\n{delivery.url}\n".encode() + sha256(delivery.body).digest()
    signature = from_base64(delivery.header("messagebird-signature"))
    return same(signature, hmac_of(secret.signing_key, message))


def _require_token(
    token: str, delivery: Delivery, secrets: Sequence[MessageBirdCredentials], *, now: datetime
) -> None:
    claims: dict[str, Any] = {}
    for secret in secrets:
        known = claims_of(token, secret.signing_key, ["HS256", "HS384", "HS512"])
        claims = claims or known or {}
    payload_hash = sha256(delivery.body).hexdigest() if delivery.body else ""
    is_whole = (
        claims.get("iss") == "MessageBird"
        and same(text_of(claims.get("url_hash")), sha256(delivery.url.encode()).hexdigest())
        and same(text_of(claims.get("payload_hash")), payload_hash)
    )
    require_any([is_whole], bool)
    begins, ends = instant_of_epoch(claims.get("nbf")), instant_of_epoch(claims.get("exp"))
    require_fresh(begins, now=now)
    require_fresh(None if ends is None or ends < now else now, now=now)


def _of_channel(body: Mapping[str, Any]) -> list[InboundMessage]:
    payload = body["payload"]
    event = text_of(body.get("event"))
    if part_of(payload, "direction") == "outgoing" or event.endswith(".outbound"):
        return []
    words = words_in({"body": part_of(payload, "body")})
    return [
        InboundMessage(
            id=id_of(part_of(payload, "id")),
            address=address_of(part_of(payload, "sender", "contact", "identifierValue")),
            text=words.text,
            payload=words.payload,
            is_wordless=words.is_wordless,
            channel=_CHANNELS.get(event.partition(".")[0], Channel.SMS),
            received_at=instant_of(part_of(payload, "createdAt")),
        )
    ]


def _of_number(fields: Mapping[str, Any]) -> list[InboundMessage]:
    return [
        InboundMessage(
            id=id_of(fields.get("id")),
            address=address_of(fields.get("originator")),
            text=words_of([fields.get("body"), fields.get("message")]).text,
            received_at=instant_of(fields.get("createdDatetime")),
        )
    ]
