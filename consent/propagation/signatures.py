"""Signatures of Standard Webhooks: ``v1`` (HMAC-SHA-256) and ``v1a`` (Ed25519).

Signed is ``id.timestamp.body``. A message carries a signature by every secret that holds at the
time, so that a receiver may change over when it likes.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_SIZE: Final = 32
TOLERANCE: Final = timedelta(minutes=5)
"""How far the clock of whoever signed may be from ours."""

_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what it begins with, not the secret
_PUBLIC_PREFIX: Final = "whpk_"


class Secret(msgspec.Struct, frozen=True):
    """What one generation of an endpoint's messages is signed with.

    ``until``: from then on it signs no more; None for the one in use.
    """

    shared: bytes
    private: bytes
    until: datetime | None = None

    @classmethod
    def new(cls) -> "Secret":
        """Draw one: 256 bits that the receiver knows too, and 256 that nobody else knows."""
        return cls(os.urandom(SECRET_SIZE), os.urandom(SECRET_SIZE))

    @property
    def shown(self) -> str:
        """The shared secret as receivers configure it."""
        return _SECRET_PREFIX + base64.b64encode(self.shared).decode()

    @property
    def public_key(self) -> str:
        """The key that verifies ``v1a``, as receivers configure it."""
        public = Ed25519PrivateKey.from_private_bytes(self.private).public_key()
        return _PUBLIC_PREFIX + base64.b64encode(public.public_bytes_raw()).decode()

    def holds(self, now: datetime) -> bool:
        """Whether it signs, and is accepted, at ``now``."""
        return self.until is None or now < self.until


class Signer:
    """The secrets of one endpoint, ready to sign many messages."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        self._keys = [
            (secret, Ed25519PrivateKey.from_private_bytes(secret.private)) for secret in secrets
        ]

    def headers(self, id_: str, body: bytes, *, now: datetime) -> dict[str, str]:
        """The three headers of a message; the newest secret's signatures stand first."""
        timestamp = int(now.timestamp())
        signed = _signed(id_, timestamp, body)
        signatures: list[str] = []
        for secret, private in self._keys:
            if secret.holds(now):
                digest = hmac.digest(secret.shared, signed, "sha256")
                signatures.append(f"v1,{base64.b64encode(digest).decode()}")
                signatures.append(f"v1a,{base64.b64encode(private.sign(signed)).decode()}")
        return {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
        }


def is_signed(
    secrets: Sequence[Secret],
    *,
    id_: str,
    timestamp: str,
    signature: str,
    body: bytes,
    now: datetime,
) -> bool:
    """Whether a receiver signed this with a secret that holds (``v1``), a few minutes ago at most.

    It has no private key, so ``v1a`` proves nothing here.
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    if abs(int(timestamp) - now.timestamp()) > TOLERANCE.total_seconds():
        return False
    signed = _signed(id_, int(timestamp), body)
    given = [one.removeprefix("v1,") for one in signature.split() if one.startswith("v1,")]
    expected = [
        hmac.digest(secret.shared, signed, "sha256") for secret in secrets if secret.holds(now)
    ]
    return any(hmac.compare_digest(_decoded(one), digest) for one in given for digest in expected)


def _signed(id_: str, timestamp: int, body: bytes) -> bytes:
    return f"{id_}.{timestamp}.".encode() + body


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
