"""Providers' calls, signed as they sign them: with their own packages, where those sign.

A package is imported when a test first needs it; some take a second.
"""

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import OctKey

ANN = "+12125550123"
SECRET = "0123456789abcdef0123456789abcdef"
BASE_URL = "https://gate.example.com"
URL = f"{BASE_URL}/v1/inbound/any/inb_0"
NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:123456789012:replies"
CERTIFICATE_URL = (
    "https://sns.us-east-1.amazonaws.com/"
    "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a person sent, before it is put into a provider's form."""

    text: str = "STOP"
    address: str = ANN
    id: str = "message-1"


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A provider's call, signed."""

    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    method: str = "POST"

    def altered(self, old: str, new: str) -> "Signed":
        """The same with something else in it, and the signature as it was."""
        changed = replace(
            self,
            body=self.body.replace(old.encode(), new.encode()),
            query=self.query.replace(old, new),
        )
        assert changed != self, "a change that changes nothing proves nothing"
        return changed

    def without(self, *headers: str) -> "Signed":
        """The same without some headers."""
        left = {k: v for k, v in self.headers.items() if k.lower() not in headers}
        return replace(self, headers=left)


@dataclass(frozen=True)
class Kind:
    """One way in which one provider calls: its credentials, and how it signs what was said."""

    provider: str
    credentials: Mapping[str, Any]
    sign: Callable[[str, Said, datetime], Signed]
    is_dated: bool = True


@contextmanager
def their_packages() -> Any:
    """What providers' packages warn of while they are imported is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def in_base64(value: bytes) -> str:
    """As signatures are written."""
    return base64.b64encode(value).decode()


# Twilio.


def twilio_form(said: Said) -> dict[str, str]:
    """The fields of an inbound message, one of them left blank."""
    return {
        "MessageSid": said.id,
        "AccountSid": "AC0123",
        "From": said.address,
        "To": "+18885550100",
        "Body": said.text,
        "FromCity": "",
        "NumMedia": "0",
        "SmsStatus": "received",
    }


def sign_twilio(
    url: str, fields: Mapping[str, str], *, key: str = SECRET, algorithm: str | None = None
) -> Signed:
    """A form, signed by Twilio's own package."""
    from twilio.request_validator import RequestValidator

    signature = RequestValidator(key).compute_signature(url, dict(fields), algorithm)
    headers = {"Content-Type": FORM, "X-Twilio-Signature": signature}
    if algorithm is not None:
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key=k1,algorithm={algorithm}"
    return Signed(body=urlencode(fields).encode(), headers=headers)


def _twilio(url: str, said: Said, _at: datetime) -> Signed:
    return sign_twilio(url, twilio_form(said))


# Vonage.


def sign_vonage_sms(
    fields: Mapping[str, str], *, method: str = "sha256", secret: str = SECRET
) -> dict[str, str]:
    """The fields with ``sig``, which Vonage's own package works out."""
    with their_packages():
        from vonage_http_client.auth import Auth
    auth = Auth(api_key="a1b2", signature_secret=secret, signature_method=method)
    return {**fields, "sig": auth.sign_params(dict(fields))}


def vonage_fields(said: Said, at: datetime) -> dict[str, str]:
    """The fields of an inbound message of the SMS API."""
    return {
        "msisdn": said.address.removeprefix("+"),
        "to": "18885550100",
        "messageId": said.id,
        "text": said.text,
        "type": "text",
        "keyword": said.text.partition(" ")[0],
        "message-timestamp": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "timestamp": str(int(at.timestamp())),
        "nonce": "aaaa-bbbb",
    }


def _vonage_form(_url: str, said: Said, at: datetime) -> Signed:
    fields = sign_vonage_sms(vonage_fields(said, at))
    return Signed(body=urlencode(fields).encode(), headers={"Content-Type": FORM})


def _vonage_get(_url: str, said: Said, at: datetime) -> Signed:
    fields = sign_vonage_sms(vonage_fields(said, at))
    return Signed(query=urlencode(fields), method="GET")


def sign_vonage_messages(body: Mapping[str, Any], at: datetime, *, secret: str = SECRET) -> Signed:
    """A body of the Messages API with its token."""
    raw = json.dumps(body).encode()
    claims = {
        "iss": "Vonage",
        "iat": int(at.timestamp()),
        "jti": "c1",
        "payload_hash": hashlib.sha256(raw).hexdigest(),
        "api_key": "a1b2",
    }
    token = a_token(claims, secret)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    return Signed(body=raw, headers=headers)


def _vonage_messages(_url: str, said: Said, at: datetime) -> Signed:
    body = {
        "channel": "sms",
        "message_uuid": said.id,
        "from": said.address.removeprefix("+"),
        "to": "18885550100",
        "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "message_type": "text",
        "text": said.text,
    }
    return sign_vonage_messages(body, at)


def a_token(claims: Mapping[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A JWT under a shared secret."""
    payload = json.dumps(claims).encode()
    key = OctKey.import_key(secret)
    return jws.serialize_compact({"alg": algorithm}, payload, key, algorithms=[algorithm])


# Bird.


def _bird(url: str, said: Said, at: datetime) -> Signed:
    payload = {
        "id": said.id,
        "sender": {"contact": {"identifierKey": "phonenumber", "identifierValue": said.address}},
        "body": {"type": "text", "text": {"text": said.text}},
        "direction": "incoming",
        "createdAt": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    raw = json.dumps({"service": "channels", "event": "sms.inbound", "payload": payload}).encode()
    signed_at = str(int(at.timestamp()))
    message = b"\n".join([signed_at.encode(), url.encode(), hashlib.sha256(raw).digest()])
    headers = {
        "Content-Type": "application/json",
        "MessageBird-Signature": in_base64(hmac.digest(SECRET.encode(), message, "sha256")),
        "MessageBird-Request-Timestamp": signed_at,
    }
    return Signed(body=raw, headers=headers)


def messagebird_token(url: str, raw: bytes, at: datetime, *, algorithm: str = "HS256") -> str:
    """The older scheme's token for a body."""
    claims = {
        "iss": "MessageBird",
        "nbf": int(at.timestamp()),
        "exp": int((at + timedelta(minutes=1)).timestamp()),
        "jti": "j1",
        "url_hash": hashlib.sha256(url.encode()).hexdigest(),
        **({"payload_hash": hashlib.sha256(raw).hexdigest()} if raw else {}),
    }
    return a_token(claims, algorithm=algorithm)


def _messagebird(url: str, said: Said, at: datetime) -> Signed:
    fields = {"id": said.id, "originator": said.address.removeprefix("+"), "body": said.text}
    raw = urlencode({**fields, "createdDatetime": at.isoformat()}).encode()
    token = messagebird_token(url, raw, at)
    return Signed(body=raw, headers={"Content-Type": FORM, "MessageBird-Signature-JWT": token})


# Sinch.


def _sinch(_url: str, said: Said, at: datetime) -> Signed:
    with their_packages():
        from sinch.domains.authentication.sinch_events.v1 import authentication_validation as theirs
    raw = json.dumps(
        {
            "type": "mo_text",
            "id": said.id,
            "from": said.address.removeprefix("+"),
            "to": "18885550100",
            "body": said.text,
            "received_at": at.isoformat(),
        }
    )
    signed_at = str(int(at.timestamp()))
    signed = theirs.compute_signed_data(raw, "n1", signed_at)
    headers = {
        "Content-Type": "application/json",
        "X-Sinch-Webhook-Signature": theirs.calculate_sinch_event_signature(signed, SECRET),
        "X-Sinch-Webhook-Signature-Nonce": "n1",
        "X-Sinch-Webhook-Signature-Timestamp": signed_at,
    }
    return Signed(body=raw.encode(), headers=headers)


# Infobip.


def infobip_body(*messages: Said, at: datetime) -> bytes:
    """Inbound messages, several at once."""
    results = [
        {
            "messageId": said.id,
            "from": said.address.removeprefix("+"),
            "to": "18885550100",
            "text": said.text,
            "cleanText": said.text,
            "receivedAt": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        }
        for said in messages
    ]
    return json.dumps({"results": results, "messageCount": len(results)}).encode()


def sign_infobip(raw: bytes) -> Signed:
    """A body with its keyed hash."""
    digest = hmac.digest(SECRET.encode(), raw, "sha256").hex()
    headers = {"Content-Type": "application/json", "X-Hub-Signature": f"sha256={digest}"}
    return Signed(body=raw, headers=headers)


def _infobip(_url: str, said: Said, at: datetime) -> Signed:
    return sign_infobip(infobip_body(said, at=at))


def _infobip_basic(_url: str, said: Said, at: datetime) -> Signed:
    given = in_base64(f"infobip:{SECRET}".encode())
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {given}"}
    return Signed(body=infobip_body(said, at=at), headers=headers)


# Plivo.


def plivo_form(said: Said) -> dict[str, str]:
    """The fields of an inbound message."""
    return {
        "From": said.address.removeprefix("+"),
        "To": "18885550100",
        "Type": "sms",
        "Text": said.text,
        "MessageUUID": said.id,
    }


def _plivo(url: str, said: Said, _at: datetime) -> Signed:
    with their_packages():
        from plivo.utils import signature_v3 as theirs
    fields = plivo_form(said)
    message = theirs.construct_post_url(url, fields).decode()
    signature = theirs.get_signature_v3(SECRET, message, "12345").decode()
    headers = {
        "Content-Type": FORM,
        "X-Plivo-Signature-V3": f"c29tZWJvZHkgZWxzZQ==,{signature}",
        "X-Plivo-Signature-V3-Nonce": "12345",
    }
    return Signed(body=urlencode(fields).encode(), headers=headers)


def sign_plivo_url(url: str, said: Said, *, nonce: str = "0542") -> Signed:
    """Version 2 signs the URL and a nonce, and nothing of the message."""
    digest = hmac.digest(SECRET.encode(), f"{url}{nonce}".encode(), "sha256")
    headers = {
        "Content-Type": FORM,
        "X-Plivo-Signature-V2": in_base64(digest),
        "X-Plivo-Signature-V2-Nonce": nonce,
    }
    return Signed(body=urlencode(plivo_form(said)).encode(), headers=headers)


# Telnyx.


@cache
def telnyx_key() -> Ed25519PrivateKey:
    """The key that stands for Telnyx's."""
    return Ed25519PrivateKey.generate()


def telnyx_public_key() -> str:
    """Its public half, as the portal shows it."""
    return in_base64(telnyx_key().public_key().public_bytes_raw())


def sign_telnyx(body: Mapping[str, Any], at: datetime) -> Signed:
    """An event with its signature."""
    raw = json.dumps(body).encode()
    signed_at = str(int(at.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "Telnyx-Timestamp": signed_at,
        "Telnyx-Signature-Ed25519": in_base64(telnyx_key().sign(f"{signed_at}|".encode() + raw)),
    }
    return Signed(body=raw, headers=headers)


def telnyx_event(said: Said, at: datetime) -> dict[str, Any]:
    """An inbound message."""
    payload = {
        "id": said.id,
        "type": "SMS",
        "direction": "inbound",
        "from": {"phone_number": said.address},
        "to": [{"phone_number": "+18885550100"}],
        "text": said.text,
        "received_at": at.isoformat(),
    }
    return {"data": {"event_type": "message.received", "id": "e1", "payload": payload}}


def _telnyx(_url: str, said: Said, at: datetime) -> Signed:
    return sign_telnyx(telnyx_event(said, at), at)


# AWS SNS.


@cache
def sns_key() -> rsa.RSAPrivateKey:
    """The key that stands for SNS's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sns_certificate(*, until: datetime = datetime(2027, 6, 1, tzinfo=UTC)) -> bytes:
    """Its certificate, as it is published."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(sns_key().public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
    )
    return builder.sign(sns_key(), SHA256()).public_bytes(Encoding.PEM)


def sign_sns(envelope: Mapping[str, str], *, version: str = "2") -> Signed:
    """An envelope with its signature, as the documents of SNS say."""
    whole = {"SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL, **envelope}
    names = sorted(whole.keys() - {"SignatureVersion", "SigningCertURL", "UnsubscribeURL"})
    signed = "".join(f"{name}\n{whole[name]}\n" for name in names)
    algorithm = SHA256() if version == "2" else SHA1()
    signature = sns_key().sign(signed.encode(), padding.PKCS1v15(), algorithm)
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": envelope["Type"],
    }
    body = json.dumps({**whole, "Signature": in_base64(signature)}).encode()
    return Signed(body=body, headers=headers)


def sns_notification(said: Said, at: datetime) -> dict[str, str]:
    """An inbound message in its envelope."""
    message = {
        "originationNumber": said.address,
        "destinationNumber": "+18885550100",
        "messageKeyword": "KEYWORD_123",
        "messageBody": said.text,
        "inboundMessageId": said.id,
    }
    return {
        "Type": "Notification",
        "MessageId": f"envelope-of-{said.id}",
        "TopicArn": TOPIC,
        "Message": json.dumps(message),
        "Timestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }


def _sns(_url: str, said: Said, at: datetime) -> Signed:
    return sign_sns(sns_notification(said, at))


KINDS: dict[str, Kind] = {
    "twilio": Kind("twilio", {"auth_token": SECRET}, _twilio, is_dated=False),
    "vonage form": Kind("vonage", {"signature_secret": SECRET}, _vonage_form),
    "vonage get": Kind("vonage", {"signature_secret": SECRET}, _vonage_get),
    "vonage messages": Kind("vonage", {"signature_secret": SECRET}, _vonage_messages),
    "bird": Kind("messagebird", {"signing_key": SECRET}, _bird),
    "messagebird": Kind("messagebird", {"signing_key": SECRET}, _messagebird),
    "sinch": Kind("sinch", {"secret": SECRET}, _sinch),
    "infobip": Kind("infobip", {"hmac_secret": SECRET}, _infobip, is_dated=False),
    "plivo": Kind("plivo", {"auth_token": SECRET}, _plivo, is_dated=False),
    "telnyx": Kind("telnyx", {"public_key": telnyx_public_key()}, _telnyx),
    "aws_sns": Kind("aws_sns", {"topic_arn": TOPIC}, _sns),
}
INFOBIP_BASIC = Kind(
    "infobip", {"username": "infobip", "password": SECRET}, _infobip_basic, is_dated=False
)
