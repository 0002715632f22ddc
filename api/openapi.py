"""The OpenAPI 3.1 document at ``/schema``: what Litestar derives, and what it cannot know."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute

from api.problems import MEDIA_TYPE, STATUS_OF
from api.roles import access_of

EXAMPLE_REQUEST = "example_request"
EXAMPLE_ANSWER = "example_answer"
BODY_SHAPES = "body_shapes"
ANSWER_SHAPES = "answer_shapes"

_JSON = "application/json"
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; the words are for people.",
    "required": ["type", "title", "status", "detail", "code", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUS_OF)},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer (RFC 6901)."},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body give the same answer for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_DESCRIPTION = """\
May this message go to this person, now? Ask before every send; no answer, no message.

Errors are RFC 9457 problem documents. Times are RFC 3339 with an offset. An unknown field is an
error. Addresses travel in bodies, never in URLs.
"""


def service_version() -> str:
    """The version that is installed."""
    try:
        return version("cleartosend")
    except PackageNotFoundError:
        return "0"


def openapi_config(version: str) -> OpenAPIConfig:
    """What Litestar needs to derive its part. Its pages load from elsewhere, so none is served."""
    return OpenAPIConfig(
        title="Clear to Send",
        version=version,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        path="/unserved",
        render_plugins=[],
    )


def shown(*, request: Any = None, answer: Any = None) -> dict[str, Any]:
    """``opt`` of a route that shows examples; they are run as tests, so they must work."""
    return {EXAMPLE_REQUEST: request, EXAMPLE_ANSWER: answer}


def body_shapes(*shapes: type[msgspec.Struct]) -> dict[str, Any]:
    """``opt`` of a route that reads its body itself, as one of ``shapes``."""
    return {BODY_SHAPES: shapes}


def answer_shapes(shapes: Mapping[int, type[msgspec.Struct]]) -> dict[str, Any]:
    """``opt`` of a route that has further answers than its own, by status."""
    return {ANSWER_SHAPES: shapes}


class SchemaDocument:
    """The document, worked out when it is first asked for."""

    def __init__(self, make_app: Callable[[], Litestar]) -> None:
        self._make_app = make_app
        self._rendered: bytes | None = None

    def render(self) -> bytes:
        """The whole document, as JSON."""
        if self._rendered is None:
            self._rendered = msgspec.json.encode(schema_of(self._make_app()))
        return self._rendered


def schema_of(app: Litestar) -> dict[str, Any]:
    """The whole document: keys, problems, idempotency keys and examples put in."""
    schema = msgspec.json.decode(msgspec.json.encode(app.openapi_schema.to_schema()))
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, method, handler in described_routes(app):
        operation = schema["paths"][path][method]
        if shapes := handler.opt.get(BODY_SHAPES):
            operation["requestBody"] = _body_of(shapes, components["schemas"])
        for status, shape in handler.opt.get(ANSWER_SHAPES, {}).items():
            answer = _body_of((shape,), components["schemas"])
            operation["responses"][str(status)] = {
                "description": inspect.cleandoc(shape.__doc__ or ""),
                "content": answer["content"],
            }
        _complete(operation, method, handler)
    return schema  # type: ignore[no-any-return]


def described_routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Every route that the document describes: path, method in lower case, handler."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method != "OPTIONS" and handler.resolve_include_in_schema():
                    yield route.path_format, method.lower(), handler


def _body_of(shapes: Sequence[type[msgspec.Struct]], components: dict[str, Any]) -> dict[str, Any]:
    references, found = msgspec.json.schema_components(
        shapes, ref_template="#/components/schemas/{name}"
    )
    components.update(found)
    options = list(references)
    schema = options[0] if len(options) == 1 else {"oneOf": options}
    return {"required": True, "content": {_JSON: {"schema": schema}}}


def _complete(operation: dict[str, Any], method: str, handler: HTTPRouteHandler) -> None:
    access = access_of(handler)
    responses = operation.setdefault("responses", {})
    responses.pop("400", None)
    if not access.public:
        operation["security"] = [{"key": []}]
        roles = ", ".join(f"`{role}`" for role in sorted(access.roles)) or "the operator only"
        operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}."
    responses["default"] = {
        "description": "A problem: nothing was decided, nothing was recorded.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if method == "post" and not access.public:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    request, answer = handler.opt.get(EXAMPLE_REQUEST), handler.opt.get(EXAMPLE_ANSWER)
    if request is not None:
        content = operation["requestBody"]["content"][_JSON]
        content["examples"] = {"example": {"value": request}}
    if answer is not None:
        content = responses[str(handler.status_code)]["content"][_JSON]
        content["examples"] = {"example": {"value": answer}}
