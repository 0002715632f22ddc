"""The one way in which commands ask the service: by its HTTP routes, as the operator.

A running service is asked through the socket in its data folder. Where none runs, and on
PostgreSQL, the same application is opened in this process and asked without a network.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
import msgspec

from api.data_folder import DataFolder
from api.errors import DataFolderError
from api.settings import Settings

T = TypeVar("T")

BASE_URL = "http://service.invalid"
WAIT_SECONDS = 600.0
"""A register of many millions is read whole before it is answered."""


class RefusedError(Exception):
    """The service answered with a problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.lines = [str(problem.get("detail") or problem.get("title") or f"status {status}")]
        for error in problem.get("errors") or ():
            self.lines.append(f"  {error.get('pointer') or 'body'}: {error.get('message')}")
        super().__init__(self.lines[0])


class OperatorService:
    """Asks as the operator, in the name of one organisation."""

    def __init__(self, client: httpx.AsyncClient, organisation: str | None = None) -> None:
        self._client = client
        self._organisation = organisation

    async def get(self, path: str, **query: Any) -> Any:
        """What a route answers, decoded."""
        return await self._ask("GET", path, params=query)

    async def text(self, path: str) -> str:
        """What a route answers that does not speak JSON."""
        headers = {} if self._organisation is None else {"X-Organisation": self._organisation}
        answer = await self._client.get(path, headers=headers)
        if not answer.is_success:
            raise RefusedError(answer.status_code, msgspec.json.decode(answer.content))
        return answer.text

    async def post(self, path: str, body: Any) -> Any:
        """What a route answers to a body, decoded. Bytes are sent as they are."""
        return await self._ask("POST", path, **_content(body))

    async def put(self, path: str, body: Any, **query: Any) -> Any:
        """The same for ``PUT``; an asynchronous iterator of bytes is streamed."""
        return await self._ask("PUT", path, params=query, **_content(body))

    async def delete(self, path: str) -> Any:
        """What a route answers that takes something away, decoded."""
        return await self._ask("DELETE", path)

    async def download(self, path: str, target: Path) -> None:
        """Write what a route sends to a file, piece by piece; it is on disk after this."""
        headers = {} if self._organisation is None else {"X-Organisation": self._organisation}
        async with self._client.stream("GET", path, headers=headers) as answer:
            if not answer.is_success:
                raise RefusedError(answer.status_code, msgspec.json.decode(await answer.aread()))
            with target.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())

    async def all_of(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, limit=200, **query, **cursor)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def of_one(self) -> "OperatorService":
        """The same in the name of the one organisation there is, if none was named."""
        if self._organisation is not None:
            return self
        known = [item async for item in self.all_of("/v1/organisations")]
        if len(known) != 1:
            raise click.UsageError(
                "there are several organisations; name one with --organisation: "
                + ", ".join(f"{item['id']} ({item['name']})" for item in known)
                if known
                else "there is no organisation yet; make one with: cleartosend organisations create"
            )
        return self.of(known[0]["id"])

    def of(self, organisation: str) -> "OperatorService":
        """The same in the name of another organisation."""
        return OperatorService(self._client, organisation)

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        headers = what.pop("headers", {})
        if self._organisation is not None:
            headers["X-Organisation"] = self._organisation
        answer = await self._client.request(method, path, headers=headers, **what)
        try:
            body = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            body = {}
        if answer.is_success:
            return body
        raise RefusedError(answer.status_code, body if isinstance(body, dict) else {})


def ask(
    settings: Settings,
    asking: Callable[[OperatorService], Awaitable[T]],
    *,
    organisation: str | None = None,
) -> T:
    """Run ``asking`` with the service that these settings lead to."""

    async def reached() -> T:
        async with reach(settings) as client:
            return await asking(OperatorService(client, organisation))

    return asyncio.run(reached())


@asynccontextmanager
async def reach(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service, or of one opened here."""
    folder = DataFolder(settings.data)
    if settings.database_url is not None or not folder.is_served():
        async with opened_here(settings) as client:
            yield client
        return
    with folder.socket_address() as address:
        transport = httpx.AsyncHTTPTransport(uds=address)
        async with _client_of(transport) as client:
            try:
                yield client
            except httpx.TransportError as error:
                raise DataFolderError(
                    f"the service of {folder.root} broke off ({type(error).__name__}); "
                    "whether it did what was asked is not known"
                ) from None


@asynccontextmanager
async def opened_here(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is opened in this process, for as long as this lasts."""
    from api.app import create_app, open_components
    from api.cli.in_process import InProcessTransport

    # A command that is here for a moment does not begin to carry what it could not see arrive.
    quiet = msgspec.structs.replace(
        settings, log_level="error", log_requests="none", dispatch=False
    )
    broken: Exception | None = None
    with open_components(quiet, log_stream=sys.stderr) as components:
        doors = create_app(components)
        async with (
            doors.litestar.lifespan(),
            _client_of(InProcessTransport(app=doors.operator)) as client,  # type: ignore[arg-type]
        ):
            # The application's own end would wrap what is raised in here.
            try:
                yield client
            except Exception as error:
                broken = error
    if broken is not None:
        raise broken


def _client_of(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=WAIT_SECONDS)


def _content(body: Any) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"content": body, "headers": {"Content-Type": "application/json"}}
    if isinstance(body, AsyncIterator):
        return {"content": body, "headers": {"Content-Type": "application/octet-stream"}}
    return {
        "content": msgspec.json.encode(body),
        "headers": {"Content-Type": "application/json"},
    }
