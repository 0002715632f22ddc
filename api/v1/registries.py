"""Copies of public registers, loaded by the organisation."""

import asyncio
import tempfile
from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, PathParameter, QueryParameter

from api.call import Answer, Call
from api.operations.load_registry import LoadedRegistry, LoadRegistry, list_registries
from api.roles import Role, open_to
from consent.registries.copies import EVERYTHING
from consent.registries.snapshots import Registries, Snapshot
from jurisdictions.releases import Release

FILE_SIZE_MAX = 4 * 1024**3
_IN_MEMORY_MAX = 4 * 1024**2

RegistryId = Annotated[str, PathParameter(pattern=r"^[a-z]{2,3}(-[a-z0-9]+)+$", max_length=64)]
Covers = Annotated[
    list[str] | None,
    QueryParameter(description="Prefixes of the numbers that the file speaks of."),
]


class SnapshotResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded copy. ``digest`` is that of the bytes that came in."""

    registry: str
    as_of: date
    size: int
    digest: str
    covers: tuple[str, ...]
    loaded_at: datetime

    @classmethod
    def of(cls, snapshot: Snapshot) -> "SnapshotResponse":
        """Render it."""
        return cls(
            registry=snapshot.registry,
            as_of=snapshot.as_of,
            size=snapshot.entry_count,
            digest=snapshot.digest,
            covers=snapshot.covers,
            loaded_at=snapshot.loaded_at,
        )


class RegistryShape(msgspec.Struct, frozen=True, kw_only=True):
    """The newest copy of a register. From ``goes_stale_on`` on, what asks for it denies."""

    registry: str
    as_of: date
    size: int
    digest: str
    covers: tuple[str, ...]
    loaded_at: datetime
    goes_stale_on: date | None

    @classmethod
    def of(cls, loaded: LoadedRegistry) -> "RegistryShape":
        """Render it."""
        snapshot = loaded.snapshot
        return cls(
            registry=snapshot.registry,
            as_of=snapshot.as_of,
            size=snapshot.entry_count,
            digest=snapshot.digest,
            covers=snapshot.covers,
            loaded_at=snapshot.loaded_at,
            goes_stale_on=loaded.goes_stale_on,
        )


class RegistryList(msgspec.Struct, frozen=True):
    """All of them: there are not many."""

    items: list[RegistryShape]
    next_cursor: str | None = None


@put(
    "/v1/registries/{registry:str}/snapshots/{as_of:str}",
    request_max_body_size=FILE_SIZE_MAX,
    opt=open_to(Role.LEGAL),
    operation_id="loadRegistry",
    summary="Load a copy of a register",
)
async def put_snapshot(
    registry: FromPath[RegistryId],
    as_of: FromPath[date],
    *,
    request: Call,
    load_registry: NamedDependency[LoadRegistry],
    registries: NamedDependency[Registries],
    covers: FromQuery[Covers] = None,
) -> Answer[SnapshotResponse]:
    """The register's own file, or CSV `address[,listed][,sender][,channel][,date]`.

    The same bytes again change nothing; other bytes for a known date are 409. One line that
    cannot be read refuses the file whole.
    """
    organisation = request.caller.organisation
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_MAX) as file:
        async for chunk in request.stream():
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)
        prepared = await asyncio.to_thread(
            registries.prepare,
            organisation,
            registry,
            as_of,
            file,
            covers=tuple(covers or (EVERYTHING,)),
        )
    try:
        return await request.write(load_registry, prepared, shape=SnapshotResponse.of)
    except Exception:
        prepared.discard()
        raise


@get(
    "/v1/registries",
    opt=open_to(Role.LEGAL),
    operation_id="listRegistries",
    summary="The loaded registers",
)
async def get_registries(request: Call, release: NamedDependency[Release]) -> Answer[RegistryList]:
    """Each with its date, its size and the day on which it goes stale."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, _: list_registries(connection, organisation, release=release),
        shape=lambda found: RegistryList([RegistryShape.of(loaded) for loaded in found]),
    )
