"""The outermost door: every request gets an id, a line in the log and an answer.

Pure ASGI and thin, because every check passes here.
"""

import itertools
import secrets
from typing import Any, cast

import msgspec
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from api.callers import OPERATOR_DOOR
from api.errors import AddressInUrlError, NotFoundError
from api.exchange import PLACE, Exchange, Service
from api.problems import MEDIA_TYPE, headers_of, problem_of
from api.redaction import url_carries_address
from rules.errors import ComplianceError

INBOUND = "/v1/inbound/"
"""Some providers call their webhook with numbers in the URL; only they may."""

LINKS = ("/u/", "/p/")
"""Sealed tokens follow: what looks like a number in one of a thousand million is none."""

_HEADER = b"x-request-id"
_UNMATCHED = "unmatched"


class Front:
    """Wraps the application; ``operator`` marks the door that is the data folder's socket."""

    def __init__(self, app: ASGIApp, service: Service, *, operator: bool = False) -> None:
        self._app = app
        self._service = service
        self._operator = operator
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "http":
            await self._serve(cast("HTTPScope", scope), receive, send)
        elif kind == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        clock = self._service.clock
        began = clock.monotonic()
        request_id = f"{self._prefix}-{next(self._numbers):x}"
        exchange = Exchange(request_id, self._service)
        state = cast("dict[str, Any]", scope)
        state[PLACE] = exchange
        if self._operator:
            state[OPERATOR_DOOR] = True
        status = 0
        id_header = (_HEADER, request_id.encode())

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], id_header]
            await send(message)

        try:
            if _has_address(scope):
                raise AddressInUrlError("send addresses in the body: URLs end up in logs")
            if "\0" in scope["path"]:
                raise NotFoundError("nothing has a name with a zero in it")
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            # What breaks after the answer began cannot be told to the caller any more: the
            # connection closes on a body that is not whole.
            if not isinstance(error, ComplianceError):
                exchange.failed(_first_cause(error))
            if status == 0:
                await _answer(error, exchange, send_with_id)
        self._service.telemetry.request_done(
            method=scope["method"] if scope["method"] in _METHODS else "other",
            route=state.get("path_template") or _UNMATCHED,
            status=status,
            seconds=clock.monotonic() - began,
            request_id=request_id,
            code=exchange.code,
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def _first_cause(error: Exception) -> Exception:
    """What broke: Litestar wraps it, more than once, when the answer has begun."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _has_address(scope: HTTPScope) -> bool:
    path = scope["path"]
    return not path.startswith((INBOUND, *LINKS)) and url_carries_address(
        path, scope["query_string"]
    )


async def _answer(error: Exception, exchange: Exchange, send: Send) -> None:
    problem = problem_of(error)
    exchange.code = problem.code
    body = msgspec.json.encode(problem)
    headers = {**headers_of(error, problem), "content-type": MEDIA_TYPE}
    headers["content-length"] = str(len(body))
    await send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
