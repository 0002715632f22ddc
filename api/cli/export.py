"""``export``: a bundle that verifies without us, of a person, a sender or a period."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output, say_error
from api.settings import Settings

if TYPE_CHECKING:
    from api.cli.service import OperatorService

ASK_SECONDS = 0.2
_UNDER_WAY = frozenset({"waiting", "running"})


@click.command()
@click.option("--address", help="A number or an e-mail address: the whole trail of one person.")
@click.option("--sender", metavar="ID", help="What concerns one sender.")
@click.option("--from", "since", metavar="TIME", help="Recorded since then (RFC 3339).")
@click.option("--to", "until", metavar="TIME", help="Recorded before then (RFC 3339).")
@click.option(
    "--checkpoint",
    "notes",
    metavar="NOTE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that you kept, which the bundle is to be comparable with.",
)
@click.option(
    "--out",
    "target",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="Where to write the zip file.",
)
@ORGANISATION
@has_folder
@prints
def export(
    organisation: str | None, settings: Settings, out: Output, target: Path, **asked: Any
) -> Exit:
    """Write what is on record to FILE, with its proofs, to be read and verified without us.

    With --address it is that person's own copy, too: trail.txt in it needs no training, and
    no entry of anybody else is in it. Who asked stands in the access log.
    """
    from api.cli.service import OperatorService, ask

    body = _body_of(**asked)

    async def exported(service: OperatorService) -> dict[str, Any]:
        return await _exported(await service.of_one(), body, target, out)

    job = ask(settings, exported, organisation=organisation)
    if job["state"] != "done":
        say_error(f"cleartosend: the export is {job['state']}: {job['problem'] or 'ask again'}")
        return Exit.FAILED
    if out.for_people:
        out.say(f"done: {job['entries_total']} entries in {target}")
        out.say(f"sha256 {job['file_digest']}; verify it with: cleartosend verify {target}")
    else:
        out.record({**job, "file": str(target)})
    return Exit.DONE


def _body_of(*, notes: tuple[Path, ...], **asked: str | None) -> dict[str, Any]:
    words = {"since": "from", "until": "to"}
    scope = {words.get(name, name): value for name, value in asked.items() if value is not None}
    sizes: dict[str, int] = {}
    for note in notes:
        # A checkpoint begins with the origin, which ends with the name of its log, and the size.
        origin, size = [*note.read_text("utf-8", "replace").split("\n"), "", ""][:2]
        if not size.isdigit():
            raise click.UsageError(f"{note} is no checkpoint")
        sizes[origin.partition("/fork-")[0].rpartition("/")[2]] = int(size)
    return {"scope": scope, "checkpoints": sizes}


async def _exported(
    service: "OperatorService", body: dict[str, Any], target: Path, out: Output
) -> dict[str, Any]:
    job = dict(await service.post("/v1/exports", body))
    place = f"/v1/exports/{job['id']}"
    try:
        while job["state"] in _UNDER_WAY and job["entries_total"] is None:
            await asyncio.sleep(ASK_SECONDS)
            job = dict(await service.get(place))
        with out.progress("entries", job["entries_total"] or 0) as step:
            while job["state"] in _UNDER_WAY:
                step(job["entries_done"])
                await asyncio.sleep(ASK_SECONDS)
                job = dict(await service.get(place))
    except asyncio.CancelledError:
        await service.delete(place)
        raise
    if job["state"] == "done":
        half = target.with_name(f"{target.name}.part")
        try:
            await service.download(f"{place}/download", half)
            half.rename(target)
        finally:
            half.unlink(missing_ok=True)
    return job
