"""What every request meets before and after its route: ids, sizes, media types, URLs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from litestar import get, post

from api.app import ROUTES
from api.call import BODY_SIZE_MAX, Answer, Call
from api.roles import Role, open_to, public
from api.v1.consent_events import BATCH_SIZE_MAX
from api.work import Reply
from tests.support.service import TestService, running_service

PROBLEM = "application/problem+json"
EVENT = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "grant",
    "at": "2026-01-05T10:00:00-05:00",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
}


@get("/break", opt=public())
async def break_down() -> str:
    raise RuntimeError("+12125550123 is in the message")


@get("/break-late", opt=public())
async def break_late() -> Answer[bytes]:
    class Half(Answer[bytes]):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            raise RuntimeError("+12125550123 is in the message")

    return Half(Reply(200, b""))


@post("/echo", status_code=200, opt=open_to(Role.SENDER))
async def echo(request: Call) -> Answer[bytes]:
    return Answer(Reply(200, await request.json_bytes()))


def _get(path: str) -> Any:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }


async def _nothing() -> Any:
    return {"type": "http.request", "body": b""}


async def admin_of(service: TestService) -> dict[str, str]:
    organisation = await service.new_organisation()
    await service.put_sender(organisation)
    return await service.as_(organisation, Role.ADMIN)


def test_every_answer_carries_an_id_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, routes=(*ROUTES, break_down)) as service:
            paths = ("/health/live", "/nowhere", "/v1/keys", "/break", "/v1/checks/+12125550123")
            answers = [await service.client.get(path) for path in paths]
            ids = [answer.headers["x-request-id"] for answer in answers]
            assert len(set(ids)) == len(paths)
            log = service.log.getvalue()
            assert all(id_ in log for id_ in ids)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/v1/keys", 405, "method_not_allowed"),
        ("OPTIONS", "/v1/keys", 405, "method_not_allowed"),
        ("GET", "/break", 500, "internal_error"),
        ("GET", "/v1/keys?cursor=!", 400, "invalid_request"),
        ("GET", "/v1/keys?limit=0", 400, "invalid_request"),
        ("GET", "/v1/keys?limit=many", 400, "invalid_request"),
        ("GET", "/v1/keys?page=2", 400, "invalid_request"),
        ("GET", "/v1/checks/+12125550123", 400, "address_in_url"),
        ("GET", "/v1/senders/ada@example.com", 400, "address_in_url"),
        ("GET", "/v1/senders?cursor=%2B12125550123", 400, "address_in_url"),
        ("GET", "/nowhere/12125550123", 400, "address_in_url"),
        ("GET", "/v1/checks/chk_1", 404, "malformed_id"),
        ("POST", "/v1/checks", 400, "invalid_request"),
    ],
)
def test_every_refusal_is_a_problem_document(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, routes=(*ROUTES, break_down)) as service:
            headers = await admin_of(service)
            answer = await service.client.request(method, path, headers=headers)
            problem = answer.json()
            assert (answer.status_code, problem["status"], problem["code"]) == (
                status,
                status,
                code,
            )
            assert answer.headers["content-type"] == PROBLEM
            assert "555" not in answer.text
            assert "example.com" not in answer.text

    asyncio.run(scenario())


def test_405_names_the_methods_that_a_path_takes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            answer = await service.client.delete("/v1/keys")
            assert answer.headers["allow"] == "GET, POST"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/echo", BODY_SIZE_MAX, 200),
        ("/echo", BODY_SIZE_MAX + 1, 413),
        ("/v1/consent-events", BODY_SIZE_MAX + 1, 413),
        ("/v1/consent-events", BATCH_SIZE_MAX + 1, 413),
    ],
)
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_is_taken_up_to_its_limit(
    tmp_path: Path, path: str, size: int, status: int, is_announced: bool
) -> None:
    async def chunks() -> Any:
        for start in range(0, size, 65536):
            yield b" " * min(65536, size - start)

    async def scenario() -> None:
        async with running_service(tmp_path, routes=(*ROUTES, echo)) as service:
            headers = await admin_of(service)
            content: Any = b" " * size if is_announced else chunks()
            if path == "/v1/consent-events" and size <= BATCH_SIZE_MAX:
                content = b'{"event": "grant", "text": "' + b"x" * size + b'"}'
            answer = await service.client.post(
                path, content=content, headers=headers | {"Content-Type": "application/json"}
            )
            assert answer.status_code == status

    asyncio.run(scenario())


def test_a_batch_may_be_larger_than_a_single_body(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            headers = await admin_of(service)
            padded = EVENT | {"text": "x" * 2000}
            answer = await service.client.post(
                "/v1/consent-events", json={"events": [padded] * 1000}, headers=headers
            )
            assert answer.status_code == 200
            assert [item["index"] for item in answer.json()["results"]] == list(range(1000))
            answer = await service.client.post(
                "/v1/consent-events", json={"events": [EVENT] * 1001}, headers=headers
            )
            assert answer.json()["errors"][0]["pointer"] == "/events"

    asyncio.run(scenario())


def test_what_breaks_after_the_answer_began_is_logged_and_not_glossed_over(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, routes=(*ROUTES, break_late)) as service:
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            await service.doors.network(_get("/break-late"), _nothing, send)
            assert [message["type"] for message in sent] == ["http.response.start"]
            assert '"error":"RuntimeError"' in service.log.getvalue()
            assert "555" not in service.log.getvalue()

    asyncio.run(scenario())


def test_a_body_must_say_that_it_is_json(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            headers = await admin_of(service)
            statuses = {}
            for kind in ("text/plain", "application/json", "Application/JSON; charset=utf-8"):
                answer = await service.client.post(
                    "/v1/opt-outs",
                    content=b'{"address": "+12125550123"}',
                    headers=headers | {"Content-Type": kind},
                )
                statuses[kind] = answer.status_code
            assert list(statuses.values()) == [415, 201, 201]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"{", ""),
        (b"", ""),
        (b"[]", ""),
        (b'{"person": "Bob"}', "/roles"),
        (b'{"person": "Bob", "roles": ["owner"]}', "/roles/0"),
        (b'{"person": "Bob", "roles": []}', "/roles"),
        (b'{"person": 5, "roles": ["admin"]}', "/person"),
        (b'{"person": "Bob", "roles": ["admin"], "colour": 1}', "/colour"),
        (b'{"person": "Bob", "roles": ["admin"], "+12125550123": 1}', ""),
        (b'{"person": "ada@example.com", "roles": ["admin"]}', "/person"),
        (b"\xff\xfe", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_body_that_does_not_fit_names_the_field(
    tmp_path: Path, body: bytes, pointer: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            headers = await admin_of(service) | {"Content-Type": "application/json"}
            answer = await service.client.post("/v1/keys", content=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == pointer
            assert "555" not in answer.text
            assert "example.com" not in answer.text

    asyncio.run(scenario())
