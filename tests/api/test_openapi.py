"""The document at /schema says what there is, and its examples are of their shapes."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from api.openapi import EXAMPLE_REQUEST
from api.roles import Role, access_of
from tests.promises.test_routes import routes_of
from tests.support.service import TestService, running_service

WITHOUT_DESCRIPTION = {
    "GET /schema",
    # Pages for people; what a mailbox provider asks of the first stands in RFC 8058.
    "GET /u/{token:str}",
    "POST /u/{token:str}",
    "GET /p/{token:str}",
    "POST /p/{token:str}",
}


async def schema_of(service: TestService) -> Any:
    return (await service.client.get("/schema")).json()


def test_every_route_is_described(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            schema = await schema_of(service)
            assert schema["openapi"].startswith("3.1")
            for method, path, handler in routes_of(service):
                if f"{method} {path}" in WITHOUT_DESCRIPTION:
                    continue
                plain = path.replace(":str", "").replace(":path", "")
                operation = schema["paths"][plain][method.lower()]
                assert operation["summary"], plain
                assert operation["description"], plain
                assert operation["operationId"], plain
                assert ("security" in operation) is not access_of(handler).public, plain
                problem = operation["responses"]["default"]["content"]
                assert "application/problem+json" in problem, plain

    asyncio.run(scenario())


def test_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            for path in ("/schema/openapi.json", "/schema/swagger", "/docs", "/unserved"):
                assert (await service.client.get(path)).status_code == 404
            assert "cdn" not in msgspec.json.encode(await schema_of(service)).decode()

    asyncio.run(scenario())


def test_every_reference_leads_somewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            schema = await schema_of(service)
            known = schema["components"]["schemas"]
            for reference in _references(schema):
                assert reference.removeprefix("#/components/schemas/") in known

    asyncio.run(scenario())


def test_every_example_is_answered(tmp_path: Path) -> None:
    """In the order in which the routes stand: senders, consent, opt-outs, checks."""

    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url="https://gate.example") as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            held = {"address": "+12125550123", "event": "hold", "text": "stop by tomorrow?"}
            answer = await service.client.post("/v1/consent-events", json=held, headers=headers)
            ids = {"{sender:str}": "acme", "{review:str}": answer.json()["id"]}
            shown = 0
            for method, path, handler in routes_of(service):
                example = handler.opt.get(EXAMPLE_REQUEST)
                if example is None:
                    continue
                shown += 1
                for name, id_ in ids.items():
                    path = path.replace(name, id_)  # noqa: PLW2901
                answer = await service.client.request(method, path, json=example, headers=headers)
                assert answer.status_code == handler.status_code, (path, answer.text)
            assert shown >= 6

    asyncio.run(scenario())


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in _references(value)]
    if isinstance(part, list):
        return [found for value in part for found in _references(value)]
    return []
