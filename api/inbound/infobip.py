"""Infobip: several messages a request; a name and password, or a keyed hash of the body."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from api.errors import InvalidRequestError
from api.inbound.delivery import Delivery, first_of, part_of
from api.inbound.message import (
    InboundMessage,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import from_base64, hmac_of, is_basic, require_any, same
from api.work import Reply


class InfobipCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``username`` and ``password``, or ``hmac_secret``: as the account's security settings say.

    ``hmac_header`` is where the hash stands, in hexadecimal or base64.
    """

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    hmac_secret: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    hmac_algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    hmac_header: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "X-Hub-Signature"

    def __post_init__(self) -> None:
        """Refuse credentials that verify nothing."""
        if self.hmac_secret is None and (self.username is None or self.password is None):
            raise ValueError("give hmac_secret, or username and password")


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
        require_any(secrets, lambda secret: _is_signed(delivery, secret))
        results = body.get("results")
        if not isinstance(results, list):
            raise InvalidRequestError(
                "the body does not fit its shape", (("/results", "this field is required"),)
            )
        return [_message_of(result) for result in results if isinstance(result, dict)]


def _is_signed(delivery: Delivery, secret: InfobipCredentials) -> bool:
    if secret.hmac_secret is None:
        assert secret.username is not None, "its credentials are one or the other"
        assert secret.password is not None, "its credentials are one or the other"
        return is_basic(delivery, secret.username, secret.password)
    given = delivery.header(secret.hmac_header.lower()).strip()
    given = given.removeprefix(f"{secret.hmac_algorithm}=")
    expected = hmac_of(secret.hmac_secret, delivery.body, secret.hmac_algorithm)
    in_hexadecimal = same(given.lower(), expected.hex())
    return same(from_base64(given), expected) or in_hexadecimal


def _message_of(result: Mapping[str, Any]) -> InboundMessage:
    content = first_of(result.get("content"))
    text = text_of(result.get("text")) or text_of(result.get("cleanText"))
    return InboundMessage(
        id=id_of(result.get("messageId")),
        address=address_of(result.get("from", result.get("sender"))),
        text=text or text_of(part_of(content, "text")),
        received_at=instant_of(result.get("receivedAt")),
    )
