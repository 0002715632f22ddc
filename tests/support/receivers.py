"""A receiver on a free port of loopback that answers as it is told, and keeps what it got."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The id that is the same at every attempt."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        """The CloudEvents document."""
        return json.loads(self.body)


Answer = Callable[[Received], Awaitable[bytes | None]]
"""Gives the bytes of the answer; None closes the connection without one."""


def answering(status: int, *headers: str, body: bytes = b"") -> bytes:
    """An answer in HTTP/1.1."""
    lines = [f"HTTP/1.1 {status} Told", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


OK = answering(200)


@dataclass
class Receiver:
    """What it got so far, in order, and how it answers the next."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answer: bytes | None = OK
    answers: list[bytes | None] = field(default_factory=list)
    hold: asyncio.Event | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def more(self) -> None:
        """Wait until something else comes."""
        self.came.clear()
        await self.came.wait()

    def then(self, *answers: bytes | None) -> None:
        """Answer so the next times, one after the other; then as before."""
        self.answers.extend(answers)

    @property
    def ids(self) -> list[str]:
        """The ids of what it got."""
        return [one.id for one in self.got]

    async def take(self, received: Received) -> bytes | None:
        """Keep it, and say how to answer."""
        self.got.append(received)
        self.came.set()
        answer = self.answers.pop(0) if self.answers else self.answer
        if self.hold is not None:
            await self.hold.wait()
        return answer


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    """Listen until the end."""
    receiver = Receiver()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            while (received := await _read(reader)) is not None:
                answer = await receiver.take(received)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.split(": ", 1) for line in lines if line)
    headers = {name.lower(): value for name, value in pairs}
    return Received(headers, await reader.readexactly(int(headers["content-length"])))
