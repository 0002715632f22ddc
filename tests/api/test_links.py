"""Recipients' links: who may ask for them, and which checks bring them along."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.recipients import BASE_URL, EMAIL, NUMBER, ONE_CLICK, a_desk, path_of

MAIL = {
    "sender": "acme",
    "recipient": {"address": EMAIL, "region": "US-NY"},
    "message": {"channel": "email", "purpose": "marketing"},
}


def obligations(answer: dict[str, Any]) -> set[str]:
    return {owed["code"] for owed in answer["obligations"]}


def test_links_are_made_for_whoever_asks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            wanted = {"sender": "acme", "address": EMAIL}
            made = await desk.ask("/v1/links", wanted)
            again = await desk.ask("/v1/links", wanted)
            assert set(made) == {"one_click", "preferences", "viewable_until"}
            assert made["one_click"].startswith(f"{BASE_URL}/u/")
            assert made["preferences"].startswith(f"{BASE_URL}/p/")
            assert made["one_click"] != again["one_click"]
            until = datetime.fromisoformat(made["viewable_until"])
            assert until - desk.service.clock.at > timedelta(days=150)
            assert await desk.entries() == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"sender": "nobody", "address": EMAIL}, 404, "unknown_sender"),
        ({"sender": "acme", "address": "+1"}, 400, "invalid_address"),
        ({"sender": "acme"}, 400, "invalid_request"),
        ({"sender": "acme", "address": EMAIL, "colour": 1}, 400, "invalid_request"),
    ],
)
def test_links_that_cannot_be_are_refused(
    tmp_path: Path, body: dict[str, Any], status: int, code: str
) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            assert (await desk.ask("/v1/links", body, status=status))["code"] == code

    asyncio.run(scenario())


def test_without_a_public_address_there_are_none_and_nothing_breaks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path, public_base_url=None) as desk:
            wanted = {"sender": "acme", "address": EMAIL}
            assert (await desk.ask("/v1/links", wanted, status=409))["code"] == "links_unavailable"
            answer = await desk.ask("/v1/checks", MAIL)
            assert "one_click_unsubscribe" in obligations(answer)
            assert answer["links"] is None

    asyncio.run(scenario())


def test_a_check_that_owes_one_click_brings_the_links(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            answer = await desk.ask("/v1/checks", MAIL)
            assert (answer["verdict"], "one_click_unsubscribe" in obligations(answer)) == (
                "allow",
                True,
            )
            links = answer["links"]
            page = await desk.service.client.get(path_of(links["preferences"]))
            assert page.status_code == 200
            stopped = await desk.service.client.post(path_of(links["one_click"]), data=ONE_CLICK)
            assert stopped.status_code == 200
            assert (await desk.ask("/v1/checks", MAIL))["verdict"] == "deny"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "change",
    [
        {"message": {"channel": "sms", "purpose": "marketing"}, "recipient": {"address": NUMBER}},
        {"message": {"channel": "email", "purpose": "authentication"}},
        {"recipient": {"address": "nobody@", "region": "US-NY"}},
    ],
)
def test_no_other_check_brings_any(tmp_path: Path, change: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            answer = await desk.ask("/v1/checks", MAIL | change)
            assert answer["links"] is None

    asyncio.run(scenario())


def test_links_of_a_check_are_not_put_on_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            answer = await desk.ask("/v1/checks", MAIL)
            read = await desk.service.client.get(f"/v1/checks/{answer['id']}", headers=desk.headers)
            for url in (answer["links"]["one_click"], answer["links"]["preferences"]):
                assert path_of(url)[3:] not in read.text

    asyncio.run(scenario())


@pytest.mark.parametrize("slash", ["", "/", "/gate", "/gate/"])
def test_the_public_address_may_have_a_path(tmp_path: Path, slash: str) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path, public_base_url=BASE_URL + slash) as desk:
            made = await desk.ask("/v1/links", {"sender": "acme", "address": EMAIL})
            assert made["one_click"].startswith(f"{BASE_URL}{slash.rstrip('/')}/u/")

    asyncio.run(scenario())
