"""The same key and body get the same answer for a day, on both databases."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.background import Sweep
from api.data_folder import DataFolder
from api.roles import NO_ORGANISATION, Role
from api.tables import idempotency
from tests.support.databases import open_engine
from tests.support.service import TestService, running_service

NEW_KEY = {"person": "Bob", "roles": ["sender"]}


async def keys_of(service: TestService, headers: dict[str, str]) -> int:
    return len((await service.client.get("/v1/keys", headers=headers)).json()["items"])


def test_a_key_gives_the_first_answer_again(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=_on_server(database_url)) as service:
            organisation = await service.new_organisation()
            admin = await service.as_(organisation, Role.ADMIN)
            once = admin | {"Idempotency-Key": "one"}

            async def post(headers: dict[str, str], body: Any = NEW_KEY) -> Any:
                return await service.client.post("/v1/keys", json=body, headers=headers)

            together = await asyncio.gather(*(post(once) for _ in range(4)))
            assert len({answer.content for answer in together}) == 1
            assert {answer.status_code for answer in together} == {201}
            assert await keys_of(service, admin) == 2

            mismatch = await post(once, NEW_KEY | {"person": "Eve"})
            assert (mismatch.status_code, mismatch.json()["code"]) == (409, "idempotency_mismatch")

            # Another organisation's key of the same name is another key.
            other = await service.as_(await service.new_organisation(), Role.ADMIN)
            elsewhere = await post(other | {"Idempotency-Key": "one"})
            assert elsewhere.content != together[0].content

            service.clock.move(timedelta(hours=23, minutes=59))
            assert (await post(once)).content == together[0].content
            service.clock.move(timedelta(minutes=1))
            assert (await post(once)).content != together[0].content
            assert await keys_of(service, admin) == 3

    asyncio.run(scenario())


def test_a_kept_answer_that_does_not_open_is_one_requests_trouble(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin = await service.as_(await service.new_organisation(), Role.ADMIN)

            async def post(key: str, person: str) -> Any:
                body = NEW_KEY | {"person": person}
                headers = admin | {"Idempotency-Key": key}
                return await service.client.post("/v1/keys", json=body, headers=headers)

            assert (await post("one", "Bob")).status_code == 201
            engine = open_engine(DataFolder(tmp_path).database_url)
            with engine.begin() as connection:
                connection.execute(sa.update(idempotency).values(sealed_response=b"?" * 60))
            engine.dispose()
            broken, fresh = await asyncio.gather(post("one", "Bob"), post("two", "Eve"))
            assert fresh.status_code == 201
            assert (broken.status_code, broken.json()["code"]) == (503, "broken_seal")

    asyncio.run(scenario())


def test_an_answer_is_kept_sealed_and_swept_when_its_day_is_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin = await service.as_(await service.new_organisation(), Role.ADMIN)
            answer = await service.client.post(
                "/v1/keys", json=NEW_KEY, headers=admin | {"Idempotency-Key": "order-4711"}
            )
            kept = sa.select(idempotency)
            [row] = service.components.service.reader.run_here(lambda c: c.execute(kept).all())
            assert answer.json()["token"].encode() not in row.sealed_response
            assert b"4711" not in row.key_hash
            service.clock.move(timedelta(hours=24))
            writer = service.components.service.writer
            assert await writer.submit(Sweep(), None, organisation=NO_ORGANISATION) == 1

    asyncio.run(scenario())


def test_a_read_by_post_answers_the_same_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            admin = await service.as_(organisation, Role.ADMIN)
            lookup = {"address": "+12125550123"}

            async def look(headers: dict[str, str]) -> bytes:
                answer = await service.client.post(
                    "/v1/subjects/lookup", json=lookup, headers=headers
                )
                assert answer.status_code == 200
                return answer.content

            before = await look(admin | {"Idempotency-Key": "look"})
            stopped = await service.client.post("/v1/opt-outs", json=lookup, headers=admin)
            assert stopped.status_code == 201
            assert await look(admin | {"Idempotency-Key": "look"}) == before
            assert await look(admin) != before

    asyncio.run(scenario())


@pytest.mark.parametrize("key", ["", "x" * 256, "é"])
def test_a_key_that_cannot_be_one_is_refused(tmp_path: Path, key: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin = await service.as_(await service.new_organisation(), Role.ADMIN)
            headers = {name.encode(): value.encode() for name, value in admin.items()}
            headers[b"Idempotency-Key"] = key.encode("latin-1")
            answer = await service.client.post("/v1/keys", json=NEW_KEY, headers=headers)
            assert answer.status_code == 400

    asyncio.run(scenario())


def test_an_allow_is_not_given_again_once_it_has_expired_or_been_overtaken(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            admin = await service.as_(organisation, Role.ADMIN)

            grant = {
                "address": "+12125550123",
                "sender": "acme",
                "event": "grant",
                "channel": "sms",
                "purpose": "authentication",
                "level": "express",
            }
            granted = await service.client.post("/v1/consent-events", json=grant, headers=admin)
            assert granted.status_code == 201

            async def check(key: str) -> Any:
                headers = admin | {"Idempotency-Key": key}
                body = {
                    "sender": "acme",
                    "recipient": {"address": "+12125550123", "region": "US-NY"},
                    "message": {"channel": "sms", "purpose": "authentication"},
                }
                return await service.client.post("/v1/checks", json=body, headers=headers)

            first = await check("one")
            assert first.json()["verdict"] == "allow"
            assert (await check("one")).content == first.content
            service.clock.move(timedelta(minutes=10))
            assert (await check("one")).json()["code"] == "decision_superseded"
            second = await check("two")
            assert second.json()["verdict"] == "allow"
            stop = {"address": "+12125550123"}
            await service.client.post("/v1/opt-outs", json=stop, headers=admin)
            assert (await check("two")).json()["code"] == "decision_superseded"

    asyncio.run(scenario())


def _on_server(url: str) -> str | None:
    """The folder's own SQLite database, or the PostgreSQL one that the test was given."""
    return None if url.startswith("sqlite") else url
