"""Whatever comes in: an opt-out is never thrown away, and nothing else is taken for one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from api.call import BODY_SIZE_MAX
from consent.events import Flag, RecordedKind
from jurisdictions.addresses import parse_address
from tests.support.inbound import Line, a_line, another_line
from tests.support.provider_calls import (
    BASE_URL,
    FORM,
    INFOBIP_BASIC,
    KINDS,
    SECRET,
    Kind,
    Said,
    Signed,
    infobip_body,
    sign_infobip,
    sign_twilio,
    twilio_form,
)
from tests.support.service import running_service

ODD_TEXTS = (
    "🛑" * 10_000,
    "\u202bأوقفوا الرسائل من فضلكم\u202c",
    "arre\u0302t" + "\u0301" * 500,
    "s\u200bt\u200bo\u200bp 👩\u200d👩\u200d👧",
    "STOP\x00STOP",
    "",
    "STOP\r\n\r\nSent from my phone",
)
NO_ADDRESSES = (
    "ACME",
    "12345",
    "+1999",
    "(unknown)",
    "🙂",
    "a" * 300,
    "user:7",
    "restricted\x00",
    "\u202e+12125550123\u0301",
)


def on_a_line(
    folder: Path, scenario: Callable[[Line], Awaitable[None]], kind: Kind = KINDS["twilio"]
) -> None:
    async def run() -> None:
        async with running_service(folder, public_base_url=BASE_URL) as service:
            await scenario(await a_line(service, kind))

    asyncio.run(run())


async def refused(line: Line, signed: Signed, status: int, *, path: str | None = None) -> Any:
    answer = await line.call(signed, path=path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await line.events() == []
    for personal in ("5550123", "STOP", SECRET):
        assert personal not in answer.text
        assert personal not in line.service.log.getvalue()
    return answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/inbound/pigeon/{id}",
        "/v1/inbound/vonage/{id}",
        "/v1/inbound/twilio/inb_00000000000000000000000000000000",
        "/v1/inbound/twilio/12125550123",
        "/v1/inbound/twilio/%00",
        "/v1/inbound/twilio",
    ],
)
def test_an_unknown_provider_or_endpoint_is_404(tmp_path: Path, path: str) -> None:
    async def scenario(line: Line) -> None:
        await refused(line, line.signed(), 404, path=path.format(id=line.id))

    on_a_line(tmp_path, scenario)


def test_another_method_is_405(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            await refused(line, Signed(method=method), 405)

    on_a_line(tmp_path, scenario)


def test_a_wrong_content_type_is_415(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        for name in ("twilio", "vonage form", "bird", "sinch", "infobip", "telnyx", "plivo"):
            line = await another_line(line.service, line.organisation, line.headers, KINDS[name])
            signed = line.signed().without("content-type")
            for media_type in ("text/html", "multipart/form-data", "", "application/xml"):
                headers = {**signed.headers, "Content-Type": media_type}
                await refused(line, Signed(body=signed.body, headers=headers), 415)

    on_a_line(tmp_path, scenario)


def test_a_body_of_ten_megabytes_is_413(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        for size in (10 * 1024 * 1024, BODY_SIZE_MAX + 1):
            signed = Signed(body=b"Body=" + b"x" * (size - 5), headers={"Content-Type": FORM})
            assert (await refused(line, signed, 413))["code"] == "body_too_large"

    on_a_line(tmp_path, scenario)


def test_more_fields_than_any_provider_sends_are_400(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        fields = twilio_form(Said()) | {f"Field{n}": "" for n in range(2000)}
        await refused(line, sign_twilio(line.url, fields), 400)

    on_a_line(tmp_path, scenario)


def test_a_body_that_is_no_json_is_400(tmp_path: Path) -> None:
    bodies = (b"", b"[]", b"STOP", b'{"results": [', b"\xff\xfe", b"[" * 100_000, b"1" * 5000)

    async def scenario(line: Line) -> None:
        for body in bodies:
            await refused(line, sign_infobip(body), 400)

    on_a_line(tmp_path, scenario, KINDS["infobip"])


def test_a_stop_of_nobody_is_400(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        for address in (None, "", "   "):
            fields = twilio_form(Said())
            del fields["From"]
            if address is not None:
                fields["From"] = address
            problem = await refused(line, sign_twilio(line.url, fields), 400)
            assert problem["code"] == "address_missing"

    on_a_line(tmp_path, scenario)


def test_one_message_of_nobody_costs_the_others_nothing(tmp_path: Path) -> None:
    """The call is refused, so that somebody looks; what it held is recorded all the same."""

    async def scenario(line: Line) -> None:
        now = line.service.clock.now()
        raw = infobip_body(Said(id="a", address=""), Said(id="b"), at=now)
        for _ in range(2):
            answer = await line.call(sign_infobip(raw))
            assert (answer.status_code, answer.json()["code"]) == (400, "address_missing")
        assert [event.event for event, _ in await line.events()] == [RecordedKind.REVOKE]

    on_a_line(tmp_path, scenario, KINDS["infobip"])


@pytest.mark.parametrize(
    ("text", "kind"), [("STOP", RecordedKind.REVOKE), ("stop by tomorrow?", RecordedKind.HOLD)]
)
def test_a_stop_from_what_can_be_no_address_is_kept_and_flagged(
    tmp_path: Path, text: str, kind: RecordedKind
) -> None:
    async def scenario(line: Line) -> None:
        for number, address in enumerate(NO_ADDRESSES):
            answer = await line.say(text, address=address, id=f"message-{number}")
            assert answer.status_code == 200
            event, kept = (await line.events())[number]
            assert event.event is kind
            assert Flag.ADDRESS_UNREADABLE in event.flags
            assert (event.text, kept) == (text, parse_address(address).normalised)

    on_a_line(tmp_path, scenario)


def test_a_text_of_any_letters_is_taken_and_kept(tmp_path: Path) -> None:
    """Marked as a stop by the provider, so that it counts whatever is read in it."""

    async def scenario(line: Line) -> None:
        for number, text in enumerate(ODD_TEXTS):
            fields = twilio_form(Said(text=text, id=f"m{number}")) | {"OptOutType": "STOP"}
            assert (await line.call(sign_twilio(line.url, fields))).status_code == 200
            event, _ = (await line.events())[number]
            assert event.event is RecordedKind.REVOKE
            kept = json.loads(event.unread)["text"] if event.unread else event.text
            assert (kept or "") == text
        for number, text in enumerate(ODD_TEXTS):
            assert (await line.say(text, id=f"unmarked-{number}")).status_code == 200

    on_a_line(tmp_path, scenario)


def test_half_a_letter_breaks_nothing(tmp_path: Path) -> None:
    """Providers cut messages into parts, and an emoji with them."""

    async def scenario(line: Line) -> None:
        basic = line.signed().headers
        for number, half in enumerate(("\\ud800", "\\udc00", "\\u0000", "\\udcff")):
            first = f'{{"messageId": "{half}", "from": "12{half}", "text": "STOP {half}"}}'
            second = f'{{"messageId": {number}, "from": "1212555010{number}", "text": "STOP"}}'
            raw = f'{{"results": [{first}, {second}]}}'
            answer = await line.call(Signed(body=raw.encode(), headers=basic))
            assert answer.status_code == 200, answer.text
        events = await line.events()
        assert [event.event for event, _ in events] == [RecordedKind.REVOKE] * 8

    on_a_line(tmp_path, scenario, INFOBIP_BASIC)


def test_bytes_that_are_no_utf_8_are_verified_as_they_came(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        body = urlencode(twilio_form(Said(text="STOP"))).encode() + b"&City=%ff"
        signed = Signed(body=body, headers=line.signed().headers)
        assert (await line.call(signed)).status_code == 401
        assert await line.events() == []

    on_a_line(tmp_path, scenario)


def test_a_ledger_that_takes_nothing_makes_the_provider_try_again(tmp_path: Path) -> None:
    async def scenario(line: Line) -> None:
        line.service.components.service.writer.refuse("the ledger is not sound")
        answer = await line.say()
        assert (answer.status_code, answer.json()["code"]) == (503, "ledger_read_only")

    on_a_line(tmp_path, scenario)
