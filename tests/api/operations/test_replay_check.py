"""``POST /v1/checks/{id}/replay``: whoever may ask is told whether it comes to the same."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from api.roles import Role
from tests.support.service import TestService, running_service

ADDRESS = "+12125550123"
CHECK = {
    "sender": "acme",
    "recipient": {"address": ADDRESS, "region": "US-NY"},
    "message": {"channel": "sms", "purpose": "marketing", "text": "Acme: sale. Reply STOP."},
}


async def post(
    service: TestService, headers: dict[str, str], path: str, body: Any = None
) -> httpx.Response:
    return await service.client.post(path, json=body, headers=headers)


async def checked(service: TestService, headers: dict[str, str]) -> str:
    answer = await post(service, headers, "/v1/checks", CHECK)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_a_decision_comes_to_the_same(tmp_path: Path, database_url: str) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            id_ = await checked(service, headers)
            service.clock.move(timedelta(days=1))
            answer = await post(service, headers, f"/v1/checks/{id_}/replay")
            assert answer.status_code == 200, answer.text
            told = answer.json()
            assert (told["id"], told["same"], told["differed"]) == (id_, True, [])
            assert told["before"] == told["after"]
            assert told["before"]["verdict"] == "deny"
            assert told["before"]["canonical"].startswith("sha256:")
            assert told["proof"] == {"history": "named", "registries": {}, "discrepancies": []}
            assert not any(told["changed"].values())
            assert told["subject"] is None, "nobody was on record"
            assert ADDRESS not in answer.text
            answer = await service.client.get("/v1/access", headers=headers)
            (access,) = answer.json()["items"]
            assert (access["kind"], access["subject"]) == ("replay", None)
            assert access["statement"] == {"check": id_}

    asyncio.run(scenario())


def test_who_knows_the_address_of_a_stranger_has_all_of_it_proved(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            path = f"/v1/checks/{await checked(service, headers)}/replay"
            told = (await post(service, headers, path, {"address": ADDRESS})).json()
            assert (told["same"], told["proof"]["history"]) == (True, "complete")
            answer = await post(service, headers, path, {"address": "+12125550177"})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
            assert answer.json()["errors"][0]["pointer"] == "/address"
            assert (await post(service, headers, path, {})).status_code == 200

    asyncio.run(scenario())


def test_a_sender_replays_its_own_and_an_auditor_every_decision(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            keys = [
                await service.new_key(organisation, role, person=person)
                for role, person in (
                    (Role.SENDER, "Ada"),
                    (Role.SENDER, "Ada"),
                    (Role.SENDER, "Bob"),
                    (Role.AUDITOR, "Eve"),
                )
            ]
            ada, ada_again, bob, eve = ({"Authorization": f"Bearer {key}"} for key in keys)
            id_ = await checked(service, ada)
            told = {
                name: (await post(service, headers, f"/v1/checks/{id_}/replay")).status_code
                for name, headers in (
                    ("ada", ada),
                    ("again", ada_again),
                    ("bob", bob),
                    ("eve", eve),
                )
            }
            assert told == {"ada": 200, "again": 200, "bob": 403, "eve": 200}

    asyncio.run(scenario())


def test_what_is_no_decision_is_404_and_a_body_is_not_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            for id_ in ("chk_" + "0" * 32, "evt_" + "0" * 32, "row-12", ADDRESS[1:]):
                answer = await post(service, headers, f"/v1/checks/{id_}/replay")
                assert answer.status_code in (400, 404), id_
            id_ = await checked(service, headers)
            answer = await service.client.post(f"/v1/checks/{id_}/replay?at=now", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    asyncio.run(scenario())


def test_what_can_be_made_no_more_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            id_ = await checked(service, headers)
            erase = {"address": ADDRESS, "why": "asked"}
            assert (await post(service, headers, "/v1/subjects/erase", erase)).status_code == 200
            answer = await post(service, headers, f"/v1/checks/{id_}/replay")
            assert (answer.status_code, answer.json()["code"]) == (410, "subject_erased")
            later = await checked(service, headers)
            month = service.clock.now().strftime("%Y-%m")
            service.clock.move(timedelta(days=90))
            destroy = {"kind": "decision", "month": month}
            gone = await post(service, headers, "/v1/keys/destruction", destroy)
            assert gone.status_code == 200
            answer = await post(service, headers, f"/v1/checks/{later}/replay")
            assert (answer.status_code, answer.json()["code"]) == (410, "decision_expired")

    asyncio.run(scenario())
