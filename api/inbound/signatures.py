"""What the providers' signatures have in common: keyed hashes, and how old a request may be."""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from api.errors import StaleRequestError, UnverifiedError
from api.inbound.delivery import Delivery
from api.inbound.message import InboundMessage, ProviderName
from api.work import Reply

FRESH_FOR = timedelta(minutes=5)
"""How far a request's own time may lie from ours, either way."""

_CLAIMS: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])

S = TypeVar("S")


class Provider(Protocol):
    """One provider's webhook.

    ``credentials`` is the struct of what an organisation gives for it; ``answer`` what it
    expects to hear when its message was taken.
    """

    @property
    def name(self) -> ProviderName: ...

    @property
    def credentials(self) -> type[msgspec.Struct]: ...

    @property
    def answer(self) -> Reply: ...

    @property
    def media_type(self) -> bytes: ...

    async def read(
        self, delivery: Delivery, secrets: Sequence[Any], *, now: datetime
    ) -> Sequence[InboundMessage]:
        """Verify ``delivery`` by any of ``secrets``, and then read it.

        ``UnverifiedError``: it is not signed, or not by them, or was altered.
        ``StaleRequestError``: it is too old, or ahead of time.
        """
        ...


class KeyOrPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Credentials of an account that signs with a key, or else calls with a name and password."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None

    @property
    def key(self) -> str | None:
        """What the account signs with; None where it does not."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        """Refuse credentials that verify nothing."""
        if self.key is None and (self.username is None or self.password is None):
            raise ValueError("give the account's secret, or username and password")

    def verifies(self, delivery: Delivery, is_signed: Callable[[str], bool]) -> bool:
        """Whether the request is the account's; where there is a key, by the key alone."""
        if self.key is not None:
            return is_signed(self.key)
        assert self.username is not None, "its credentials are one or the other"
        assert self.password is not None, "its credentials are one or the other"
        return _is_basic(delivery, self.username, self.password)


def require_any(secrets: Sequence[S], verifies: Callable[[S], bool]) -> None:
    """Refuse what none of these secrets verifies; without a secret that is everything."""
    if not any(verifies(secret) for secret in secrets):
        raise UnverifiedError("the signature is missing, or is not the provider's")


def hmac_of(secret: str, message: str | bytes, algorithm: str = "sha256") -> bytes:
    """A keyed hash."""
    return hmac.digest(bytes_of(secret), bytes_of(message), algorithm)


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compare in a time that tells nothing."""
    return hmac.compare_digest(bytes_of(left), bytes_of(right))


def same_base64(signature: str, expected: bytes) -> bool:
    """Whether this is the base64 of the signature that is expected."""
    return same(signature.strip(), base64.b64encode(expected))


def from_base64(text: str) -> bytes:
    """Decode; what is no base64 is nothing."""
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def require_fresh(at: datetime | None, *, now: datetime, within: timedelta = FRESH_FOR) -> None:
    """Refuse what is older than ``within``, or more than five minutes ahead."""
    if at is None or at < now - within or at > now + FRESH_FOR:
        raise StaleRequestError("the request is too old, is ahead of time, or names no time")


def instant_of_epoch(seconds: object) -> datetime | None:
    """Seconds since 1970, as a number or in digits."""
    try:
        return datetime.fromtimestamp(int(str(seconds).strip()), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def claims_of(token: str, secret: str, algorithms: Sequence[str]) -> dict[str, Any] | None:
    """The claims of a JWT that this secret signed; None where it did not."""
    try:
        key = OctKey.import_key(secret)
        return _CLAIMS.decode(
            jws.deserialize_compact(token, key, algorithms=list(algorithms)).payload
        )
    except (JoseError, ValueError, msgspec.MsgspecError):
        return None


def bytes_of(value: str | bytes) -> bytes:
    """The bytes that were signed: those that are no UTF-8 as they came."""
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")


def _is_basic(delivery: Delivery, username: str, password: str) -> bool:
    scheme, _, given = delivery.header("authorization").partition(" ")
    wanted = f"{username}:{password}"
    return scheme.lower() == "basic" and same(from_base64(given), wanted)
