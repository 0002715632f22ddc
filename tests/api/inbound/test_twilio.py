"""Twilio's forms: two algorithms, ports, its own marks, and its word that somebody is blocked."""

from typing import Any
from urllib.parse import urlencode

import pytest

from api.errors import UnverifiedError
from api.inbound.message import InboundMessage, Mark
from rules.vocabulary import Channel
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    FORM,
    SECRET,
    URL,
    Said,
    Signed,
    sign_twilio,
    twilio_form,
)

TOKEN = {"auth_token": SECRET}
SHARED = "shared-key-0123456789"


def read_fields(fields: dict[str, str]) -> list[InboundMessage]:
    return read("twilio", sign_twilio(URL, fields), TOKEN)


def test_a_message_is_read() -> None:
    (message,) = read_fields(twilio_form(Said(text="Stop, please")))
    assert message == InboundMessage(id="message-1", address=ANN, text="Stop, please")


@pytest.mark.parametrize("word", ["STOP", "START", "HELP"])
def test_twilios_own_mark_is_kept(word: str) -> None:
    (message,) = read_fields({**twilio_form(Said(text="Basta")), "OptOutType": word})
    assert message.mark is Mark(word.lower())


@pytest.mark.parametrize(
    ("address", "channel"),
    [(f"whatsapp:{ANN}", Channel.WHATSAPP), (f"rcs:{ANN}", Channel.RCS), (ANN, Channel.SMS)],
)
def test_an_address_says_by_which_channel(address: str, channel: Channel) -> None:
    (message,) = read_fields(twilio_form(Said(address=address)))
    assert (message.address, message.channel) == (ANN, channel)


@pytest.mark.parametrize(
    "pressed", [{"ButtonText": "Stop", "ButtonPayload": "x"}, {"ButtonPayload": "Stop"}]
)
def test_a_button_that_was_pressed_says_what_a_text_would(pressed: dict[str, str]) -> None:
    (message,) = read_fields({**twilio_form(Said(text="")), **pressed})
    assert message.text == "Stop"


def test_a_status_of_somebody_opted_out_there_is_a_block() -> None:
    status = {"MessageSid": "SM2", "MessageStatus": "undelivered", "From": "+18885550100"}
    (message,) = read_fields({**status, "To": ANN, "ErrorCode": "21610"})
    assert (message.id, message.address, message.mark) == ("SM2", ANN, Mark.BLOCKED)
    assert read_fields({**status, "To": ANN, "ErrorCode": "30003"}) == []
    assert read_fields({**status, "To": ANN, "MessageStatus": "delivered"}) == []


@pytest.mark.parametrize(
    ("signed_url", "called_url"),
    [
        ("https://gate.example.com/x", "https://gate.example.com/x"),
        ("https://gate.example.com:443/x", "https://gate.example.com/x"),
        ("https://gate.example.com/x", "https://gate.example.com:8443/x"),
        ("https://gate.example.com:8443/x", "https://gate.example.com:8443/x"),
        ("https://gate.example.com/x?a=1&b=%20", "https://gate.example.com/x?a=1&b=%20"),
    ],
)
def test_the_port_may_be_signed_or_not(signed_url: str, called_url: str) -> None:
    signed = sign_twilio(signed_url, twilio_form(Said()))
    assert read("twilio", signed, TOKEN, url=called_url)


@pytest.mark.parametrize(
    "url", ["https://gate.example.org/x", "http://gate.example.com/x", "https://gate.example.com/y"]
)
def test_another_url_is_another_call(url: str) -> None:
    signed = sign_twilio("https://gate.example.com/x", twilio_form(Said()))
    with pytest.raises(UnverifiedError):
        read("twilio", signed, TOKEN, url=url)


def test_a_shared_key_signs_with_sha_256() -> None:
    signed = sign_twilio(URL, twilio_form(Said()), key=SHARED, algorithm="HMAC_SHA256")
    assert read("twilio", signed, {**TOKEN, "signing_key": SHARED})
    for credentials in (TOKEN, {**TOKEN, "signing_key": "another-key"}):
        with pytest.raises(UnverifiedError):
            read("twilio", signed, credentials)


def test_an_algorithm_that_we_do_not_know_verifies_nothing() -> None:
    signed = sign_twilio(URL, twilio_form(Said()))
    headers = {**signed.headers, "X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=NONE"}
    with pytest.raises(UnverifiedError):
        read("twilio", Signed(body=signed.body, headers=headers), TOKEN)


def test_without_credentials_nothing_is_verified() -> None:
    with pytest.raises(UnverifiedError):
        read("twilio", sign_twilio(URL, twilio_form(Said()), key=""))


def test_repeated_fields_count_once_each_as_twilio_counts_them() -> None:
    from twilio.request_validator import RequestValidator

    class Repeated(dict[str, Any]):
        def getlist(self, name: str) -> list[str]:
            return [value for key, value in fields if key == name]

    fields = [*twilio_form(Said()).items(), ("MediaUrl0", "b"), ("MediaUrl0", "a"), ("Tag", "")]
    fields += [("MediaUrl0", "b")]
    signature = RequestValidator(SECRET).compute_signature(URL, Repeated(fields))
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    assert read("twilio", Signed(body=urlencode(fields).encode(), headers=headers), TOKEN)


def test_a_call_by_get_is_signed_by_its_url_alone() -> None:
    query = urlencode(twilio_form(Said()))
    by_form = sign_twilio(f"{URL}?{query}", {})
    called = Signed(method="GET", query=query, headers=by_form.headers)
    (message,) = read("twilio", called, TOKEN)
    assert message.text == "STOP"
    with pytest.raises(UnverifiedError):
        read("twilio", called.altered("5550123", "5550124"), TOKEN)
