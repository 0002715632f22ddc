"""Sinch: what its own package signs and verifies, and accounts that do not sign."""

import json
from dataclasses import replace

import pytest

from api.errors import UnverifiedError
from rules.vocabulary import Channel
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    KINDS,
    NOW,
    SECRET,
    URL,
    Said,
    Signed,
    in_base64,
    their_packages,
)

CREDENTIALS = {"secret": SECRET}
BASIC = {"username": "sinch", "password": SECRET}


def basic(body: dict[str, object], given: str = f"sinch:{SECRET}") -> Signed:
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Basic {in_base64(given.encode())}",
    }
    return Signed(body=json.dumps(body).encode(), headers=headers)


def test_sinchs_own_package_takes_the_signatures_that_we_do() -> None:
    with their_packages():
        from sinch.domains.sms.sinch_events.v1.sms_sinch_event import SmsSinchEvent
    signed = KINDS["sinch"].sign(URL, Said(text="arrêt 🙂"), NOW)
    theirs = SmsSinchEvent(SECRET)
    assert theirs.validate_authentication_header(dict(signed.headers), signed.body)
    assert read("sinch", signed, CREDENTIALS)[0].text == "arrêt 🙂"
    altered = replace(signed, body=signed.body + b" ")
    assert not theirs.validate_authentication_header(dict(altered.headers), altered.body)
    with pytest.raises(UnverifiedError):
        read("sinch", altered, CREDENTIALS)


@pytest.mark.parametrize("header", ["nonce", "timestamp"])
def test_nonce_and_time_are_signed(header: str) -> None:
    signed = KINDS["sinch"].sign(URL, Said(), NOW)
    name = f"X-Sinch-Webhook-Signature-{header.title()}"
    with pytest.raises(UnverifiedError):
        read("sinch", replace(signed, headers={**signed.headers, name: "1"}), CREDENTIALS)


def test_a_name_and_password_verify_where_the_account_does_not_sign() -> None:
    body: dict[str, object] = {"type": "mo_text", "id": "m1", "from": "12125550123", "body": "STOP"}
    assert read("sinch", basic(body), BASIC)[0].address == ANN
    for given in ("sinch:wrong", "other:" + SECRET, "", ":"):
        with pytest.raises(UnverifiedError):
            read("sinch", basic(body, given), BASIC)
    with pytest.raises(UnverifiedError):
        read("sinch", basic(body), CREDENTIALS)


def test_a_message_with_media_has_its_text_inside() -> None:
    said = {"subject": "", "message": "STOP", "media": []}
    body: dict[str, object] = {"type": "mo_media", "id": "m1", "from": "12125550123", "body": said}
    (message,) = read("sinch", basic(body), BASIC)
    assert (message.text, message.channel) == ("STOP", Channel.MMS)


def test_a_delivery_report_is_no_reply() -> None:
    assert read("sinch", basic({"type": "delivery_report_sms"}), BASIC) == []
