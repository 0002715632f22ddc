"""Signatures of Standard Webhooks, held against another's implementation."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.clock import SystemClock
from consent.propagation.signatures import Secret, Signer, is_signed

ID = "dlv_00112233445566778899aabbccddeeff"
BODY = '{"type":"consent.revoked","data":{"address":"+12125550123","note":"½"}}'.encode()
NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def test_another_implementation_takes_our_signature_and_no_other() -> None:
    secret = Secret.new()
    # It looks at the machine's clock itself.
    headers = Signer([secret]).headers(ID, BODY, now=SystemClock().now())
    Webhook(secret.shown).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.shown).verify(BODY + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(Secret.new().shown).verify(BODY, headers)


def test_the_public_key_verifies_the_second_signature() -> None:
    secret = Secret.new()
    headers = Signer([secret]).headers(ID, BODY, now=NOW)
    assert secret.public_key.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(secret.public_key.removeprefix("whpk_"))
    )
    _, second = headers["webhook-signature"].split(" ")
    signature = base64.b64decode(second.removeprefix("v1a,"))
    signed = f"{ID}.{headers['webhook-timestamp']}.".encode() + BODY
    key.verify(signature, signed)
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed + b" ")


def test_while_a_secret_is_changed_over_both_sign() -> None:
    before = Secret.new()
    until = NOW + timedelta(hours=24)
    after, retiring = Secret.new(), Secret(before.shared, before.private, until)
    signer = Signer([after, retiring])
    meanwhile = signer.headers(ID, BODY, now=until - timedelta(seconds=1))
    assert len(meanwhile["webhook-signature"].split()) == 4
    then = signer.headers(ID, BODY, now=until)
    assert len(then["webhook-signature"].split()) == 2


def test_a_report_signed_by_another_implementation_is_taken() -> None:
    secret = Secret.new()
    text = BODY.decode()
    signature = Webhook(secret.shown).sign(ID, NOW, text)
    stamp = str(int(NOW.timestamp()))

    def check(signature: str = signature, stamp: str = stamp, now: datetime = NOW) -> bool:
        return is_signed(
            [Secret.new(), secret], id_=ID, timestamp=stamp, signature=signature, body=BODY, now=now
        )

    assert check()
    assert check(f"v1,AAAA v2,x {signature}")
    assert check(now=NOW + timedelta(minutes=5))
    assert not check(now=NOW + timedelta(minutes=5, seconds=1))
    assert not check(now=NOW - timedelta(minutes=5, seconds=1))
    assert not check(stamp=str(int(NOW.timestamp()) + 1))
    for odd in ("", "v1,", "v1,é", "v1a" + signature[2:], signature[3:], "v1," * 1000):
        assert not check(odd), odd
    for odd in ("", "-1", "1e9", "٣", "9" * 40, "nan"):
        assert not check(stamp=odd), odd


def test_a_secret_that_is_over_proves_nothing() -> None:
    over = Secret(b"k" * 32, b"p" * 32, NOW)
    signature = Webhook(over.shown).sign(ID, NOW, BODY.decode())
    stamp = str(int(NOW.timestamp()))
    given = {"id_": ID, "timestamp": stamp, "signature": signature, "body": BODY}
    assert is_signed([over], **given, now=NOW - timedelta(seconds=1))  # type: ignore[arg-type]
    assert not is_signed([over], **given, now=NOW)  # type: ignore[arg-type]
