"""``registries``: copies of public do-not-contact lists."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output, Step
from api.settings import Settings

COLUMNS = ("registry", "as_of", "size", "goes_stale_on", "covers", "loaded_at")
PIECE = 1 << 20


@click.group()
def registries() -> None:
    """Copies of public registers, which rules ask."""


@registries.command()
@click.argument("registry")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as-of",
    required=True,
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day that the copy was taken.",
)
@click.option(
    "--covers",
    multiple=True,
    metavar="PREFIX",
    help="Numbers that the file speaks of, such as +1212; again for more; else all.",
)
@ORGANISATION
@has_folder
@prints
def load(
    registry: str,
    file: Path,
    *,
    as_of: datetime,
    covers: tuple[str, ...],
    organisation: str | None,
    settings: Settings,
    out: Output,
) -> None:
    """Load FILE as the copy of REGISTRY of that day.

    The register's own format, or CSV address[,listed][,sender][,channel][,date]. One line that
    cannot be read refuses the file whole.
    """
    from api.cli.service import OperatorService, ask

    path = f"/v1/registries/{registry}/snapshots/{as_of.date()}"
    query: dict[str, Any] = {"covers": list(covers)} if covers else {}

    size = file.stat().st_size

    async def loaded(service: OperatorService) -> dict[str, Any]:
        with out.progress(file.name, size) as step:
            one = await service.of_one()
            return dict(await one.put(path, _pieces_of(file, step), **query))

    out.show(ask(settings, loaded, organisation=organisation))


@registries.command("list")
@ORGANISATION
@has_folder
@prints
def list_(organisation: str | None, settings: Settings, out: Output) -> None:
    """List the newest copies, and the day on which each goes stale."""
    from api.cli.service import OperatorService, ask

    async def listed(service: OperatorService) -> list[dict[str, object]]:
        answer = await (await service.of_one()).get("/v1/registries")
        return list(answer["items"])

    out.show_many(ask(settings, listed, organisation=organisation), COLUMNS)


async def _pieces_of(file: Path, step: Step) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        sent = 0
        while piece := await asyncio.to_thread(stream.read, PIECE):
            yield piece
            sent += len(piece)
            step(sent)
