"""Whether the service runs, whether it can answer, what it counts, and what it offers."""

from dataclasses import dataclass

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from api.call import Answer, Call
from api.database import is_alive
from api.errors import NotReadyError, StoreUnavailableError
from api.openapi import SchemaDocument
from api.roles import public
from api.work import Reply


class Live(msgspec.Struct, frozen=True):
    """The process runs."""

    status: str = "ok"


class Ready(msgspec.Struct, frozen=True):
    """Everything that an answer needs is there. ``release``: the law that is in force."""

    database: bool
    keys: bool
    writer: bool
    release: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was opened at the start; without it the application was not put together."""

    release: str


_LIVE = Reply(200, msgspec.json.encode(Live()))


@get("/health/live", opt=public(), operation_id="isLive", summary="The process runs")
async def get_live() -> Answer[Live]:
    """Says nothing of the database: a supervisor restarts what is not live."""
    return Answer(_LIVE)


@get("/health/ready", opt=public(), operation_id="isReady", summary="Checks can be answered")
async def get_ready(request: Call, readiness: NamedDependency[Readiness]) -> Answer[Ready]:
    """Database, keys, writer and law are there. 503 says which is not."""
    service = request.exchange.service
    try:
        database = await service.reader.run(is_alive)
    except StoreUnavailableError:
        database = False
    writer = service.writer.is_alive
    missing = [name for name, there in (("database", database), ("writer", writer)) if not there]
    if service.writer.read_only is not None:
        raise NotReadyError(f"not ready: {service.writer.read_only}")
    if missing:
        raise NotReadyError(f"not ready: {', '.join(missing)}")
    ready = Ready(database=True, keys=True, writer=True, release=readiness.release)
    return Answer(Reply(200, msgspec.json.encode(ready)))


@get(
    "/metrics",
    opt=public(),
    media_type="text/plain; version=0.0.4; charset=utf-8",
    operation_id="readMetrics",
    summary="Counts and times, for Prometheus",
)
async def get_metrics(request: Call) -> Response[bytes]:
    """Grouped by route; no label names a person, an address or an organisation."""
    telemetry = request.exchange.service.telemetry
    return Response(telemetry.metrics())


@get("/schema", opt=public(), include_in_schema=False)
async def get_schema(document: NamedDependency[SchemaDocument]) -> Answer[bytes]:
    """This API, as OpenAPI 3.1."""
    return Answer(Reply(200, document.render()))
