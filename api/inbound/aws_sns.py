"""AWS End User Messaging: its messages come through an SNS topic, signed with a certificate."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from api.errors import RetryLaterError, UnverifiedError
from api.inbound.delivery import JSON, Delivery, object_in
from api.inbound.message import (
    InboundMessage,
    ProviderName,
    address_of,
    id_of,
    instant_of,
    text_of,
)
from api.inbound.signatures import FRESH_FOR, bytes_of, from_base64, require_fresh
from api.work import Reply

FRESH_FOR_TRIES = timedelta(hours=1) + FRESH_FOR
"""SNS signs once, and tries for an hour at most."""

CERTIFICATE_SIZE_MAX = 64 * 1024
_CERTIFICATES_MAX = 16
_SECONDS_MAX = 10

_REGION = r"[a-z]{2}(?:-[a-z]+){1,2}-[0-9]{1,2}"
_ARN = rf"^arn:aws(?:-cn|-us-gov)?:sns:{_REGION}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}$"
_CERTIFICATE_PATH = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem\Z")
_NOTIFICATION: Final = "Notification"
_CONFIRMATION: Final = "SubscriptionConfirmation"
_SIGNED: Final = {
    _NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    _CONFIRMATION: (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
    "UnsubscribeConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_HASHES: Final = {"1": SHA1, "2": SHA256}

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what stands at an https URL; ``RetryLaterError`` where it cannot be had."""


class AwsSnsCredentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The topic. ``allow_sha1``: it still signs by version 1, which SNS does unless told."""

    topic_arn: Annotated[str, msgspec.Meta(pattern=_ARN, max_length=400)]
    allow_sha1: bool = False


class AwsSns:
    """Notifications of one topic, and the confirmation of its subscription.

    Certificates come from the host of the topic's own region, and are kept in memory.
    """

    name = ProviderName.AWS_SNS
    credentials = AwsSnsCredentials
    answer = Reply(200, b"")
    media_type = b"text/plain"

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}

    async def read(
        self, delivery: Delivery, secrets: Sequence[AwsSnsCredentials], *, now: datetime
    ) -> list[InboundMessage]:
        """Verify and read; a subscription to the topic that we were told of is confirmed."""
        # SNS says that its JSON is text, which it is.
        envelope = {
            name: text_of(value) for name, value in delivery.json("text/plain", JSON).items()
        }
        topic = await self._require_signed(envelope, secrets, now=now)
        require_fresh(instant_of(envelope.get("Timestamp")), now=now, within=FRESH_FOR_TRIES)
        kind = envelope["Type"]
        if kind == _CONFIRMATION:
            await self._fetch(_confirmation_of(envelope, topic))
        if kind != _NOTIFICATION:
            return []
        return _messages_of(envelope)

    async def _require_signed(
        self, envelope: Mapping[str, str], secrets: Sequence[AwsSnsCredentials], *, now: datetime
    ) -> str:
        """The topic's name, once its signature holds."""
        version, names = envelope.get("SignatureVersion", ""), _SIGNED.get(envelope.get("Type", ""))
        known = [one for one in secrets if one.topic_arn == envelope.get("TopicArn")]
        allowed = {"1", "2"} if any(one.allow_sha1 for one in known) else {"2"}
        url = envelope.get("SigningCertURL", "")
        if not known or names is None or version not in allowed:
            raise UnverifiedError("the notification is not of this topic, or is not signed as told")
        if not is_of_topic(url, known[0].topic_arn) or not _CERTIFICATE_PATH.match(
            urlsplit(url).path
        ):
            raise UnverifiedError("the certificate does not lie where this topic's certificates do")
        certificate = await self._certificate(url)
        key = certificate.public_key()
        signed = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
        if not isinstance(key, RSAPublicKey) or not _is_valid(certificate, now):
            raise UnverifiedError("the certificate is not in force")
        try:
            key.verify(
                from_base64(envelope.get("Signature", "")),
                bytes_of(signed),
                PKCS1v15(),
                _HASHES[version](),
            )
        except InvalidSignature:
            raise UnverifiedError("the signature is not the topic's") from None
        return known[0].topic_arn

    async def _certificate(self, url: str) -> x509.Certificate:
        known = self._certificates.get(url)
        if known is not None:
            return known
        try:
            found = x509.load_pem_x509_certificate(await self._fetch(url))
        except ValueError:
            raise RetryLaterError("the provider's certificate cannot be read") from None
        if len(self._certificates) >= _CERTIFICATES_MAX:
            self._certificates.clear()
        self._certificates[url] = found
        return found


def is_of_topic(url: str, topic: str) -> bool:
    """Whether this is an https URL of SNS in the topic's own region, and nowhere else."""
    _, partition, _, region, *_ = topic.split(":")
    suffix = ".cn" if partition.endswith("cn") else ""
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and not has_port
        and parts.netloc == f"sns.{region}.amazonaws.com{suffix}"
    )


async def fetch_https(url: str) -> bytes:
    """Get a small document; a redirect is not followed. ``RetryLaterError``: it cannot be had."""
    try:
        async with (
            httpx.AsyncClient(follow_redirects=False, timeout=_SECONDS_MAX) as client,
            client.stream("GET", url) as answer,
        ):
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > CERTIFICATE_SIZE_MAX:
                    break
    except httpx.HTTPError:
        raise RetryLaterError("the provider cannot be asked now") from None
    if answer.status_code != 200 or len(content) > CERTIFICATE_SIZE_MAX:
        raise RetryLaterError("the provider cannot be asked now")
    return content


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _confirmation_of(envelope: Mapping[str, str], topic: str) -> str:
    """The URL that confirms; only one that confirms this very topic."""
    url = envelope.get("SubscribeURL", "")
    wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [topic]}
    asked = parse_qs(urlsplit(url).query) if is_of_topic(url, topic) else {}
    if any(asked.get(name) != values for name, values in wanted.items()):
        raise UnverifiedError("the subscription is not this topic's")
    return url


def _messages_of(envelope: Mapping[str, str]) -> list[InboundMessage]:
    said = object_in(envelope.get("Message", ""))
    return [
        InboundMessage(
            id=id_of(said.get("inboundMessageId")) or id_of(envelope.get("MessageId")),
            address=address_of(said.get("originationNumber")),
            text=text_of(said.get("messageBody")),
            received_at=instant_of(envelope.get("Timestamp")),
        )
    ]
