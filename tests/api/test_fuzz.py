"""Whatever comes in: no 5xx, every answer as the document at /schema says, on both databases."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance

from api.roles import Role
from tests.support.service import TestService, running_service

EXAMPLES = 20
"""Requests a route, kind of data and database: enough to find what is wrong, and quick."""

NOT_JSON = {"loadRegistry", "readMetrics"}
"""What takes or gives something else than JSON."""

_SERVICE = "http://service.example"
_CHECKS = [not_a_server_error, response_schema_conformance]


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_breaks_the_service(
    tmp_path: Path, database_url: str, mode: GenerationMode
) -> None:
    other_url = None if database_url.startswith("sqlite") else database_url
    with asyncio.Runner() as runner, _served(runner, tmp_path, other_url) as service:
        headers = runner.run(_an_admin(service))
        document = runner.run(service.client.get("/schema")).json()
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if operation.definition.raw["operationId"] not in NOT_JSON:
                _ask(operation, mode, runner, service.client, headers)


@contextmanager
def _served(
    runner: asyncio.Runner, folder: Path, database_url: str | None
) -> Iterator[TestService]:
    """A service whose loop stands still between requests; one task starts and stops it."""
    loop = runner.get_loop()
    started: asyncio.Future[TestService] = loop.create_future()
    done = asyncio.Event()

    async def serve() -> None:
        try:
            async with running_service(folder, database_url=database_url) as service:
                started.set_result(service)
                await done.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    async def first() -> TestService:
        return await started

    async def last(task: asyncio.Task[None]) -> None:
        done.set()
        await task

    task = loop.create_task(serve())
    service = runner.run(first())
    try:
        yield service
    finally:
        runner.run(last(task))


async def _an_admin(service: TestService) -> dict[str, str]:
    organisation = await service.new_organisation()
    await service.put_sender(organisation)
    return await service.as_(organisation, Role.ADMIN)


def _ask(
    operation: Any,
    mode: GenerationMode,
    runner: asyncio.Runner,
    client: httpx.AsyncClient,
    headers: dict[str, str],
) -> None:
    """Send what may come, of one route; a failure is not shrunk, so that the time is bounded."""

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        asked = case.as_transport_kwargs(headers=headers, base_url=_SERVICE)
        asked["content"] = asked.pop("data", None)
        asked.pop("cookies", None)
        answer = runner.run(client.request(**asked))
        case.validate_response(answer, checks=_CHECKS)
        if answer.is_error:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "where nothing is asked for, nothing can be wrong"
    except Exception as error:
        error.add_note(f"asked of {operation.label}, {mode} data")
        raise
