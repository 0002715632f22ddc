"""Sealing: AES-256-GCM under a person's key, AES-256-GCM-SIV under an organisation's.

Everything is bound to where it belongs by its associated data, each part with its length before
it. Nonces are random: a counter would repeat itself in a restored backup.
"""

import hmac
import os
from enum import IntEnum, StrEnum
from functools import lru_cache
from struct import Struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV

from consent.keys.errors import BrokenSealError
from consent.ledger.log import SealedPayload

KEY_SIZE = 32
NONCE_SIZE = 12
SALT_SIZE = 32
_SEAL_VERSION = b"\x01"
_HEADER_SIZE = 5


class KeyKind(StrEnum):
    """What a key is for."""

    SUBJECT = "subject"
    ORGANISATION = "organisation"
    INDEX = "index"
    SUPPRESSION_TOKEN = "suppression_token"  # noqa: S105 - the name of a key, not the key
    SUPPRESSION_PAYLOAD = "suppression_payload"
    STANDING = "standing"
    DECISION = "decision"
    RECORD = "record"
    DELIVERY = "delivery"
    IDEMPOTENCY = "idempotency"
    LINK = "link"


class Algorithm(IntEnum):
    """How a payload is sealed, as its row says."""

    AES_256_GCM = 1
    AES_256_GCM_SIV = 2


class SealingKey(msgspec.Struct, frozen=True):
    """A key ready for use, with its cipher set up. It never shows its bytes."""

    kind: KeyKind
    version: int
    algorithm: Algorithm
    cipher: AESGCM | AESGCMSIV

    @classmethod
    def of(cls, kind: KeyKind, version: int, key: bytes) -> "SealingKey":
        """Set up ``key``: GCM for one person's, GCM-SIV where one key seals without bound."""
        assert len(key) == KEY_SIZE, "all our keys have 256 bits"
        if kind is KeyKind.SUBJECT:
            return cls(kind, version, Algorithm.AES_256_GCM, AESGCM(key))
        return cls(kind, version, Algorithm.AES_256_GCM_SIV, AESGCMSIV(key))


class PayloadContext(msgspec.Struct, frozen=True):
    """What a payload is bound to, beside its key. ``subject`` is None where there is none."""

    organisation: str
    event_id: bytes
    type: str
    subject: bytes | None
    schema_version: int = 1


class OpenedPayload(msgspec.Struct, frozen=True):
    """A payload's canonical JSON, and the salt under which its leaf commits to it."""

    canonical: bytes
    salt: bytes


_length = Struct(">I").pack


def framed(*parts: bytes) -> bytes:
    """Join parts, each with its length before it, so that no two lists give the same bytes."""
    return b"".join([_length(len(part)) + part for part in parts])


def commitment(salt: bytes, canonical_payload: bytes) -> bytes:
    """What a leaf says of its payload. Without the salt it says nothing, not even to a guess."""
    return hmac.digest(salt, canonical_payload, "sha256")


def seal_payload(
    key: SealingKey, context: PayloadContext, canonical_payload: bytes
) -> SealedPayload:
    """Seal an entry's payload, a fresh salt inside, and commit to it."""
    randomness = os.urandom(SALT_SIZE + NONCE_SIZE)
    salt, nonce = randomness[:SALT_SIZE], randomness[SALT_SIZE:]
    bound_to = _payload_binding(context, key.kind, key.version, key.algorithm)
    return SealedPayload(
        commit=commitment(salt, canonical_payload),
        schema_version=context.schema_version,
        key_kind=key.kind.value,
        key_version=key.version,
        algorithm=int(key.algorithm),
        nonce=nonce,
        ciphertext=key.cipher.encrypt(nonce, salt + canonical_payload, bound_to),
    )


def open_payload(
    key: SealingKey, context: PayloadContext, *, nonce: bytes, ciphertext: bytes, commit: bytes
) -> OpenedPayload:
    """Open a payload and hold it against its leaf's ``commit``. ``BrokenSealError``: neither fits.

    ``key`` is the one that the payload's row names; no other is ever tried.
    """
    bound_to = _payload_binding(context, key.kind, key.version, key.algorithm)
    opened = _decrypt(key, nonce, ciphertext, bound_to)
    salt, canonical_payload = opened[:SALT_SIZE], opened[SALT_SIZE:]
    if not hmac.compare_digest(commitment(salt, canonical_payload), commit):
        raise BrokenSealError("a payload is not the one that its leaf commits to")
    return OpenedPayload(canonical_payload, salt)


def seal(key: SealingKey, organisation: str, plaintext: bytes, *context: bytes) -> bytes:
    """Seal a value that is no payload: version byte, key version, nonce and ciphertext in one.

    ``context`` says where it belongs; it opens with the same parts only.
    """
    nonce = os.urandom(NONCE_SIZE)
    header = _SEAL_VERSION + key.version.to_bytes(4, "big")
    bound_to = _sealed_binding(header, key.kind, organisation) + framed(*context)
    return header + nonce + key.cipher.encrypt(nonce, plaintext, bound_to)


def open_sealed(key: SealingKey, organisation: str, sealed: bytes, *context: bytes) -> bytes:
    """Open what ``seal`` made. ``BrokenSealError``: it was changed, or belongs elsewhere."""
    header = sealed[:_HEADER_SIZE]
    if header != _SEAL_VERSION + key.version.to_bytes(4, "big"):
        raise BrokenSealError("a sealed value is of another format or key than its place says")
    bound_to = _sealed_binding(header, key.kind, organisation) + framed(*context)
    nonce = sealed[_HEADER_SIZE : _HEADER_SIZE + NONCE_SIZE]
    return _decrypt(key, nonce, sealed[_HEADER_SIZE + NONCE_SIZE :], bound_to)


def key_version_of(sealed: bytes) -> int:
    """Which version of its key opens this value."""
    if len(sealed) < _HEADER_SIZE + NONCE_SIZE or sealed[:1] != _SEAL_VERSION:
        raise BrokenSealError("a sealed value is of a format that we do not know")
    return int.from_bytes(sealed[1:_HEADER_SIZE], "big")


@lru_cache(maxsize=1024)
def _sealed_binding(header: bytes, kind: KeyKind, organisation: str) -> bytes:
    return framed(b"cleartosend/sealed", header, kind.encode(), organisation.encode())


def _payload_binding(context: PayloadContext, kind: KeyKind, version: int, algorithm: int) -> bytes:
    return (
        _before_a_person(context.organisation)
        + framed(context.subject or b"", context.event_id)
        + _behind_a_person(context.type, context.schema_version, kind, version, algorithm)
    )


# Kept is what many values are bound to alike; nothing of one person's comes here.
@lru_cache(maxsize=1024)
def _before_a_person(organisation: str) -> bytes:
    return framed(b"cleartosend/payload", organisation.encode())


@lru_cache(maxsize=1024)
def _behind_a_person(
    type_: str, schema_version: int, kind: KeyKind, version: int, algorithm: int
) -> bytes:
    return framed(
        type_.encode(),
        schema_version.to_bytes(4, "big"),
        kind.encode(),
        version.to_bytes(4, "big"),
        bytes((algorithm,)),
    )


def _decrypt(key: SealingKey, nonce: bytes, ciphertext: bytes, bound_to: bytes) -> bytes:
    try:
        return key.cipher.decrypt(nonce, ciphertext, bound_to)
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce or a tag at all.
        raise BrokenSealError(f"what lies under the {key.kind} key does not open") from None
