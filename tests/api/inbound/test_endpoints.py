"""Endpoints are made for a sender; their credentials are shown to nobody and can be changed."""

import asyncio
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.data_folder import DataFolder
from api.roles import Role
from tests.support.inbound import Line, a_line, another_line
from tests.support.provider_calls import (
    BASE_URL,
    KINDS,
    SECRET,
    TOPIC,
    Said,
    sign_twilio,
    twilio_form,
)
from tests.support.service import TestService, running_service

OTHER = "another-secret-0123456789"
GOOD = {"provider": "twilio", "sender": "acme", "credentials": {"auth_token": SECRET}}


async def ask(line: Line, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = await line.service.client.request(method, path, json=body, headers=dict(line.headers))
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_endpoint_is_listed_without_what_it_was_given(tmp_path: Path, database_url: str) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with running_service(
            tmp_path, database_url=url, public_base_url=BASE_URL + "/gate/"
        ) as service:
            line = await a_line(service)
            assert line.url == f"{BASE_URL}/gate/v1/inbound/twilio/{line.id}"
            start = {"purpose": "marketing", "level": "express", "disclosure": "Text START to …"}
            await another_line(
                service, line.organisation, line.headers, KINDS["telnyx"], start=start
            )
            found = await ask(line, "GET", "/v1/inbound-endpoints")
            assert SECRET not in str(found)
            by_provider = {item["provider"]: item for item in found["items"]}
            assert by_provider["twilio"]["id"] == line.id
            assert by_provider["twilio"]["start"] is None
            assert by_provider["telnyx"]["start"] == start
            first = await ask(line, "GET", "/v1/inbound-endpoints?limit=1")
            rest = await ask(line, "GET", f"/v1/inbound-endpoints?cursor={first['next_cursor']}")
            assert [*first["items"], *rest["items"]] == found["items"]

    asyncio.run(scenario())


def test_credentials_lie_sealed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            await a_line(service)

    asyncio.run(scenario())
    with sqlite3.connect(DataFolder(tmp_path).database) as connection:
        (row,) = connection.execute("SELECT * FROM inbound_endpoint").fetchall()
    connection.close()
    assert SECRET not in str(row)


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"provider": "pigeon"}, 400, "/provider"),
        ({"sender": "nobody"}, 404, None),
        ({"credentials": {}}, 400, "/credentials/auth_token"),
        ({"credentials": {"auth_token": 5}}, 400, "/credentials/auth_token"),
        ({"credentials": {"auth_token": SECRET, "odd": SECRET}}, 400, "/credentials/odd"),
        ({"credentials": {"auth_token": ""}}, 400, "/credentials/auth_token"),
        ({"provider": "telnyx", "credentials": {"public_key": "c2hvcnQ="}}, 400, "/credentials"),
        ({"provider": "sinch", "credentials": {"username": "x"}}, 400, "/credentials"),
        ({"provider": "infobip", "credentials": {}}, 400, "/credentials"),
        (
            {"provider": "aws_sns", "credentials": {"topic_arn": TOPIC.replace("us-", "s3")}},
            400,
            "/credentials/topic_arn",
        ),
        (
            {
                "provider": "vonage",
                "credentials": {"signature_secret": SECRET, "signature_method": "x"},
            },
            400,
            "/credentials/signature_method",
        ),
        ({"start": {"purpose": "marketing", "level": "somewhat"}}, 400, "/start/level"),
    ],
)
def test_what_cannot_verify_anything_is_refused(
    tmp_path: Path, change: dict[str, Any], status: int, pointer: str | None
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            line = await a_line(service)
            refused = await ask(
                line, "POST", "/v1/inbound-endpoints", {**GOOD, **change}, status=status
            )
            assert SECRET not in str(refused)
            if pointer is not None:
                assert [error["pointer"] for error in refused["errors"]] == [pointer]
            assert len((await ask(line, "GET", "/v1/inbound-endpoints"))["items"]) == 1

    asyncio.run(scenario())


def test_new_credentials_verify_at_once_and_the_last_ones_for_a_day(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            path = f"/v1/inbound-endpoints/{line.id}/credentials"
            answer = await ask(line, "PUT", path, {"credentials": {"auth_token": OTHER}})
            assert OTHER not in str(answer)
            assert answer["url"] == line.url
            assert await statuses(line) == [200, 200]
            service.clock.move(timedelta(hours=24) - timedelta(seconds=1))
            assert await statuses(line) == [200, 200]
            service.clock.move(timedelta(seconds=1))
            assert await statuses(line) == [401, 200]
            await ask(line, "PUT", path, {"credentials": {"signing": OTHER}}, status=400)

    asyncio.run(scenario())


async def statuses(line: Line) -> list[int]:
    """What calls signed with the old and with the new credentials are answered."""
    form = twilio_form(Said(text="thank you"))
    calls = [sign_twilio(line.url, form, key=key) for key in (SECRET, OTHER)]
    return [(await line.call(call)).status_code for call in calls]


def test_a_disabled_endpoint_takes_nothing_and_keeps_no_credentials(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            path = f"/v1/inbound-endpoints/{line.id}"
            first = await ask(line, "POST", f"{path}/disable")
            assert first["disabled_at"] is not None
            service.clock.move(timedelta(minutes=1))
            assert await ask(line, "POST", f"{path}/disable") == first
            assert (await line.say()).status_code == 404
            body = {"credentials": {"auth_token": OTHER}}
            await ask(line, "PUT", f"{path}/credentials", body, status=409)
            assert (await ask(line, "GET", "/v1/inbound-endpoints"))["items"] == [first]

    asyncio.run(scenario())
    with sqlite3.connect(DataFolder(tmp_path).database) as connection:
        (kept,) = connection.execute("SELECT sealed_credentials FROM inbound_endpoint").fetchall()
    connection.close()
    assert kept == (None,)


def test_no_organisation_reaches_anothers_endpoint(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            line, theirs = await a_line(service), await _other_admin(service)
            other = replace(line, headers=theirs)
            path = f"/v1/inbound-endpoints/{line.id}"
            body = {"credentials": {"auth_token": OTHER}}
            await ask(other, "PUT", f"{path}/credentials", body, status=404)
            await ask(other, "POST", f"{path}/disable", status=404)
            assert (await ask(other, "GET", "/v1/inbound-endpoints"))["items"] == []
            assert (await ask(line, "GET", "/v1/inbound-endpoints"))["items"][0][
                "disabled_at"
            ] is None

    asyncio.run(scenario())


async def _other_admin(service: TestService) -> dict[str, str]:
    return await service.as_(await service.new_organisation("Theirs"), Role.ADMIN)
