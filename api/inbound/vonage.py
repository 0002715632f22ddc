"""Vonage: the SMS API's ``sig`` field, and the Messages API's bearer token."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import md5, sha256
from typing import Annotated, Any, Literal

import msgspec

from api.inbound.binary import Letters, is_part, letters_in_hexadecimal
from api.inbound.delivery import FORM, JSON, Delivery, part_of
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
    bytes_of,
    claims_of,
    hmac_of,
    instant_of_epoch,
    require_any,
    require_fresh,
    same,
)
from api.inbound.wording import words_in
from api.work import Reply
from rules.vocabulary import Channel

OPTED_OUT = "9"
"""The SMS API's ``err-code`` for a number that its opt-out list holds."""

_CHANNELS = {
    "sms": Channel.SMS,
    "mms": Channel.MMS,
    "rcs": Channel.RCS,
    "whatsapp": Channel.WHATSAPP,
}


_NOT_SAID = ("context", "profile", "whatsapp", "sms", "from", "to")


class VonageCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``signature_method`` is the account's for the SMS API; ``md5hash`` is its weak default."""

    signature_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    signature_method: Literal["sha256", "sha512", "sha1", "md5", "md5hash"] = "sha256"


class Vonage:
    """Inbound messages of both APIs, and receipts of the SMS API that say somebody opted out."""

    name = ProviderName.VONAGE
    credentials = VonageCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[VonageCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        if delivery.header("authorization"):
            _require_token(delivery, secrets, now=now)
            return _of_messages_api(delivery.json())
        fields = _parameters_of(delivery)
        require_any(secrets, lambda secret: _is_signed(fields, secret))
        require_fresh(instant_of_epoch(fields.get("timestamp")), now=now)
        return _of_sms_api(fields)


def _require_token(
    delivery: Delivery, secrets: Sequence[VonageCredentials], *, now: datetime
) -> None:
    """The token says who signed and when, and which body: without that it would fit any."""
    scheme, _, token = delivery.header("authorization").partition(" ")
    claims: dict[str, Any] = {}
    for secret in secrets:
        claims = claims or claims_of(token.strip(), secret.signature_secret, ["HS256"]) or {}
    digest = sha256(delivery.body).hexdigest()
    is_whole = (
        scheme.lower() == "bearer"
        and claims.get("iss") == "Vonage"
        and same(text_of(claims.get("payload_hash")).lower(), digest)
    )
    require_any([is_whole], bool)
    require_fresh(instant_of_epoch(claims.get("iat")), now=now)


def _parameters_of(delivery: Delivery) -> dict[str, str]:
    if delivery.method == "GET":
        return dict(delivery.query_fields())
    delivery.require(FORM, JSON)
    if delivery.media_type == FORM:
        return dict(delivery.form())
    return {name: _as_signed(value) for name, value in delivery.json().items()}


def _as_signed(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_signed(fields: Mapping[str, str], secret: VonageCredentials) -> bool:
    text = "".join(
        f"&{name}={value.replace('&', '_').replace('=', '_')}"
        for name, value in sorted(fields.items())
        if name != "sig"
    )
    if secret.signature_method == "md5hash":
        whole = bytes_of(text + secret.signature_secret)
        expected = md5(whole, usedforsecurity=False).hexdigest()  # The account's choice, not ours.
    else:
        expected = hmac_of(secret.signature_secret, text, secret.signature_method).hex()
    return same(fields.get("sig", "").lower(), expected)


def _of_sms_api(fields: Mapping[str, str]) -> list[InboundMessage]:
    id_ = id_of(fields.get("messageId") or fields.get("message-id"))
    at = instant_of(fields.get("message-timestamp"))
    if "err-code" in fields or ("status" in fields and "text" not in fields):
        if fields.get("err-code") != OPTED_OUT:
            return []
        address = address_of(fields.get("msisdn"))
        return [InboundMessage(id=id_, address=address, received_at=at, mark=Mark.BLOCKED)]
    letters = Letters(fields.get("text", ""), is_guessed=False)
    if not letters.text and "data" in fields:
        letters = letters_in_hexadecimal(fields["data"])
    return [
        InboundMessage(
            id=id_,
            address=address_of(fields.get("msisdn")),
            text=letters.text,
            # The parts of a long message come one by one, in any order.
            in_doubt=letters.is_guessed
            or "concat-ref" in fields
            or fields.get("concat", "").lower() == "true"
            or is_part(fields.get("udh", "")),
            received_at=at,
        )
    ]


def _of_messages_api(body: Mapping[str, Any]) -> list[InboundMessage]:
    if "status" in body and "text" not in body and "message_type" not in body:
        return []
    sender = body.get("from")
    channel = body.get("channel", part_of(sender, "type"))
    words = words_in({name: value for name, value in body.items() if name not in _NOT_SAID})
    return [
        InboundMessage(
            id=id_of(body.get("message_uuid")),
            address=address_of(part_of(sender, "number") if isinstance(sender, dict) else sender),
            text=words.text,
            payload=words.payload,
            is_wordless=words.is_wordless,
            channel=_CHANNELS.get(str(channel), Channel.SMS),
            received_at=instant_of(body.get("timestamp")),
        )
    ]
