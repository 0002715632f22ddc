"""Bird's scheme, and MessageBird's before it."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from api.clock import SystemClock
from api.errors import StaleRequestError, UnverifiedError
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    FORM,
    KINDS,
    NOW,
    SECRET,
    URL,
    Said,
    Signed,
    a_token,
    messagebird_token,
    their_packages,
)

CREDENTIALS = {"signing_key": SECRET}
FIELDS = urlencode({"id": "m1", "originator": "12125550123", "body": "STOP"})


def by_token(token: str, raw: bytes = FIELDS.encode()) -> Signed:
    return Signed(body=raw, headers={"Content-Type": FORM, "MessageBird-Signature-JWT": token})


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_each_algorithm_of_the_older_scheme_verifies(algorithm: str) -> None:
    token = messagebird_token(URL, FIELDS.encode(), NOW, algorithm=algorithm)
    (message,) = read("messagebird", by_token(token), CREDENTIALS)
    assert (message.id, message.address, message.text) == ("m1", ANN, "STOP")


def test_a_call_by_get_has_no_body_and_no_hash_of_one() -> None:
    url = f"{URL}?{FIELDS}"
    headers = {"MessageBird-Signature-JWT": messagebird_token(url, b"", NOW)}
    called = Signed(method="GET", query=FIELDS, headers=headers)
    assert read("messagebird", called, CREDENTIALS)[0].text == "STOP"
    headers = {"MessageBird-Signature-JWT": messagebird_token(url, b"x", NOW)}
    with pytest.raises(UnverifiedError):
        read("messagebird", Signed(method="GET", query=FIELDS, headers=headers), CREDENTIALS)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"iss": "Somebody"}, UnverifiedError),
        ({"url_hash": "0" * 64}, UnverifiedError),
        ({"payload_hash": None}, UnverifiedError),
        ({"nbf": None}, StaleRequestError),
        ({"exp": None}, StaleRequestError),
        ({"exp": int(NOW.timestamp()) - 1}, StaleRequestError),
    ],
)
def test_a_token_that_says_less_is_not_enough(
    change: dict[str, Any], error: type[Exception]
) -> None:
    token = messagebird_token(URL, FIELDS.encode(), NOW)
    payload = token.split(".")[1]
    claims = json.loads(_decoded(payload))
    assert read("messagebird", by_token(a_token(claims)), CREDENTIALS)
    with pytest.raises(error):
        read("messagebird", by_token(a_token(claims | change)), CREDENTIALS)


def _decoded(part: str) -> bytes:
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_time_is_under_birds_signature() -> None:
    signed = KINDS["bird"].sign(URL, Said(), NOW)
    later = str(int((NOW + timedelta(hours=1)).timestamp()))
    headers = {**signed.headers, "MessageBird-Request-Timestamp": later}
    with pytest.raises(UnverifiedError):
        read(
            "messagebird",
            Signed(body=signed.body, headers=headers),
            CREDENTIALS,
            now=NOW + timedelta(hours=1),
        )


def test_what_we_sent_ourselves_is_no_reply() -> None:
    import hashlib
    import hmac

    from tests.support.provider_calls import in_base64

    raw = json.dumps({"event": "sms.outbound", "payload": {"id": "m1"}}).encode()
    at = str(int(NOW.timestamp()))
    message = b"\n".join([at.encode(), URL.encode(), hashlib.sha256(raw).digest()])
    headers = {
        "Content-Type": "application/json",
        "MessageBird-Signature": in_base64(hmac.digest(SECRET.encode(), message, "sha256")),
        "MessageBird-Request-Timestamp": at,
    }
    assert read("messagebird", Signed(body=raw, headers=headers), CREDENTIALS) == []


def test_messagebirds_own_package_takes_the_tokens_that_we_do() -> None:
    with their_packages():
        from messagebird.error import ValidationError
        from messagebird.request_validator import RequestValidator
    now, raw = SystemClock().now(), FIELDS.encode()
    token = messagebird_token(URL, raw, now)
    validator = RequestValidator(SECRET)
    assert validator.validate_signature(token, URL, raw)["iss"] == "MessageBird"
    assert read("messagebird", by_token(token), CREDENTIALS, now=now)
    for url, body in ((URL + "?a=1", raw), (URL, raw + b"&a=1"), (URL, b"")):
        with pytest.raises(ValidationError):
            validator.validate_signature(token, url, body)
        with pytest.raises(UnverifiedError):
            read("messagebird", by_token(token, body), CREDENTIALS, url=url, now=now)
