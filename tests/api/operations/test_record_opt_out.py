"""What an opt-out says that cannot be so narrows nothing, and puts it before no consent."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.events import Flag
from consent.opt_outs import OLDEST_DAYS
from tests.api.test_resources import CHECK, GRANT, Desk, desk_at
from tests.support.inbound import a_line
from tests.support.provider_calls import ANN, BASE_URL, KINDS, sign_telnyx
from tests.support.service import running_service

SECOND = timedelta(seconds=1)
STOP = {"address": ANN, "via": "agent"}


def url_of(database_url: str) -> str | None:
    return None if database_url.startswith("sqlite") else database_url


async def verdict(desk: Desk, address: str = ANN) -> str:
    recipient = {"address": address, "region": "US-NY"}
    answer = await desk.ask("POST", "/v1/checks", CHECK | {"recipient": recipient}, status=200)
    return str(answer["verdict"])


async def granted_at(desk: Desk, address: str = ANN) -> None:
    """A grant on record, given half an hour ago."""
    half_an_hour_ago = desk.service.clock.now() - timedelta(minutes=30)
    body = {**GRANT, "address": address, "at": half_an_hour_ago.isoformat()}
    await desk.ask("POST", "/v1/consent-events", body, status=201)
    assert await verdict(desk, address) == "allow"


@pytest.mark.parametrize("sender", [None, "acme"])
def test_a_brand_of_nobody_narrows_nothing(
    tmp_path: Path, database_url: str, sender: str | None
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await granted_at(desk)
            body = STOP | {"brand": "Acne", "sender": sender}
            receipt = await desk.ask("POST", "/v1/opt-outs", body, status=201)
            assert receipt["flags"] == [Flag.BRAND_UNKNOWN]
            assert await verdict(desk) == "deny"
            told = await desk.ask("POST", "/v1/subjects/trail", {"address": ANN}, status=200)
            (event,) = [one["event"] for one in told["items"] if one["type"] == "revoke"]
            assert event["unread"] == '{"brand": "Acne"}'

    asyncio.run(scenario())


@pytest.mark.parametrize("brand", ["beta", "BETA ", "Old Beta"])
def test_a_brand_of_ours_narrows_whatever_it_is_called_by_now(
    tmp_path: Path, database_url: str, brand: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await granted_at(desk)
            for name in ("Old Beta", "Beta"):
                body = {"name": name, "country": "US"}
                answer = await service.client.put(
                    "/v1/senders/beta", json=body, headers=desk.headers
                )
                assert answer.status_code in (200, 201)
            receipt = await desk.ask("POST", "/v1/opt-outs", STOP | {"brand": brand}, status=201)
            assert receipt["flags"] == []
            assert await verdict(desk) == "allow"

    asyncio.run(scenario())


def test_an_event_may_name_any_brand(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await granted_at(desk)
            body = {**STOP, "event": "revoke", "sender": "acme", "brand": "Acne"}
            receipt = await desk.ask("POST", "/v1/consent-events", body, status=201)
            assert receipt["flags"] == []
            assert await verdict(desk) == "allow"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("age", "flags"),
    [
        (timedelta(days=9999), [Flag.AT_DOUBTED]),
        (timedelta(hours=1), [Flag.AT_DOUBTED]),
        (timedelta(minutes=30) + SECOND, [Flag.AT_DOUBTED]),
        (timedelta(minutes=30) - SECOND, []),
        (timedelta(), []),
    ],
)
def test_a_stop_that_claims_to_be_older_than_the_consent_takes_it_back(
    tmp_path: Path, database_url: str, age: timedelta, flags: list[Flag]
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await granted_at(desk)
            given = (service.clock.now() - age).isoformat()
            receipt = await desk.ask("POST", "/v1/opt-outs", STOP | {"at": given}, status=201)
            assert receipt["flags"] == flags
            assert await verdict(desk) == "deny"
            told = await desk.ask("POST", "/v1/subjects/trail", {"address": ANN}, status=200)
            (event,) = [one["event"] for one in told["items"] if one["type"] == "revoke"]
            # As it was given it is kept, whatever was made of it.
            assert event.get("unread") == (f'{{"at": "{given}"}}' if flags else None)

    asyncio.run(scenario())


def test_it_is_the_consent_of_whichever_linked_address(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            mail = "ann@example.com"
            await granted_at(desk)
            body = {"addresses": [ANN, mail]}
            await desk.ask("POST", "/v1/subjects/link", body, status=200)
            given = (service.clock.now() - timedelta(hours=1)).isoformat()
            stop = {"address": mail, "via": "link", "at": given}
            receipt = await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            assert receipt["flags"] == [Flag.AT_DOUBTED]
            assert await verdict(desk) == "deny"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("age", "flags"),
    [
        (timedelta(days=OLDEST_DAYS), []),
        (timedelta(days=OLDEST_DAYS) + SECOND, [Flag.AT_DOUBTED]),
    ],
)
def test_an_opt_out_of_whom_nothing_is_known_is_believed_for_a_month(
    tmp_path: Path, age: timedelta, flags: list[Flag]
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            given = (service.clock.now() - age).isoformat()
            receipt = await desk.ask("POST", "/v1/opt-outs", STOP | {"at": given}, status=201)
            assert receipt["flags"] == flags

    asyncio.run(scenario())


def test_an_imported_opt_out_may_be_of_any_age(tmp_path: Path) -> None:
    """The history of another system: what came after it there counts."""

    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await granted_at(desk)
            body = {**STOP, "event": "revoke", "sender": "acme", "at": "1999-12-31T23:59:59Z"}
            receipt = await desk.ask("POST", "/v1/consent-events", body, status=201)
            assert receipt["flags"] == []
            assert await verdict(desk) == "allow"

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["STOP", "stop by tomorrow?"])
def test_a_providers_clock_puts_no_reply_before_the_consent(
    tmp_path: Path, database_url: str, text: str
) -> None:
    async def scenario() -> None:
        async with running_service(
            tmp_path, public_base_url=BASE_URL, database_url=url_of(database_url)
        ) as service:
            line = await a_line(service, KINDS["telnyx"])
            await line.grant()
            service.clock.move(timedelta(minutes=1))
            payload: dict[str, Any] = {
                "id": "m1",
                "from": {"phone_number": ANN},
                "text": text,
                "received_at": "1999-12-31T23:59:59Z",
            }
            body = {"data": {"event_type": "message.received", "payload": payload}}
            answer = await line.call(sign_telnyx(body, service.clock.now()))
            assert answer.status_code == 200, answer.text
            event, _ = (await line.events())[-1]
            assert (event.at, event.flags) == (service.clock.now(), (Flag.AT_DOUBTED,))
            assert event.unread == '{"at": "1999-12-31T23:59:59+00:00"}'
            assert (await line.check())["verdict"] == "deny"

    asyncio.run(scenario())
