"""At every provider: odd letters hide no stop, odd addresses lose none, and nothing breaks."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from api.call import BODY_SIZE_MAX
from consent.events import Flag, RecordedKind
from jurisdictions.addresses import parse_address
from tests.support.inbound import Line, Published, a_line
from tests.support.provider_calls import BASE_URL, INFOBIP_BASIC, KINDS, Signed
from tests.support.service import running_service

ALL = {**KINDS, "infobip basic": INFOBIP_BASIC}
EVERY = pytest.mark.parametrize("name", list(ALL))
STOPS = (
    "STOP " + "🛑" * 10_000,
    "🛑" * 10_000 + " STOP",
    "\u202bأوقفوا الرسائل من فضلكم\u202c",
    "\u202eSTOP\u202c",
    "S\u0301T\u0301O\u0301P\u0316",
    "arre\u0302t" + "\u0301\u0316" * 5_000,
    "STOP\x00",
    "\x00STOP",
    "s\u200bt\u200bo\u200bp",
    "STOP\r\n\r\nSent from my phone",
    "ＳＴＯＰ",
    "STOP" + " " * 10_000,
)
"""Each is a stop, and read as one."""

HALVES = ("STOP \ud83d", "\udc00 STOP", "STOP\udcff")
NO_ADDRESSES = ("ACME", "🙂", "a" * 300, "restricted\x00", "\u202e+12125550123\u0301", "1" * 400)


def on_a_line(folder: Path, name: str, scenario: Callable[[Line], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_service(
            folder, public_base_url=BASE_URL, fetch=Published().fetch
        ) as service:
            await scenario(await a_line(service, ALL[name]))

    asyncio.run(run())


@EVERY
def test_letters_of_any_kind_hide_no_stop(tmp_path: Path, name: str) -> None:
    async def scenario(line: Line) -> None:
        halves = HALVES if line.signed().headers.get("Content-Type") == "application/json" else ()
        # No URL is as long as some of these.
        stops = [text for text in STOPS if line.signed().method == "POST" or len(text) < 1000]
        for number, text in enumerate((*stops, *halves)):
            answer = await line.say(text, id=f"message-{number}")
            assert answer.status_code == 200, (name, ascii(text[:20]), answer.text)
            events = await line.events()
            assert len(events) == number + 1, ascii(text[:20])
            event, _ = events[number]
            assert event.event is RecordedKind.REVOKE
            kept = json.loads(event.unread)["text"] if event.unread else event.text
            assert (kept or "").strip() == text.strip()

    on_a_line(tmp_path, name, scenario)


@EVERY
def test_a_stop_of_what_can_be_no_address_is_kept_and_flagged(tmp_path: Path, name: str) -> None:
    async def scenario(line: Line) -> None:
        for number, address in enumerate(NO_ADDRESSES):
            answer = await line.say("STOP", address=address, id=f"message-{number}")
            assert answer.status_code == 200, (name, ascii(address[:20]), answer.text)
            event, kept = (await line.events())[number]
            assert event.event is RecordedKind.REVOKE
            assert Flag.ADDRESS_UNREADABLE in event.flags
            meant = f"+{address}" if address.isdigit() else address
            assert kept == parse_address(meant).normalised

    on_a_line(tmp_path, name, scenario)


@EVERY
def test_what_is_no_call_of_theirs_is_refused_and_changes_nothing(
    tmp_path: Path, name: str
) -> None:
    async def scenario(line: Line) -> None:
        signed = line.signed()
        types = ("text/html", "multipart/form-data", "", "application/xml")
        refused: list[tuple[Signed, tuple[int, ...]]] = [
            (replace(signed, headers={**signed.headers, "Content-Type": one}), (401, 415))
            for one in (types if signed.method == "POST" else ())
        ]
        refused += [
            (replace(signed, method="POST", body=b"x" * size), (413,))
            for size in (10 * 1024 * 1024, BODY_SIZE_MAX + 1)
        ]
        refused += [
            (replace(signed, method="POST", body=body, query=""), (400, 401, 415))
            for body in (b"", b"\x00", b"\xff" * 100, b"{}", b"[]", b"null", b"a=b")
        ]
        for call, statuses in refused:
            answer = await line.call(call)
            assert answer.status_code in statuses, (name, call.body[:20], answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        assert await line.events() == []

    on_a_line(tmp_path, name, scenario)
