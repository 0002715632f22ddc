"""What each provider signs is read and recorded; what it did not sign changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.app import ROUTES
from consent.events import RecordedKind
from rules.vocabulary import Via
from tests.support.inbound import Line, Published, a_line
from tests.support.provider_calls import ANN, BASE_URL, INFOBIP_BASIC, KINDS, Kind, Signed
from tests.support.service import running_service

ANSWERS = {
    "twilio": ("text/xml", b"<Response/>"),
    "plivo": ("text/xml", b"<Response></Response>"),
    "messagebird": ("text/plain", b"OK"),
}
EVERY = pytest.mark.parametrize("name", [*KINDS, "infobip by name and password"])
DATED = pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.is_dated])
SIGNED = pytest.mark.parametrize("name", list(KINDS))

SIGNATURE_HEADERS = (
    "authorization",
    "messagebird-signature",
    "messagebird-signature-jwt",
    "telnyx-signature-ed25519",
    "x-hub-signature",
    "x-plivo-signature-v3",
    "x-sinch-webhook-signature",
    "x-twilio-signature",
)


def kind_of(name: str) -> Kind:
    return KINDS.get(name, INFOBIP_BASIC)


def on_a_line(
    folder: Path, kind: Kind, scenario: Callable[[Line], Awaitable[None]], **given: Any
) -> None:
    """Run ``scenario`` with an endpoint of this kind, its service reached by its public URL."""

    async def run() -> None:
        async with running_service(
            folder, public_base_url=BASE_URL, fetch=Published().fetch, routes=ROUTES, **given
        ) as service:
            await scenario(await a_line(service, kind))

    asyncio.run(run())


async def assert_changed_nothing(line: Line, signed: Signed, status: int = 401) -> None:
    before = await line.events()
    answer = await line.call(signed)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await line.events() == before


@EVERY
def test_a_stop_is_recorded_before_the_answer_and_binds_the_next_check(
    tmp_path: Path, name: str
) -> None:
    kind = kind_of(name)

    async def scenario(line: Line) -> None:
        await line.grant()
        assert (await line.check())["verdict"] == "allow"
        answer = await line.say("STOP", id="SM-1")
        media_type, body = ANSWERS.get(kind.provider, ("text/plain", b""))
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.content.endswith(body)
        denied = await line.check()
        assert [reason["code"] for reason in denied["reasons"]] == ["consent_revoked"]
        _, (event, address) = await line.events()
        assert (event.event, event.via, address) == (RecordedKind.REVOKE, Via.KEYWORD, ANN)
        assert (event.sender, event.channel, event.purpose) == (None, None, None)
        assert (event.text, event.flags) == ("STOP", ())
        assert event.evidence is not None
        assert event.evidence.source_url == f"{kind.provider}:SM-1"

    on_a_line(tmp_path, kind, scenario)


@EVERY
def test_what_a_provider_delivers_again_is_acknowledged_and_recorded_once(
    tmp_path: Path, name: str
) -> None:
    async def scenario(line: Line) -> None:
        first = line.signed()
        assert (await line.call(first)).status_code == 200
        assert (await line.call(first)).status_code == 200
        line.service.clock.move(timedelta(minutes=1))
        assert (await line.say()).status_code == 200
        assert len(await line.events()) == 1
        assert (await line.say(id="message-2")).status_code == 200
        assert len(await line.events()) == 2

    on_a_line(tmp_path, kind_of(name), scenario)


@EVERY
def test_what_is_not_signed_changes_nothing(tmp_path: Path, name: str) -> None:
    async def scenario(line: Line) -> None:
        bare = line.signed().without(*SIGNATURE_HEADERS)
        if bare == line.signed():  # The signature is one of its fields.
            field = b'"Signature"' if line.kind.provider == "aws_sns" else b"sig="
            bare = bare.altered(field.decode(), field.decode().replace("ig", "og"))
        await assert_changed_nothing(line, bare)

    on_a_line(tmp_path, kind_of(name), scenario)


@SIGNED
def test_what_was_altered_changes_nothing(tmp_path: Path, name: str) -> None:
    async def scenario(line: Line) -> None:
        signed = line.signed()
        await assert_changed_nothing(line, signed.altered("5550123", "5550124"))
        await assert_changed_nothing(line, signed.altered("STOP", "STOPP"))
        assert (await line.call(signed)).status_code == 200
        assert len(await line.events()) == 1

    on_a_line(tmp_path, kind_of(name), scenario)


@EVERY
def test_what_another_key_signed_changes_nothing(tmp_path: Path, name: str) -> None:
    """The same call, to an endpoint of somebody with other credentials."""
    kind = kind_of(name)
    other = {key: f"X{value[1:]}" for key, value in kind.credentials.items()}
    if kind.provider == "telnyx":
        other = {"public_key": "A" * 43 + "="}
    if kind.provider == "aws_sns":
        other = {"topic_arn": kind.credentials["topic_arn"] + "-of-others"}

    async def scenario(line: Line) -> None:
        theirs = Kind(kind.provider, other, kind.sign)
        another = await a_line(line.service, theirs)
        await assert_changed_nothing(another, another.signed())
        assert (await line.say()).status_code == 200

    on_a_line(tmp_path, kind, scenario)


@DATED
def test_what_is_stale_or_ahead_of_time_changes_nothing(tmp_path: Path, name: str) -> None:
    """A second too late and just in time; so much ahead as a clock may be wrong, and more."""
    kind = kind_of(name)
    window = timedelta(hours=1, minutes=5) if kind.provider == "aws_sns" else timedelta(minutes=5)
    ahead = timedelta(minutes=5)
    if name == "messagebird":
        window = timedelta(minutes=1)  # Its tokens end by themselves.

    async def scenario(line: Line) -> None:
        late, just = line.signed(id="late"), line.signed(id="just")
        line.service.clock.move(window)
        assert (await line.call(just)).status_code == 200
        line.service.clock.move(timedelta(seconds=1))
        await assert_changed_nothing(line, late)
        now = line.service.clock.now()
        soon, early = (
            kind.sign(line.url, line.said(id=word), now + ahead + by)
            for word, by in (("soon", timedelta()), ("early", timedelta(seconds=1)))
        )
        await assert_changed_nothing(line, early)
        assert (await line.call(soon)).status_code == 200
        assert len(await line.events()) == 2

    on_a_line(tmp_path, kind, scenario)


def test_a_stop_is_recorded_on_both_databases(tmp_path: Path, database_url: str) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario(line: Line) -> None:
        await line.grant()
        first = line.signed()
        answers = await asyncio.gather(*(line.call(first) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert [event.event for event, _ in await line.events()] == [
            RecordedKind.GRANT,
            RecordedKind.REVOKE,
        ]
        denied = await line.check()
        assert [reason["code"] for reason in denied["reasons"]] == ["consent_revoked"]

    on_a_line(tmp_path, KINDS["twilio"], scenario, database_url=url)
