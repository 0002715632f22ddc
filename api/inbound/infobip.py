"""Infobip: several messages a request; a name and password, or a keyed hash of the body."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from api.errors import InvalidRequestError
from api.inbound.delivery import Delivery
from api.inbound.message import (
    InboundMessage,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import KeyOrPassword, from_base64, hmac_of, require_any, same
from api.inbound.wording import Words, words_in, words_of
from api.work import Reply
from rules.vocabulary import Channel

_CHANNELS = {"whatsapp": Channel.WHATSAPP, "rcs": Channel.RCS, "mms": Channel.MMS}


class InfobipCredentials(KeyOrPassword, frozen=True, kw_only=True):
    """``username`` and ``password``, or ``hmac_secret``: as the account's security settings say.

    ``hmac_header`` is where the hash stands, in hexadecimal or base64.
    """

    hmac_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    hmac_algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    hmac_header: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "X-Hub-Signature"

    @property
    def key(self) -> str | None:
        """What hashes the body."""
        return self.hmac_secret


class Infobip:
    """Inbound messages. Neither scheme has a time in it; ids tell what comes twice."""

    name = ProviderName.INFOBIP
    credentials = InfobipCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    async def read(
        self, delivery: Delivery, secrets: Sequence[InfobipCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read."""
        body = delivery.json()
        require_any(
            secrets, lambda one: one.verifies(delivery, lambda key: _is_signed(delivery, one, key))
        )
        results = body.get("results")
        if not isinstance(results, list):
            raise InvalidRequestError(
                "the body does not fit its shape", (("/results", "this field is required"),)
            )
        every = [result for result in results if isinstance(result, dict)]
        return [_message_of(result) for result in every if not _is_report(result)]


def _is_signed(delivery: Delivery, secret: InfobipCredentials, key: str) -> bool:
    given = delivery.header(secret.hmac_header.lower()).strip()
    given = given.removeprefix(f"{secret.hmac_algorithm}=")
    expected = hmac_of(key, delivery.body, secret.hmac_algorithm)
    in_hexadecimal = same(given.lower(), expected.hex())
    return same(from_base64(given), expected) or in_hexadecimal


def _is_report(result: Mapping[str, Any]) -> bool:
    """Whether it is about a message of ours: whoever stands there as its sender is we."""
    event = text_of(result.get("event")).lower()
    reports = event not in ("", "mo") or "status" in result or "seenAt" in result
    return reports and not _words_of(result).text


def _message_of(result: Mapping[str, Any]) -> InboundMessage:
    words = _words_of(result)
    channel = text_of(result.get("integrationType")) or text_of(result.get("channel"))
    return InboundMessage(
        id=id_of(result.get("messageId")),
        address=address_of(result.get("from", result.get("sender"))),
        text=words.text,
        payload=words.payload,
        is_wordless=words.is_wordless,
        channel=_CHANNELS.get(channel.lower(), Channel.SMS),
        received_at=instant_of(result.get("receivedAt")),
    )


def _words_of(result: Mapping[str, Any]) -> Words:
    """Where a text message has its text, where the other channels have theirs, and the newer API.

    ``keyword`` is cut off what ``cleanText`` is the rest of.
    """
    if text_of(result.get("text")).strip():
        return words_of([result["text"]])
    cut = " ".join(filter(None, (text_of(result.get(name)) for name in ("keyword", "cleanText"))))
    said = words_in({name: result.get(name) for name in ("message", "content")})
    return said if said.text else words_of([cut], is_wordless=said.is_wordless)
