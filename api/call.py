"""One call of the API: the request as handlers see it, and how they have it answered.

Litestar makes one of these for every request (``request_class``). It reads bodies strictly,
knows the caller, and carries idempotency keys to the writer.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive, Scope, Send
from sqlalchemy import Connection

from api.decoding import decode_once
from api.errors import BodyTooLargeError, InvalidRequestError, UnsupportedMediaTypeError
from api.exchange import Exchange, exchange_of
from api.roles import Caller
from api.work import Once, Priority, Reply, Work
from rules.errors import ComplianceError

R = TypeVar("R")
A = TypeVar("A")
T = TypeVar("T")

BODY_SIZE_MAX = 1024 * 1024
KEY_LENGTH_MAX = 255
_JSON = b"application/json"
_KEY_HEADER = b"idempotency-key"
_ENCODER = msgspec.json.Encoder()

Read = Callable[[Connection, datetime], Any]
"""A read of the database, at an instant; what it needs else it has with it."""


class Answer(Response[T]):
    """A rendered answer of shape ``T``, sent as it is. It may not be stored unless said."""

    def __init__(
        self, reply: Reply, *, cache_control: str = "no-store", media_type: bytes = _JSON
    ) -> None:
        self.reply = reply
        self.cache_control = cache_control
        self.content_type = media_type

    def to_asgi_response(self, *_: Any, **__: Any) -> "Answer[T]":  # type: ignore[override]
        """It is one already."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self.reply.body
        headers = [
            (b"content-type", self.content_type),
            (b"cache-control", self.cache_control.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": self.reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class ReadOnce:
    """A read that came with an idempotency key: its answer must be kept, and keeping is writing."""

    name = "read_once"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[Read], *, now: datetime
    ) -> list[Any]:
        """Run each read in the turn; one that does not find what it looks for is not kept."""
        answers: list[Any] = []
        for read in requests:
            try:
                answers.append(read(connection, now))
            except ComplianceError as error:
                answers.append(error)
        return answers


_READ_ONCE = ReadOnce()


class Reading:
    """How the bodies of one handler are read; worked out at its first request."""

    __slots__ = ("decoder", "size_max")

    def __init__(self, handler: HTTPRouteHandler) -> None:
        field = handler.parsed_data_field
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
            field.raw if field is not None else Any
        )
        limit = handler.resolve_request_max_body_size()
        self.size_max = limit if isinstance(limit, int) else BODY_SIZE_MAX


class Call(Request[Any, Any, Any]):
    """A request that knows its caller and how to be answered."""

    __slots__ = ()

    @property
    def exchange(self) -> Exchange:
        """What is known of it beside what was sent."""
        return exchange_of(self.scope)

    @property
    def caller(self) -> Caller:
        """Who calls. Only for routes that are not public."""
        caller = self.exchange.caller
        assert caller is not None, "the guard has let nobody in without a key"
        return caller

    @property
    def now(self) -> datetime:
        """The instant, in UTC, for what is worked out before the writer's turn."""
        return self.exchange.service.clock.now()

    async def body(self) -> bytes:
        """The body, within the size that its route takes."""
        cached = self._connection_state.body
        if isinstance(cached, bytes):
            return cached
        size_max = self._reading.size_max
        announced = self.header(b"content-length")
        if announced is not None and announced.isdigit() and int(announced) > size_max:
            raise _too_large(size_max)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise InvalidRequestError("the connection closed before the body was whole")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > size_max:
                raise _too_large(size_max)
            chunks.append(chunk)
            if not message.get("more_body", False):
                break
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._connection_state.body = body
        self.is_connected = False
        return body

    async def json(self) -> Any:
        """The body as its handler's ``data`` wants it. Litestar calls this for ``JSONBody``."""
        body = await self.json_bytes()
        return decode_once(body, self._reading.decoder)

    async def json_bytes(self) -> bytes:
        """The body as it came, which must say that it is JSON."""
        media_type = self.header(b"content-type") or b""
        if media_type != _JSON and media_type.split(b";")[0].strip().lower() != _JSON:
            raise UnsupportedMediaTypeError("send the body as application/json")
        body = await self.body()
        if not body:
            raise InvalidRequestError("a body is needed", (("", "a JSON body is needed"),))
        return body

    def header(self, name: bytes) -> bytes | None:
        """The first header of this name (lower case), as it came."""
        for key, value in self.scope["headers"]:
            if key == name:
                return value
        return None

    async def write(
        self,
        work: Work[R, A],
        request: R,
        *,
        shape: Callable[[A], T],
        status: int | None = None,
        weight: int = 1,
    ) -> Answer[T]:
        """Put ``request`` before the writer; answer when it is committed, as ``shape`` has it.

        ``status`` is the route's own unless given. With an idempotency key the very bytes of
        the first answer are given again.
        """
        return await self.write_rendered(
            work, request, render=self._renderer(shape, status), weight=weight
        )

    async def write_rendered(
        self, work: Work[R, A], request: R, *, render: Callable[[A], Reply], weight: int = 1
    ) -> Answer[Any]:
        """The same, for answers whose status depends on what came out."""
        once = await self._once(render)
        answer = await self.exchange.service.writer.submit(
            work, request, organisation=self.caller.organisation, once=once, weight=weight
        )
        return Answer(answer if once is not None else render(answer))

    async def read(
        self,
        read: Callable[[Connection, datetime], A],
        *,
        shape: Callable[[A], T],
        status: int | None = None,
        keep: bool = True,
    ) -> Answer[T]:
        """Run ``read`` on a read-only connection and answer what it finds.

        A POST that only reads may come with an idempotency key too; then its answer is kept,
        but not (``keep``) where it permits something that may be over when it is asked again.
        """
        is_kept = keep and self.scope["method"] == "POST" and self.header(_KEY_HEADER) is not None
        if is_kept and self.exchange.service.writer.read_only is None:
            return await self.write(_READ_ONCE, read, shape=shape, status=status)
        now = self.now
        found = await self.exchange.service.reader.run(lambda connection: read(connection, now))
        return Answer(self._renderer(shape, status)(found))

    @property
    def _reading(self) -> Reading:
        readings = self.exchange.service.readings
        handler = self.route_handler
        reading = readings.get(id(handler))
        if reading is None:
            reading = readings[id(handler)] = Reading(handler)
        return reading

    def _renderer(self, shape: Callable[[A], T], status: int | None) -> Callable[[A], Reply]:
        code = status if status is not None else self.route_handler.status_code
        return lambda answer: Reply(code, _ENCODER.encode(shape(answer)))

    async def _once(self, render: Callable[[Any], Reply]) -> Once | None:
        key = self.header(_KEY_HEADER)
        if key is None or self.scope["method"] != "POST":
            return None
        if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isascii():
            raise InvalidRequestError(
                f"an Idempotency-Key has 1 to {KEY_LENGTH_MAX} ASCII characters"
            )
        what = f"{self.scope['method']} {self.scope['path']}\n".encode()
        return Once(key.decode(), hashlib.sha256(what + await self.body()).digest(), render)


def unchanged(answer: T) -> T:
    """The shape of an answer that has it already."""
    return answer


def _too_large(size_max: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"this route takes at most {size_max} bytes")
