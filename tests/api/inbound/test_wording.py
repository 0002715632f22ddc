"""Wherever a provider puts what a person said, it is read; where no words are found it is held."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from api.inbound.endpoints import Endpoint, StopReach
from api.inbound.message import InboundMessage, Mark, ProviderName
from api.operations.receive_reply import (
    WHY_BEHIND,
    WHY_IN_DOUBT,
    WHY_WORDLESS,
    ReceivedReply,
    read_message,
)
from jurisdictions.replies import Reading
from rules.vocabulary import Channel
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
    in_base64,
    plivo_form,
    sign_infobip,
    sign_plivo_url,
    sign_sns,
    sign_telnyx,
    sign_twilio,
    sign_vonage_messages,
    sign_vonage_sms,
    sns_notification,
    telnyx_event,
    twilio_form,
    vonage_fields,
)

Shape = Mapping[str, Any]


def _twilio(shape: Shape) -> Signed:
    return sign_twilio(URL, twilio_form(Said(text="")) | dict(shape))


def _vonage_sms(shape: Shape) -> Signed:
    fields = vonage_fields(Said(text=""), NOW) | dict(shape)
    raw = urlencode(sign_vonage_sms(fields)).encode()
    return Signed(body=raw, headers={"Content-Type": FORM})


def _vonage_messages(shape: Shape) -> Signed:
    body = {"channel": "whatsapp", "message_uuid": "m1", "from": "12125550123"}
    return sign_vonage_messages({**body, **shape}, NOW)


def _bird(shape: Shape) -> Signed:
    payload = {
        "id": "m1",
        "sender": {"contact": {"identifierValue": ANN}},
        "body": shape,
        "direction": "incoming",
    }
    raw = json.dumps({"event": "whatsapp.inbound", "payload": payload}).encode()
    at = str(int(NOW.timestamp()))
    message = b"\n".join([at.encode(), URL.encode(), hashlib.sha256(raw).digest()])
    headers = {
        "Content-Type": "application/json",
        "MessageBird-Signature": in_base64(hmac.digest(SECRET.encode(), message, "sha256")),
        "MessageBird-Request-Timestamp": at,
    }
    return Signed(body=raw, headers=headers)


def _sinch(shape: Shape) -> Signed:
    raw = json.dumps({"type": "mo_text", "id": "m1", "from": "12125550123", **shape}).encode()
    at = str(int(NOW.timestamp()))
    digest = hmac.digest(SECRET.encode(), raw + f".n.{at}".encode(), "sha256")
    headers = {
        "Content-Type": "application/json",
        "X-Sinch-Webhook-Signature": in_base64(digest),
        "X-Sinch-Webhook-Signature-Nonce": "n",
        "X-Sinch-Webhook-Signature-Timestamp": at,
    }
    return Signed(body=raw, headers=headers)


def _sinch_conversation(shape: Shape) -> Signed:
    identity = {"channel": "WHATSAPP", "identity": "12125550123"}
    message = {"id": "m1", "channel_identity": identity, "contact_message": shape}
    return _sinch({"type": "", "message": message})


def _infobip(shape: Shape) -> Signed:
    result = {"messageId": "m1", "from": "12125550123", **shape}
    return sign_infobip(json.dumps({"results": [result]}).encode())


def _plivo(shape: Shape) -> Signed:
    fields = plivo_form(Said(text="")) | dict(shape)
    headers = sign_plivo_url(URL, Said()).headers
    return Signed(body=urlencode(fields).encode(), headers=headers)


def _telnyx(shape: Shape) -> Signed:
    event = telnyx_event(Said(text=""), NOW)
    event["data"]["payload"].update(shape)
    return sign_telnyx(event, NOW)


def _sns(shape: Shape) -> Signed:
    said = {"originationNumber": ANN, "inboundMessageId": "m1", **shape}
    return sign_sns({**sns_notification(Said(), NOW), "Message": json.dumps(said)})


SIGN = {
    "twilio": _twilio,
    "vonage form": _vonage_sms,
    "vonage messages": _vonage_messages,
    "bird": _bird,
    "sinch": _sinch,
    "sinch conversation": _sinch_conversation,
    "infobip": _infobip,
    "plivo": _plivo,
    "telnyx": _telnyx,
    "aws_sns": _sns,
}


def messages_of(name: str, shape: Shape) -> list[InboundMessage]:
    kind = KINDS[name.removesuffix(" conversation")]
    return read(kind.provider, SIGN[name](shape), kind.credentials)


def taken(name: str, shape: Shape) -> ReceivedReply:
    """What becomes of the one message."""
    (message,) = messages_of(name, shape)
    assert message.address == ANN
    endpoint = Endpoint(
        id="inb_1",
        organisation="org_1",
        provider=ProviderName(KINDS[name.removesuffix(" conversation")].provider),
        sender="acme",
        start=None,
        stop_reach=StopReach.ORGANISATION,
        recorded_at=NOW,
    )
    return read_message(endpoint, message, content_hash=b"", now=NOW)


def why_held(name: str, shape: Shape) -> str | None:
    """Why it is held; None where it is not."""
    reply = taken(name, shape)
    assert (reply.reading is Reading.UNCERTAIN) == (reply.event is not None)
    return None if reply.event is None else reply.event.why


def pressed(**said: str) -> Shape:
    """A button of Bird's that somebody pressed."""
    return {"type": "postback", "postback": said}


WHATSAPP_BUTTON = {"type": "button", "button": {"payload": "P1", "text": "STOP"}}
STOPS: list[tuple[str, Shape]] = [
    ("twilio", {"ButtonText": "STOP", "ButtonPayload": "p1"}),
    ("twilio", {"ButtonPayload": "STOP"}),
    ("twilio", {"Body": "Fewer, please", "ButtonText": "STOP"}),
    ("twilio", {"MessageType": "interactive", "ListTitle": "Unsubscribe", "ListId": "row-2"}),
    ("twilio", {"Body": "STOP", "NumMedia": "1", "MediaUrl0": "https://media.example.com/1"}),
    ("vonage form", {"type": "unicode", "text": "退订"}),
    ("vonage form", {"type": "binary", "data": b"STOP".hex(), "text": ""}),
    ("vonage form", {"type": "binary", "data": "退订".encode("utf-16-be").hex(), "text": ""}),
    ("vonage form", {"text": "STOP", "concat": "true", "concat-ref": "7", "concat-part": "2"}),
    ("vonage messages", {"message_type": "button", "button": {"text": "STOP", "payload": "p"}}),
    ("vonage messages", {"message_type": "reply", "reply": {"id": "1", "title": "STOP"}}),
    ("vonage messages", {"message_type": "reply", "reply": {"id": "STOP"}}),
    ("vonage messages", {"message_type": "image", "image": {"url": "u", "caption": "STOP"}}),
    ("vonage messages", {"message_type": "file", "file": {"url": "u", "caption": "STOP"}}),
    ("bird", {"type": "text", "text": {"text": "STOP"}}),
    (
        "bird",
        {
            "type": "text",
            "text": {
                "actions": [{"type": "postback", "postback": {"text": "STOP", "payload": "p"}}]
            },
        },
    ),
    (
        "bird",
        {
            "type": "text",
            "text": {"actions": [{"type": "postback", "postback": {"payload": "STOP"}}]},
        },
    ),
    ("bird", {"type": "image", "image": {"text": "STOP", "images": [{"mediaUrl": "u"}]}}),
    ("bird", {"type": "html", "html": {"text": "STOP", "html": "<p>STOP</p>"}}),
    ("sinch", {"body": "STOP"}),
    ("sinch", {"type": "mo_binary", "body": in_base64(b"STOP"), "udh": ""}),
    ("sinch", {"type": "mo_binary", "body": in_base64("СТОП".encode("utf-16-be"))}),
    ("sinch", {"type": "mo_binary", "body": in_base64(bytes.fromhex("53EA130A"))}),
    ("sinch", {"type": "mo_media", "body": {"subject": "STOP", "media": [{"url": "u"}]}}),
    ("sinch", {"type": "mo_later", "body": "STOP"}),
    ("sinch conversation", {"text_message": {"text": "STOP"}}),
    ("sinch conversation", {"choice_response_message": {"postback_data": "STOP"}}),
    ("sinch conversation", {"media_message": {"url": "u", "caption": "STOP"}}),
    ("infobip", {"text": "STOP"}),
    ("infobip", {"keyword": "STOP", "cleanText": ""}),
    ("infobip", {"keyword": "STOP", "cleanText": "all"}),
    ("infobip", {"integrationType": "WHATSAPP", "message": {"type": "TEXT", "text": "STOP"}}),
    ("infobip", {"message": {"type": "BUTTON", "text": "STOP", "payload": "p"}}),
    ("infobip", {"message": {"type": "INTERACTIVE_BUTTON_REPLY", "id": "1", "title": "STOP"}}),
    ("infobip", {"message": {"type": "INTERACTIVE_LIST_REPLY", "id": "1", "title": "STOP"}}),
    ("infobip", {"message": {"type": "IMAGE", "url": "u", "caption": "STOP"}}),
    ("infobip", {"message": {"type": "SUGGESTION", "text": "STOP", "postbackData": "p"}}),
    ("infobip", {"content": [{"type": "IMAGE", "url": "u"}, {"type": "TEXT", "text": "STOP"}]}),
    ("infobip", {"content": [{"type": "BUTTON_REPLY", "text": "STOP", "payload": "p"}]}),
    ("infobip", {"message": "STOP"}),
    ("plivo", {"Text": "STOP"}),
    ("plivo", {"Type": "whatsapp", "Body": "STOP"}),
    ("plivo", {"Type": "whatsapp", "ContentType": "button", "ButtonText": "STOP"}),
    ("plivo", {"Type": "mms", "Text": "STOP", "Media0": "https://media.example.com/1"}),
    ("telnyx", {"text": "STOP"}),
    ("telnyx", {"type": "RCS", "text": None, "body": {"text": "STOP"}}),
    (
        "telnyx",
        {"type": "RCS", "body": {"suggestion_response": {"text": "STOP", "postback_data": "p"}}},
    ),
    ("telnyx", {"type": "WHATSAPP", "body": WHATSAPP_BUTTON}),
    (
        "telnyx",
        {
            "body": {
                "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "STOP"}}
            }
        },
    ),
    ("telnyx", {"body": {"text": {"body": "STOP"}}}),
    ("telnyx", {"type": "MMS", "subject": "STOP", "media": [{"url": "u"}]}),
    ("aws_sns", {"messageBody": "STOP"}),
]


@pytest.mark.parametrize(("name", "shape"), STOPS)
def test_a_stop_is_read_wherever_it_stands(name: str, shape: Shape) -> None:
    reply = taken(name, shape)
    assert reply.reading is Reading.STOP
    assert reply.event is not None
    assert reply.event.text


WORDLESS: list[tuple[str, Shape]] = [
    ("twilio", {"NumMedia": "1", "MediaUrl0": "https://media.example.com/1"}),
    ("twilio", {"Latitude": "40.7", "Longitude": "-74.0"}),
    ("twilio", {"MessageType": "sticker"}),
    ("vonage messages", {"message_type": "image", "image": {"url": "u"}}),
    ("vonage messages", {"message_type": "location", "location": {"lat": 1, "long": 2}}),
    ("vonage messages", {"message_type": "reaction", "reaction": {"emoji": "👍"}}),
    ("bird", {"type": "image", "image": {"images": [{"mediaUrl": "u"}]}}),
    ("bird", {"type": "location", "location": {"coordinates": {"latitude": 1}}}),
    ("sinch", {"type": "mo_media", "body": {"media": [{"url": "u"}]}}),
    ("sinch conversation", {"media_message": {"url": "u"}}),
    ("sinch conversation", {"location_message": {"coordinates": {"latitude": 1}}}),
    ("infobip", {"message": {"type": "AUDIO", "url": "u"}}),
    ("infobip", {"content": [{"type": "LOCATION", "latitude": 1, "longitude": 2}]}),
    ("plivo", {"Type": "mms", "Media0": "https://media.example.com/1"}),
    ("telnyx", {"type": "MMS", "media": [{"url": "u"}]}),
    ("telnyx", {"type": "RCS", "body": {"user_file": {"payload": {"file_uri": "u"}}}}),
]


@pytest.mark.parametrize(("name", "shape"), WORDLESS)
def test_a_picture_or_a_place_is_no_doubt(name: str, shape: Shape) -> None:
    assert (taken(name, shape).reading, taken(name, shape).event) == (Reading.OTHER, None)


SILENT: list[tuple[str, Shape]] = [
    *((name, {}) for name in SIGN),
    ("twilio", {"Body": " \t"}),
    ("twilio", {"MessageType": "interactive", "InteractiveData": "{}"}),
    ("vonage form", {"type": "binary", "data": "", "udh": "0605040b8423f0"}),
    ("vonage messages", {"message_type": "unsupported"}),
    ("bird", {"type": "new", "new": {"said": "STOP"}}),
    ("sinch", {"type": "mo_binary", "body": "no base64!"}),
    ("sinch", {"type": "mo_media", "body": {"media": []}}),
    ("infobip", {"message": {"type": "UNSUPPORTED"}}),
    ("infobip", {"message": {"type": "FLOW_RESPONSE", "response": {"a": "STOP"}}}),
    ("infobip", {"content": {"type": "TEXT", "text": 7}}),
    ("plivo", {"ContentType": "interactive"}),
    ("telnyx", {"body": []}),
    ("aws_sns", {"messageBody": None}),
]


@pytest.mark.parametrize(("name", "shape"), SILENT)
def test_a_message_in_which_no_words_are_found_is_held(name: str, shape: Shape) -> None:
    """Also one of a kind that nobody has thought of: what it says may be a stop."""
    is_binary = shape.get("type") in ("binary", "mo_binary")
    assert why_held(name, shape) == (WHY_IN_DOUBT if is_binary else WHY_WORDLESS)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("twilio", {"Body": "नको आता", "ButtonPayload": "STOP"}),
        ("vonage messages", {"button": {"text": "नको आता", "payload": "unsubscribe"}}),
        ("bird", {"text": {"text": "नको", "actions": [{"postback": {"payload": "stop"}}]}}),
        ("infobip", {"message": {"type": "LIST", "title": "Less", "description": "Stop it all"}}),
        ("telnyx", {"text": "hello", "subject": "STOP"}),
    ],
)
def test_a_stop_that_the_sender_put_behind_a_button_is_held(name: str, shape: Shape) -> None:
    """The person pressed something that we cannot read, and the sender calls it a stop."""
    assert why_held(name, shape) == WHY_BEHIND
    event = taken(name, shape).event
    assert event is not None
    assert event.text is not None
    assert "\n" in event.text, "a reviewer sees both"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("twilio", {"ButtonText": "Track my parcel", "ButtonPayload": "track_7"}),
        ("infobip", {"message": {"type": "BUTTON", "text": "Show more", "payload": "more"}}),
        ("vonage messages", {"text": "ok", "context": {"message": {"text": "Reply STOP to end"}}}),
        ("telnyx", {"text": "ok", "body": {"quoted": {"text": "Reply STOP to end"}}}),
        ("infobip", {"message": {"type": "TEXT", "text": "ok", "context": {"text": "STOP"}}}),
    ],
)
def test_what_a_message_quotes_is_not_what_it_says(name: str, shape: Shape) -> None:
    assert taken(name, shape).reading is Reading.OTHER


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("vonage form", {"text": "so I say ST", "concat": "true", "concat-part": "1"}),
        ("vonage form", {"text": "OP this", "concat-ref": "7", "concat-total": "2"}),
        ("vonage form", {"data": b"hello".hex(), "text": "", "udh": "050003070201"}),
        ("vonage form", {"data": b"hello".hex(), "text": "", "udh": "06080400070201"}),
        ("vonage form", {"data": b"hello".hex(), "text": "", "udh": "no header"}),
        ("sinch", {"type": "mo_binary", "body": in_base64(b"OP this"), "udh": "050003070202"}),
        ("sinch", {"type": "mo_binary", "body": in_base64("grüß".encode("latin-1"))}),
    ],
)
def test_a_part_of_a_message_is_held_unless_it_is_a_stop_already(name: str, shape: Shape) -> None:
    assert why_held(name, shape) == WHY_IN_DOUBT


def test_a_binary_message_that_is_whole_and_plain_is_no_doubt() -> None:
    shape = {"data": b"hello there".hex(), "text": "", "udh": "0605040b8423f0"}
    assert taken("vonage form", shape).reading is Reading.OTHER


def test_words_nested_deeper_than_any_provider_nests_them_are_a_doubt() -> None:
    shape: dict[str, Any] = {"text": "STOP"}
    for _ in range(500):
        shape = {"content": shape}
    assert why_held("telnyx", {"body": shape}) == WHY_WORDLESS


@pytest.mark.parametrize(
    ("name", "shape", "channel"),
    [
        ("infobip", {"integrationType": "WHATSAPP", "text": "STOP"}, Channel.WHATSAPP),
        ("infobip", {"channel": "RCS", "text": "STOP"}, Channel.RCS),
        ("sinch conversation", {"text_message": {"text": "STOP"}}, Channel.WHATSAPP),
        ("telnyx", {"type": "RCS", "text": "STOP"}, Channel.RCS),
        ("bird", {"text": {"text": "STOP"}}, Channel.WHATSAPP),
    ],
)
def test_the_channel_is_the_one_that_it_came_by(name: str, shape: Shape, channel: Channel) -> None:
    assert taken(name, shape).message.channel is channel


@pytest.mark.parametrize(
    ("name", "shape", "mark"),
    [
        ("plivo", {"Status": "failed", "To": "12125550123", "ErrorCode": "200"}, Mark.BLOCKED),
        ("plivo", {"Status": "delivered", "To": "12125550123", "ErrorCode": "000"}, None),
        ("vonage messages", {"status": "delivered"}, None),
        ("sinch", {"type": "recipient_delivery_report_sms", "from": "18885550100"}, None),
        ("sinch", {"opt_out_notification": {"channel": "SMS", "identity": ANN}}, Mark.BLOCKED),
        ("infobip", {"from": None, "sender": "ACME", "event": "DELIVERY", "status": {}}, None),
        ("infobip", {"status": {"groupName": "DELIVERED"}, "to": ANN}, None),
        ("infobip", {"seenAt": "2026-11-20T17:00:00Z"}, None),
    ],
)
def test_a_report_on_our_own_message_is_no_reply(
    name: str, shape: Shape, mark: Mark | None
) -> None:
    messages = messages_of(name, shape)
    assert [(m.address, m.mark) for m in messages] == ([] if mark is None else [(ANN, mark)])


def test_a_receipt_without_an_error_is_no_reply() -> None:
    receipt = {"msisdn": "12125550123", "messageId": "m", "status": "delivered"}
    fields = sign_vonage_sms({**receipt, "timestamp": str(int(NOW.timestamp()))})
    signed = Signed(body=urlencode(fields).encode(), headers={"Content-Type": FORM})
    assert read("vonage", signed, KINDS["vonage form"].credentials) == []
