"""Permits: the signed, short-lived proof that one message to one person was allowed.

A JWS in compact form (RFC 7515), signed with Ed25519 (RFC 8037, RFC 9864). A gateway verifies it
with the public key alone. It names the recipient by a digest under a salt of its own, so that a
permit in a log is no list of addresses; it is confidential all the same.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHM: Final = "Ed25519"
_SALT_SIZE: Final = 16
_VERSION: Final = 1


class Why(StrEnum):
    """Why a permit does not stand, or not for this message."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    OTHER_ORGANISATION = "other_organisation"
    OTHER_SENDER = "other_sender"
    OTHER_RECIPIENT = "other_recipient"
    OTHER_CHANNEL = "other_channel"
    OTHER_PURPOSE = "other_purpose"
    OTHER_FROM = "other_from"
    OTHER_TEXT = "other_text"
    REVOKED = "revoked"
    UNDER_REVIEW = "under_review"
    USED = "used"
    UNKNOWN_DECISION = "unknown_decision"


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a permit is for. ``recipient`` is the normalised address.

    ``sender_id`` is the ``from`` as it was given, ``decision`` the label of its id.
    """

    organisation: str
    sender: str
    recipient: str
    channel: str
    purpose: str
    sender_id: str | None
    text: str | None
    decision: str
    valid_from: datetime
    valid_until: datetime


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a permit says. ``recipient`` and ``text`` are digests, see ``recipient_digest``.

    ``exp`` is ``valid_until`` in whole seconds (RFC 7519), for libraries that enforce it, and
    ``nbf`` the instant for which the message was checked: it must not go sooner.
    ``sender_id`` and ``text`` are null where the message was checked without them: the
    permit is then for any.
    """

    v: int
    organisation: str
    sender: str
    recipient: str
    salt: str
    channel: str
    purpose: str
    sender_id: str | None = msgspec.field(name="from")
    text: str | None
    decision: str
    valid_until: datetime
    exp: int
    nbf: int


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Claims)


class PermitSigner:
    """Signs permits with the newest key."""

    def __init__(self, kid: str, key: Ed25519PrivateKey) -> None:
        header = {"alg": ALGORITHM, "kid": kid, "typ": "permit+jws"}
        self._header = _base64url(_ENCODER.encode(header)).encode() + b"."
        self._key = key

    def sign(self, permitted: Permitted) -> str:
        """Give the permit for one allowed message."""
        salt = os.urandom(_SALT_SIZE)
        claims = Claims(
            v=_VERSION,
            organisation=permitted.organisation,
            sender=permitted.sender,
            recipient=recipient_digest(salt, permitted.recipient),
            salt=_base64url(salt),
            channel=permitted.channel,
            purpose=permitted.purpose,
            sender_id=permitted.sender_id,
            text=None if permitted.text is None else text_digest(permitted.text),
            decision=permitted.decision,
            valid_until=permitted.valid_until,
            exp=int(permitted.valid_until.timestamp()),
            nbf=int(permitted.valid_from.timestamp()),
        )
        # Every check passes here, and of the library's way over the same three steps the signature
        # itself is a third. What comes out is read by the library, here and in the tests.
        signed = self._header + _base64url(_ENCODER.encode(claims)).encode()
        return f"{signed.decode()}.{_base64url(self._key.sign(signed))}"


class PermitVerifier:
    """Verifies permits by the public keys under which one may still be out."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = {kid: OKPKey.import_key(key) for kid, key in keys.items()}

    def read(self, permit: str, *, now: datetime) -> Claims | Why:
        """Give what a permit says, or why it says nothing (any more)."""
        try:
            kid = jws.extract_compact(permit.encode()).headers().get("kid")
        except (JoseError, ValueError):
            return Why.MALFORMED
        key = self._keys.get(str(kid))
        if key is None:
            return Why.UNKNOWN_KEY
        try:
            opened = jws.deserialize_compact(permit.encode(), key, algorithms=[ALGORITHM])
        except (JoseError, ValueError):
            return Why.BAD_SIGNATURE
        try:
            claims = _DECODER.decode(opened.payload)
        except msgspec.MsgspecError:
            return Why.MALFORMED
        if claims.v != _VERSION:
            return Why.MALFORMED
        if now >= claims.valid_until:
            return Why.EXPIRED
        return claims if now.timestamp() >= claims.nbf else Why.NOT_YET


def mismatch(claims: Claims, permitted: Permitted) -> Why | None:
    """Tell in what a permit is for another message than this one, or None.

    A permit that names no ``from`` or no text was given without them, and holds for any.
    """
    compared: Sequence[tuple[bool, Why]] = (
        (claims.organisation == permitted.organisation, Why.OTHER_ORGANISATION),
        (claims.sender == permitted.sender, Why.OTHER_SENDER),
        (_is_recipient(claims, permitted.recipient), Why.OTHER_RECIPIENT),
        (claims.channel == permitted.channel, Why.OTHER_CHANNEL),
        (claims.purpose == permitted.purpose, Why.OTHER_PURPOSE),
        (claims.sender_id in (None, permitted.sender_id), Why.OTHER_FROM),
        (_is_text(claims, permitted.text), Why.OTHER_TEXT),
    )
    return next((why for same, why in compared if not same), None)


def recipient_digest(salt: bytes, normalised: str) -> str:
    """SHA-256 over the salt and the normalised address, in base64url: what a gateway computes."""
    return _base64url(sha256(salt + normalised.encode()).digest())


@lru_cache(maxsize=256)
def text_digest(text: str) -> str:
    """SHA-256 over the text in UTF-8, in base64url."""
    return _base64url(sha256(text.encode()).digest())


def key_set(keys: Mapping[str, Ed25519PublicKey]) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) by which anybody verifies permits."""
    return {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": _base64url(key.public_bytes_raw()),
                "kid": kid,
                "use": "sig",
                "alg": ALGORITHM,
            }
            for kid, key in keys.items()
        ]
    }


def _is_recipient(claims: Claims, normalised: str) -> bool:
    padded = claims.salt + "=" * (-len(claims.salt) % 4)
    salt = base64.urlsafe_b64decode(padded)
    return compare_digest(recipient_digest(salt, normalised), claims.recipient)


def _is_text(claims: Claims, text: str | None) -> bool:
    return claims.text is None or (text is not None and claims.text == text_digest(text))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
