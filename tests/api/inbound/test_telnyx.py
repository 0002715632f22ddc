"""Telnyx: its signature as its own package reads it, and its word that somebody is blocked."""

from dataclasses import replace
from typing import Any

import pytest

from api.clock import SystemClock
from api.errors import UnverifiedError
from api.inbound.message import Mark
from tests.support.inbound import read
from tests.support.provider_calls import (
    ANN,
    NOW,
    Said,
    sign_telnyx,
    telnyx_event,
    telnyx_public_key,
    their_packages,
)

CREDENTIALS = {"public_key": telnyx_public_key()}


def report(*codes: str) -> dict[str, Any]:
    payload = {
        "id": "m2",
        "direction": "outbound",
        "to": [{"phone_number": ANN, "status": "delivery_failed"}],
        "errors": [{"code": code, "title": "…"} for code in codes],
    }
    return {"data": {"event_type": "message.finalized", "payload": payload}}


def test_a_report_of_somebody_opted_out_is_a_block() -> None:
    (message,) = read("telnyx", sign_telnyx(report("40300"), NOW), CREDENTIALS)
    assert (message.id, message.address, message.mark) == ("m2", ANN, Mark.BLOCKED)
    for other in (report(), report("40008"), {"data": {"event_type": "call.initiated"}}, {}):
        assert read("telnyx", sign_telnyx(other, NOW), CREDENTIALS) == []


@pytest.mark.parametrize("signature", ["", "AAAA", "no base64", "A" * 86 + "=="])
def test_no_signature_is_no_signature(signature: str) -> None:
    signed = sign_telnyx(telnyx_event(Said(), NOW), NOW)
    headers = {**signed.headers, "Telnyx-Signature-Ed25519": signature}
    with pytest.raises(UnverifiedError):
        read("telnyx", replace(signed, headers=headers), CREDENTIALS)


@pytest.mark.slow
def test_telnyxs_own_package_takes_the_signatures_that_we_do() -> None:
    with their_packages():
        from telnyx.lib.webhook_verification import (
            WebhookVerificationError,
            verify_webhook_signature,
        )
    now = SystemClock().now()
    signed = sign_telnyx(telnyx_event(Said(), now), now)
    verify_webhook_signature(signed.body, signed.headers, telnyx_public_key())
    assert read("telnyx", signed, CREDENTIALS, now=now)
    altered = signed.altered("STOP", "STOPP")
    with pytest.raises(WebhookVerificationError):
        verify_webhook_signature(altered.body, altered.headers, telnyx_public_key())
    with pytest.raises(UnverifiedError):
        read("telnyx", altered, CREDENTIALS, now=now)
