"""Asks an application in this process, without a network; no download is held whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx

PIECES_WAITING_MAX = 4
_DOWNLOAD = "/download"


class InProcessTransport(httpx.ASGITransport):
    """As its parent, which gathers an answer before it gives it, but for downloads."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask, and give the answer; that of a download as it comes."""
        if not request.url.path.endswith(_DOWNLOAD):
            return await super().handle_async_request(request)
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue(PIECES_WAITING_MAX)
        started: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.set_result(message)
            else:
                await pieces.put(message.get("body", b""))
                if not message.get("more_body", False):
                    await pieces.put(None)

        task = asyncio.ensure_future(self.app(_scope_of(request), receive, send))
        task.add_done_callback(lambda _: started.done() or started.cancel())
        await asyncio.wait([started])
        if started.cancelled():
            await task  # It raises what broke.
        answer = started.result()
        stream = _Pieces(pieces, task)
        return httpx.Response(answer["status"], headers=answer["headers"], stream=stream)


class _Pieces(httpx.AsyncByteStream):
    """An answer's body, piece by piece; what makes it ends with it."""

    def __init__(self, pieces: "asyncio.Queue[bytes | None]", task: "asyncio.Future[None]") -> None:
        self._pieces = pieces
        self._task = task

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def aclose(self) -> None:
        """Take no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _scope_of(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 123),
        "root_path": "",
    }
