"""Permits: what they prove, to whom, and for how long."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import KeySet

from audit.permits import (
    ALGORITHM,
    Claims,
    PermitSigner,
    Permitted,
    PermitVerifier,
    Why,
    key_set,
    mismatch,
    recipient_digest,
)

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
SIGNER = PermitSigner("key-1", KEY)
VERIFIER = PermitVerifier({"key-1": KEY.public_key()})
MESSAGE = Permitted(
    organisation="org_a",
    sender="acme",
    recipient="+12125550123",
    channel="sms",
    purpose="marketing",
    sender_id="+12125550100",
    text="Acme: 20% off.",
    decision="chk_" + "0" * 32,
    valid_from=NOW,
    valid_until=NOW + timedelta(minutes=10),
)


def claims_of(permitted: Permitted = MESSAGE) -> Claims:
    claims = VERIFIER.read(SIGNER.sign(permitted), now=NOW)
    assert isinstance(claims, Claims), claims
    return claims


def test_a_permit_says_what_it_is_for() -> None:
    claims = claims_of()
    assert mismatch(claims, MESSAGE) is None
    assert (claims.decision, claims.valid_until) == (MESSAGE.decision, MESSAGE.valid_until)


def test_it_names_neither_the_address_nor_the_text() -> None:
    payload = SIGNER.sign(MESSAGE).split(".")[1]
    opened = base64.urlsafe_b64decode(payload + "==")
    assert b"2125550123" not in opened
    assert b"20%" not in opened


def test_two_permits_for_one_recipient_do_not_show_it() -> None:
    assert claims_of().recipient != claims_of().recipient


def test_any_library_verifies_it_with_the_published_keys_alone() -> None:
    published = KeySet.import_key_set(key_set({"key-1": KEY.public_key()}))  # type: ignore[arg-type]
    opened = jws.deserialize_compact(SIGNER.sign(MESSAGE), published, algorithms=[ALGORITHM])
    claims = msgspec.json.decode(opened.payload)
    salt = base64.urlsafe_b64decode(claims["salt"] + "==")
    assert claims["recipient"] == recipient_digest(salt, "+12125550123")
    assert opened.headers() == {"alg": "Ed25519", "kid": "key-1", "typ": "permit+jws"}


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("organisation", "org_b", Why.OTHER_ORGANISATION),
        ("sender", "beta", Why.OTHER_SENDER),
        ("recipient", "+12125550124", Why.OTHER_RECIPIENT),
        ("channel", "voice", Why.OTHER_CHANNEL),
        ("purpose", "service", Why.OTHER_PURPOSE),
        ("sender_id", "+12125550101", Why.OTHER_FROM),
        ("sender_id", None, Why.OTHER_FROM),
        ("text", "Acme: 30% off.", Why.OTHER_TEXT),
        ("text", None, Why.OTHER_TEXT),
    ],
)
def test_it_is_for_no_other_message(field: str, value: str | None, why: Why) -> None:
    changed: dict[str, Any] = {field: value}
    assert mismatch(claims_of(), msgspec.structs.replace(MESSAGE, **changed)) is why


@pytest.mark.parametrize("field", ["sender_id", "text"])
def test_what_was_checked_without_from_or_text_holds_for_any(field: str) -> None:
    without: dict[str, Any] = {field: None}
    claims = claims_of(msgspec.structs.replace(MESSAGE, **without))
    assert mismatch(claims, MESSAGE) is None


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (timedelta(seconds=-1), Why.NOT_YET),
        (timedelta(0), None),
        (timedelta(minutes=10, microseconds=-1), None),
        (timedelta(minutes=10), Why.EXPIRED),
    ],
)
def test_it_holds_in_its_time_only(after: timedelta, why: Why | None) -> None:
    read = VERIFIER.read(SIGNER.sign(MESSAGE), now=NOW + after)
    assert (read if isinstance(read, Why) else None) is why


def test_a_permit_under_another_key_is_none() -> None:
    assert VERIFIER.read(PermitSigner("key-2", KEY).sign(MESSAGE), now=NOW) is Why.UNKNOWN_KEY
    forged = PermitSigner("key-1", OTHER_KEY).sign(MESSAGE)
    assert VERIFIER.read(forged, now=NOW) is Why.BAD_SIGNATURE


def test_a_changed_permit_is_none() -> None:
    header, payload, signature = SIGNER.sign(MESSAGE).split(".")
    longer = base64.urlsafe_b64decode(payload + "==").replace(b"2026", b"2036")
    changed = base64.urlsafe_b64encode(longer).decode().rstrip("=")
    assert VERIFIER.read(f"{header}.{changed}.{signature}", now=NOW) is Why.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "HS256", "EdDSA"])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    header = msgspec.json.encode({"alg": algorithm, "kid": "key-1"})
    encoded = base64.urlsafe_b64encode(header).decode().rstrip("=")
    payload = SIGNER.sign(MESSAGE).split(".")[1]
    signature = base64.urlsafe_b64encode(KEY.sign(f"{encoded}.{payload}".encode())).decode()
    forged = f"{encoded}.{payload}.{signature.rstrip('=')}"
    assert isinstance(VERIFIER.read(forged, now=NOW), Why)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.é.é", "bnVsbA.e30.e30", "x" * 5000])
def test_what_is_no_permit_is_malformed(text: str) -> None:
    assert VERIFIER.read(text, now=NOW) is Why.MALFORMED
