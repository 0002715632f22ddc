"""Vonage's two APIs, and every method of signing that an account may choose."""

import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from api.clock import SystemClock
from api.errors import StaleRequestError, UnverifiedError
from api.inbound.message import InboundMessage, Mark
from rules.vocabulary import Channel
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    FORM,
    NOW,
    SECRET,
    Said,
    Signed,
    a_token,
    sign_vonage_messages,
    sign_vonage_sms,
    their_packages,
    vonage_fields,
)

CREDENTIALS = {"signature_secret": SECRET}
JSON = {"Content-Type": "application/json"}


def of_form(fields: dict[str, str]) -> Signed:
    return Signed(body=urlencode(fields).encode(), headers={"Content-Type": FORM})


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256", "sha512"])
def test_each_keyed_hash_verifies_only_where_it_is_the_accounts(method: str) -> None:
    odd = Said(text="stop & tell me = why? ü 🙂")
    signed = of_form(sign_vonage_sms(vonage_fields(odd, NOW), method=method))
    (message,) = read("vonage", signed, {**CREDENTIALS, "signature_method": method})
    assert message == InboundMessage(id="message-1", address=ANN, text=odd.text, received_at=NOW)
    other = "sha256" if method != "sha256" else "sha512"
    with pytest.raises(UnverifiedError):
        read("vonage", signed, {**CREDENTIALS, "signature_method": other})


def test_the_plain_hash_is_taken_where_the_account_was_told_so() -> None:
    fields = vonage_fields(Said(), NOW)
    text = "".join(f"&{name}={value}" for name, value in sorted(fields.items()))
    fields["sig"] = hashlib.md5((text + SECRET).encode()).hexdigest()
    assert read("vonage", of_form(fields), {**CREDENTIALS, "signature_method": "md5hash"})
    with pytest.raises(UnverifiedError):
        read("vonage", of_form(fields), CREDENTIALS)


def test_json_is_read_as_forms_are() -> None:
    fields = sign_vonage_sms(vonage_fields(Said(), NOW))
    signed = Signed(body=json.dumps(fields).encode(), headers=JSON)
    assert read("vonage", signed, CREDENTIALS)[0].text == "STOP"


def test_a_signature_without_a_time_is_stale() -> None:
    fields = vonage_fields(Said(), NOW) | {"timestamp": ""}
    text = "".join(f"&{name}={value}" for name, value in sorted(fields.items()))
    fields["sig"] = hashlib.md5((text + SECRET).encode()).hexdigest()
    with pytest.raises(StaleRequestError):
        read("vonage", of_form(fields), {**CREDENTIALS, "signature_method": "md5hash"})


@pytest.mark.parametrize(("code", "blocked"), [("9", True), ("0", False), ("6", False)])
def test_a_receipt_of_somebody_opted_out_is_a_block(code: str, blocked: bool) -> None:
    receipt = {
        "msisdn": "12125550123",
        "messageId": "m2",
        "status": "rejected",
        "err-code": code,
        "timestamp": str(int(NOW.timestamp())),
    }
    messages = read("vonage", of_form(sign_vonage_sms(receipt)), CREDENTIALS)
    assert [(m.address, m.mark) for m in messages] == ([(ANN, Mark.BLOCKED)] if blocked else [])


BODY: dict[str, Any] = {
    "channel": "whatsapp",
    "message_uuid": "u1",
    "from": "12125550123",
    "message_type": "text",
    "text": "STOP",
    "timestamp": "2026-11-20T16:59:58Z",
}


@pytest.mark.parametrize(
    "pressed", [{"button": {"text": "Stop"}}, {"reply": {"id": "1", "title": "Stop"}}]
)
def test_a_button_that_was_pressed_says_what_a_text_would(pressed: dict[str, Any]) -> None:
    body = {name: value for name, value in BODY.items() if name != "text"}
    (message,) = read("vonage", sign_vonage_messages({**body, **pressed}, NOW), CREDENTIALS)
    assert message.text == "Stop"


def test_the_messages_api_is_read() -> None:
    (message,) = read("vonage", sign_vonage_messages(BODY, NOW), CREDENTIALS)
    assert (message.address, message.channel) == (ANN, Channel.WHATSAPP)
    older = {**BODY, "from": {"type": "sms", "number": "12125550123"}}
    del older["channel"]
    (message,) = read("vonage", sign_vonage_messages(older, NOW), CREDENTIALS)
    assert (message.address, message.channel) == (ANN, Channel.SMS)
    status = {"message_uuid": "u1", "status": "delivered"}
    assert read("vonage", sign_vonage_messages(status, NOW), CREDENTIALS) == []


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"payload_hash": "0" * 64},
        {"payload_hash": None},
    ],
)
def test_a_token_that_says_less_is_not_enough(change: dict[str, Any]) -> None:
    """Vonage's own package looks at the signature alone; then a token would fit any body."""
    raw = json.dumps(BODY).encode()
    claims = {
        "iss": "Vonage",
        "iat": int(NOW.timestamp()),
        "payload_hash": hashlib.sha256(raw).hexdigest(),
    }

    def signed(claims: dict[str, Any]) -> Signed:
        return Signed(body=raw, headers={**JSON, "Authorization": f"Bearer {a_token(claims)}"})

    assert read("vonage", signed(claims), CREDENTIALS)
    with pytest.raises(UnverifiedError):
        read("vonage", signed(claims | change), CREDENTIALS)


def test_a_token_of_another_algorithm_is_refused() -> None:
    raw = json.dumps(BODY).encode()
    claims = {
        "iss": "Vonage",
        "iat": int(NOW.timestamp()),
        "payload_hash": hashlib.sha256(raw).hexdigest(),
    }
    unsigned = "eyJhbGciOiJub25lIn0." + a_token(claims).split(".")[1] + "."
    for token in (a_token(claims, algorithm="HS512"), unsigned, "", "a.b", "a.b.c"):
        signed = Signed(body=raw, headers={**JSON, "Authorization": f"Bearer {token}"})
        with pytest.raises(UnverifiedError):
            read("vonage", signed, CREDENTIALS)


def test_vonages_own_package_takes_the_tokens_that_we_do() -> None:
    with their_packages():
        from vonage_jwt.verify_jwt import verify_signature
    now = SystemClock().now()
    signed = sign_vonage_messages(BODY, now)
    token = signed.headers["Authorization"].removeprefix("Bearer ")
    assert verify_signature(token, SECRET) is True
    assert verify_signature(token, "X" + SECRET[1:]) is False
    assert read("vonage", signed, CREDENTIALS, now=now)
