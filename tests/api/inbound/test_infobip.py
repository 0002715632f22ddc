"""Infobip: several messages a call, and the hash where the account puts it."""

import hmac
import json
from typing import Any

import pytest

from api.errors import InvalidRequestError, UnverifiedError
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    NOW,
    SECRET,
    Said,
    Signed,
    in_base64,
    infobip_body,
    sign_infobip,
)

CREDENTIALS = {"hmac_secret": SECRET}
JSON = {"Content-Type": "application/json"}


def test_every_message_of_a_call_is_read() -> None:
    raw = infobip_body(Said(id="a"), Said(id="b", text="hello"), at=NOW)
    first, second = read("infobip", sign_infobip(raw), CREDENTIALS)
    assert (first.id, first.address, first.received_at) == ("a", ANN, NOW)
    assert (second.id, second.text) == ("b", "hello")


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("written", ["hexadecimal", "HEXADECIMAL", "prefixed", "base64"])
def test_the_hash_verifies_however_the_account_writes_it(algorithm: str, written: str) -> None:
    raw = infobip_body(Said(), at=NOW)
    digest = hmac.digest(SECRET.encode(), raw, algorithm)
    value = {
        "hexadecimal": digest.hex(),
        "HEXADECIMAL": digest.hex().upper(),
        "prefixed": f"{algorithm}={digest.hex()}",
        "base64": in_base64(digest),
    }[written]
    credentials = {**CREDENTIALS, "hmac_algorithm": algorithm, "hmac_header": "X-Our-Hash"}
    assert read("infobip", Signed(body=raw, headers={**JSON, "x-our-hash": value}), credentials)
    with pytest.raises(UnverifiedError):
        read("infobip", Signed(body=raw, headers={**JSON, "x-hub-signature": value}), credentials)


def test_the_newer_shape_is_read_too() -> None:
    results = [
        {
            "messageId": "m1",
            "sender": "12125550123",
            "content": [{"type": "TEXT", "text": "STOP"}],
        }
    ]
    raw = json.dumps({"results": results}).encode()
    (message,) = read("infobip", sign_infobip(raw), CREDENTIALS)
    assert (message.address, message.text) == (ANN, "STOP")


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": {}}])
def test_a_body_without_results_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        read("infobip", sign_infobip(json.dumps(body).encode()), CREDENTIALS)
