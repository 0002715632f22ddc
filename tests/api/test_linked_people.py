"""Linking over HTTP: one word at one address, and every address hears it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_resources import CHECK, GRANT, MESSAGE, Desk, desk_at
from tests.support.service import TestService, running_service

PHONE, OTHER_PHONE, MAIL = "+12125550123", "+12125550124", "ann@example.com"
LINKED = {"addresses": [PHONE, MAIL, OTHER_PHONE]}


def url_of(database_url: str) -> str | None:
    """What the setting takes: SQLite lies in the data folder."""
    return None if database_url.startswith("sqlite") else database_url


def a_check(address: str = PHONE, **message: Any) -> dict[str, Any]:
    said = {**MESSAGE, **message}
    return {**CHECK, "recipient": {"address": address, "region": "US-NY"}, "message": said}


async def verdict(desk: Desk, check: Mapping[str, Any]) -> tuple[str, list[str]]:
    answer = await desk.ask("POST", "/v1/checks", check, status=200)
    return answer["verdict"], [reason["code"] for reason in answer["reasons"]]


async def permit_of(desk: Desk, check: Mapping[str, Any]) -> dict[str, Any]:
    answer = await desk.ask("POST", "/v1/checks", check, status=200)
    assert answer["verdict"] == "allow", answer["reasons"]
    recipient = check["recipient"]["address"]
    return {
        "permit": answer["permit"],
        "recipient": {"address": recipient},
        "message": check["message"],
    }


def test_a_stop_at_one_address_stops_all_at_once_and_every_permit(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            linked = await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            assert [len(one["linked"]) for one in linked["subjects"]] == [2, 2, 2]
            assert [receipt["log"] for receipt in linked["receipts"]] == ["consent"] * 3
            permit = await permit_of(desk, a_check())
            assert (await verdict(desk, a_check(OTHER_PHONE)))[0] == "allow"
            stop = {"address": MAIL, "via": "link"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            for address in (PHONE, OTHER_PHONE):
                assert await verdict(desk, a_check(address)) == ("deny", ["consent_revoked"])
            told = await desk.ask("POST", "/v1/permits/verify", permit, status=200)
            assert told == {"valid": False, "why": "revoked"}

    asyncio.run(scenario())


def test_linking_with_who_has_opted_out_overtakes_a_permit(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            await desk.ask("POST", "/v1/opt-outs", {"address": MAIL, "via": "link"}, status=201)
            later = {**GRANT, "at": None}
            await desk.ask("POST", "/v1/consent-events", {**later}, status=201)
            once = {**desk.headers, "Idempotency-Key": "row-12"}
            first = await service.client.post("/v1/checks", json=a_check(), headers=once)
            assert first.json()["verdict"] == "allow"
            await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            again = await service.client.post("/v1/checks", json=a_check(), headers=once)
            assert again.status_code == 409
            assert again.json()["code"] == "decision_superseded"

    asyncio.run(scenario())


def test_caps_count_across_and_parting_ends_that(tmp_path: Path, database_url: str) -> None:
    """Florida: three sales messages a day to one person, at whichever number."""

    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            for address in (PHONE, OTHER_PHONE):
                given = {**GRANT, "address": address}
                await desk.ask("POST", "/v1/consent-events", given, status=201)
            await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)

            def to_florida(address: str) -> dict[str, Any]:
                check = a_check(address)
                return {**check, "recipient": {"address": address, "region": "US-FL"}}

            for address in (PHONE, OTHER_PHONE, PHONE):
                assert (await verdict(desk, to_florida(address)))[0] == "allow"
            for address in (PHONE, OTHER_PHONE):
                assert await verdict(desk, to_florida(address)) == ("defer", ["frequency_cap"])
            parted = await desk.ask(
                "POST", "/v1/subjects/unlink", {"addresses": [OTHER_PHONE]}, status=200
            )
            assert [one["linked"] for one in parted["subjects"]] == [[]]
            assert (await verdict(desk, to_florida(OTHER_PHONE)))[0] == "allow"

    asyncio.run(scenario())


def test_linking_again_answers_the_same_and_appends_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            first = await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            again = await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            assert again == {**first, "receipts": []}
            unlinked = await desk.ask("POST", "/v1/subjects/unlink", LINKED, status=200)
            assert len(unlinked["receipts"]) == 3
            again = await desk.ask("POST", "/v1/subjects/unlink", LINKED, status=200)
            assert again == {**unlinked, "receipts": []}
            nobody = {"addresses": ["nobody@example.com"]}
            told = await desk.ask("POST", "/v1/subjects/unlink", nobody, status=200)
            assert told == {"subjects": [{"subject": None, "linked": []}], "receipts": []}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("addresses", "pointers"),
    [
        ([], ["/addresses"]),
        ([PHONE], ["/addresses"]),
        ([PHONE, ""], ["/addresses/1"]),
        ([PHONE, 7], ["/addresses/1"]),
        ([PHONE, "+1 212 555", "ann@", MAIL], ["/addresses/1", "/addresses/2"]),
        ([PHONE, MAIL, "+1 (212) 555-0123", "ANN@example.com"], ["/addresses/2", "/addresses/3"]),
        (["+5215512345678", "+525512345678"], ["/addresses/1"]),
        ([f"ann{number}@example.com" for number in range(33)], ["/addresses"]),
        ("+12125550123", ["/addresses"]),
        (None, ["/addresses"]),
    ],
)
def test_what_cannot_be_linked_is_named_and_leaves_nothing(
    tmp_path: Path, addresses: Any, pointers: list[str]
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            body = {"addresses": addresses}
            problem = await desk.ask("POST", "/v1/subjects/link", body, status=400)
            assert [error["pointer"] for error in problem["errors"]] == pointers
            assert "555" not in str(problem)
            found = await desk.ask("POST", "/v1/subjects/lookup", {"address": PHONE}, status=200)
            assert found["subject"] is None

    asyncio.run(scenario())


def test_too_many_addresses_of_one_person_are_a_conflict(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            many = {"addresses": [f"ann{number}@example.com" for number in range(32)]}
            await desk.ask("POST", "/v1/subjects/link", many, status=200)
            one_more = {"addresses": ["ann0@example.com", PHONE]}
            problem = await desk.ask("POST", "/v1/subjects/link", one_more, status=409)
            assert problem["code"] == "link_too_large"

    asyncio.run(scenario())


def test_a_lookup_says_what_was_said_at_every_address(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            linked = await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            found = await desk.ask("POST", "/v1/subjects/lookup", {"address": MAIL}, status=200)
            (scope,) = found["consent"]
            assert (scope["sender"], scope["opted_out"]) == ("acme", False)
            ids = {one["subject"] for one in linked["subjects"]}
            assert {found["subject"], *found["linked"]} == ids

    asyncio.run(scenario())


# What the law of the United States makes of scope and of the one confirmation.


async def at(service: TestService, day: str) -> Desk:
    """A desk at noon in New York of that day, with a register loaded the day before."""
    service.clock.at = datetime.fromisoformat(f"{day}T17:00:00").replace(tzinfo=UTC)
    desk = await desk_at(service)
    before = (service.clock.at - timedelta(days=1)).date().isoformat()
    assert (await desk.load(b"address\n+12125550199\n", as_of=before)).status_code == 200
    return desk


@pytest.mark.parametrize(
    ("day", "marketing"),
    [("2027-01-30", ("allow", [])), ("2027-01-31", ("deny", ["consent_revoked"]))],
)
def test_from_its_day_on_a_stop_to_one_kind_of_message_stops_all(
    tmp_path: Path, day: str, marketing: tuple[str, list[str]]
) -> None:
    """DA 26-12: revoke-all binds from 31 January 2027; a channel goes on limiting it."""

    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await at(service, day)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            mail = {"address": PHONE, "sender": "acme", "channel": "voice", "purpose": "service"}
            await desk.ask("POST", "/v1/opt-outs", {**mail, "via": "call"}, status=201)
            assert await verdict(desk, a_check()) == ("allow", [])
            stop = {**mail, "channel": "sms", "via": "keyword"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            service.clock.move(timedelta(seconds=1))
            assert await verdict(desk, a_check()) == marketing

    asyncio.run(scenario())


@pytest.mark.parametrize("day", ["2027-01-30", "2027-01-31"])
def test_a_stop_that_names_no_purpose_stops_all_on_any_day(tmp_path: Path, day: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await at(service, day)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            stop = {"address": PHONE, "sender": "acme", "channel": "sms", "via": "keyword"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            assert await verdict(desk, a_check()) == ("deny", ["consent_revoked"])

    asyncio.run(scenario())


def test_one_message_may_confirm_an_opt_out_for_five_minutes(
    tmp_path: Path, database_url: str
) -> None:
    """47 CFR 64.1200(a)(12): its permit ends with the window, and there is but one."""
    notice = a_check(purpose="service", text="Acme: you are opted out and get no more messages.")

    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            await desk.ask("POST", "/v1/subjects/link", LINKED, status=200)
            opted_out_at = service.clock.now()
            stop = {"address": PHONE, "sender": "acme", "channel": "sms", "via": "keyword"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            service.clock.move(timedelta(minutes=1))
            assert (await verdict(desk, a_check()))[0] == "deny"
            answer = await desk.ask("POST", "/v1/checks", notice, status=200)
            assert answer["verdict"] == "allow", answer["reasons"]
            ends = datetime.fromisoformat(answer["valid_until"])
            window = opted_out_at + timedelta(minutes=5)
            assert timedelta() <= ends - window <= timedelta(microseconds=1)
            # It is for the address at which they opted out.
            elsewhere = {**notice, "recipient": {"address": OTHER_PHONE, "region": "US-NY"}}
            assert (await verdict(desk, elsewhere))[0] == "deny"
            # The place it holds is the only one; unsent, it is free again.
            assert (await verdict(desk, notice))[0] == "deny"
            unsent = f"/v1/checks/{answer['id']}/not-sent"
            await desk.ask("POST", unsent, status=200)
            assert (await verdict(desk, {**notice, "preview": True}))[0] == "allow"
            service.clock.move(timedelta(minutes=4))
            assert (await verdict(desk, {**notice, "preview": True}))[0] == "allow"
            service.clock.move(timedelta(seconds=1))
            assert await verdict(desk, notice) == ("deny", ["consent_revoked"])

    asyncio.run(scenario())
