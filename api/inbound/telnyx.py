"""Telnyx: JSON signed with its Ed25519 key, over the time and the body."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.inbound.delivery import Delivery, first_of, part_of
from api.inbound.message import (
    InboundMessage,
    Mark,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import from_base64, instant_of_epoch, require_any, require_fresh
from api.inbound.wording import words_in
from api.work import Reply
from rules.vocabulary import Channel

OPTED_OUT = "40300"
"""Telnyx's error for a message to somebody who told it to stop."""

_KEY_SIZE = 32
_CHANNELS = {"MMS": Channel.MMS, "RCS": Channel.RCS, "WHATSAPP": Channel.WHATSAPP}
_SAID = ("text", "subject", "media", "body")


class TelnyxCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The account's public key, in base64 as its portal shows it."""

    public_key: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]

    def __post_init__(self) -> None:
        """Refuse what is no key."""
        if len(from_base64(self.public_key)) != _KEY_SIZE:
            raise ValueError("public_key is 32 bytes in base64")


class Telnyx:
    """Inbound messages, and reports that say somebody opted out there."""

    name = ProviderName.TELNYX
    credentials = TelnyxCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[TelnyxCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        body = delivery.json()
        require_any(secrets, lambda secret: _is_signed(delivery, secret))
        require_fresh(instant_of_epoch(delivery.header("telnyx-timestamp")), now=now)
        return _messages_of(body)


def _is_signed(delivery: Delivery, secret: TelnyxCredentials) -> bool:
    signed_at = delivery.header("telnyx-timestamp").encode("utf-8", "surrogateescape")
    signature = from_base64(delivery.header("telnyx-signature-ed25519"))
    key = Ed25519PublicKey.from_public_bytes(from_base64(secret.public_key))
    try:
        key.verify(signature, signed_at + b"|" + delivery.body)
    except InvalidSignature:
        return False
    return True


def _messages_of(body: Mapping[str, Any]) -> list[InboundMessage]:
    payload = part_of(body, "data", "payload")
    event = part_of(body, "data", "event_type")
    id_ = id_of(part_of(payload, "id"))
    channel = _CHANNELS.get(text_of(part_of(payload, "type")).upper(), Channel.SMS)
    if event == "message.received" or part_of(payload, "direction") == "inbound":
        words = words_in({name: part_of(payload, name) for name in _SAID})
        return [
            InboundMessage(
                id=id_,
                address=address_of(part_of(payload, "from", "phone_number")),
                text=words.text,
                payload=words.payload,
                is_wordless=words.is_wordless,
                channel=channel,
                received_at=instant_of(part_of(payload, "received_at")),
            )
        ]
    errors = part_of(payload, "errors")
    codes = {str(part_of(error, "code")) for error in errors} if isinstance(errors, list) else ()
    if OPTED_OUT not in codes:
        return []
    recipient = part_of(first_of(part_of(payload, "to")), "phone_number")
    address = address_of(recipient)
    return [InboundMessage(id=id_, address=address, channel=channel, mark=Mark.BLOCKED)]
