"""Whatever a provider signs, it is read or refused; nothing breaks on it."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidRequestError
from api.inbound.endpoints import Endpoint, StopReach
from api.inbound.message import ProviderName
from api.operations.receive_reply import read_message
from rules.errors import ComplianceError
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    FORM,
    KINDS,
    NOW,
    SECRET,
    TOPIC,
    URL,
    Said,
    Signed,
    in_base64,
    sign_infobip,
    sign_plivo_url,
    sign_sns,
    sign_telnyx,
    sign_twilio,
    sign_vonage_messages,
)

NAMES = st.sampled_from(
    [
        *(
            "address",
            "body",
            "button",
            "channel",
            "cleanText",
            "code",
            "contact",
            "content",
            "data",
        ),
        *("direction", "errors", "event", "event_type", "from", "From", "id", "identifierValue"),
        *("message", "Message", "MessageStatus", "ErrorCode", "OptOutType", "Body", "message_uuid"),
        *("messageId", "number", "originator", "payload", "phone_number", "received_at", "results"),
        *(
            "actions",
            "postback",
            "title",
            "caption",
            "media",
            "image",
            "interactive",
            "reply",
            "udh",
        ),
        *(
            "contact_message",
            "text_message",
            "keyword",
            "message_type",
            "Status",
            "Media0",
            "ListTitle",
        ),
        *("sender", "status", "text", "Text", "timestamp", "to", "To", "type", "Type", "err-code"),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2),
    st.sampled_from(
        [*("STOP", "START", "stop by tomorrow?", "message.received", "mo_text", "mo_media"), ANN]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)


def endpoint_of(provider: str) -> Endpoint:
    return Endpoint(
        id="inb_1",
        organisation="org_1",
        provider=ProviderName(provider),
        sender="acme",
        start=None,
        stop_reach=StopReach.ORGANISATION,
        recorded_at=NOW,
    )


def tried(name: str, signed: Signed, credentials: Mapping[str, Any] | None = None) -> None:
    kind = KINDS[name]
    try:
        messages = read(kind.provider, signed, credentials or kind.credentials)
    except InvalidRequestError:  # And nothing else: what is tried here is signed.
        return
    for message in messages:
        if message.address:
            read_message(endpoint_of(kind.provider), message, content_hash=b"", now=NOW)


def sinch_of(raw: bytes) -> Signed:
    at = str(int(NOW.timestamp()))
    digest = hmac.digest(SECRET.encode(), raw + f".n.{at}".encode(), "sha256")
    headers = {
        "Content-Type": "application/json",
        "X-Sinch-Webhook-Signature": in_base64(digest),
        "X-Sinch-Webhook-Signature-Nonce": "n",
        "X-Sinch-Webhook-Signature-Timestamp": at,
    }
    return Signed(body=raw, headers=headers)


def bird_of(raw: bytes) -> Signed:
    at = str(int(NOW.timestamp()))
    message = b"\n".join([at.encode(), URL.encode(), hashlib.sha256(raw).digest()])
    headers = {
        "Content-Type": "application/json",
        "MessageBird-Signature": in_base64(hmac.digest(SECRET.encode(), message, "sha256")),
        "MessageBird-Request-Timestamp": at,
    }
    return Signed(body=raw, headers=headers)


@given(OBJECTS, OBJECTS)
def test_any_json_is_read_or_refused(outer: dict[str, Any], inner: dict[str, Any]) -> None:
    raw = json.dumps(outer).encode()
    tried("infobip", sign_infobip(raw))
    tried("infobip", sign_infobip(json.dumps({"results": [inner, outer]}).encode()))
    tried("sinch", sinch_of(json.dumps({"type": "mo_text", "from": "1", **inner}).encode()))
    tried("bird", bird_of(json.dumps({**outer, "payload": inner}).encode()))
    tried("bird", bird_of(raw))
    data = {"event_type": "message.received", "payload": inner}
    tried("telnyx", sign_telnyx({**outer, "data": data}, NOW))
    tried("telnyx", sign_telnyx({"data": outer}, NOW))
    tried("vonage messages", sign_vonage_messages(outer, NOW))


@given(OBJECTS)
def test_any_notification_is_read_or_refused(inner: dict[str, Any]) -> None:
    envelope = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": TOPIC,
        "Message": json.dumps({"originationNumber": ANN, **inner}),
        "Timestamp": "2026-11-20T17:00:00.000Z",
    }
    tried("aws_sns", sign_sns(envelope))


@given(st.dictionaries(NAMES, st.text(), max_size=6))
def test_any_form_is_read_or_refused(fields: dict[str, str]) -> None:
    tried("twilio", sign_twilio(URL, {"From": ANN, **fields}))
    url_only = sign_plivo_url(URL, Said())
    tried("plivo", Signed(body=urlencode(fields).encode(), headers=url_only.headers))


@pytest.mark.parametrize("name", list(KINDS))
@given(body=st.binary(max_size=60), header=st.text(max_size=60))
def test_anything_unsigned_is_refused(name: str, body: bytes, header: str) -> None:
    signed = KINDS[name].sign(URL, Said(), NOW)
    headers = {
        key: value if key.lower() == "content-type" else header
        for key, value in signed.headers.items()
    }
    for sent in (headers, {"Content-Type": FORM, "Authorization": header}):
        with pytest.raises(ComplianceError):
            read(KINDS[name].provider, Signed(body=body, headers=sent), KINDS[name].credentials)
