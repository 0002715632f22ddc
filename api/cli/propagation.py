"""``propagation``: opt-outs on their way, and what is late."""

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output
from api.settings import Settings

COLUMNS = ("id", "state", "deadline_at", "late")
"""As many as a narrow terminal takes; all fields are in the records (``--json``)."""


@click.command()
@click.option("--late", is_flag=True, help="Only what is past its deadline.")
@ORGANISATION
@has_folder
@prints
def propagation(late: bool, organisation: str | None, settings: Settings, out: Output) -> Exit:
    """Show opt-outs and erasures that have not arrived at every webhook.

    The nearest deadline comes first. Exit code 1: something is late.
    """
    from api.cli.service import OperatorService, ask

    async def listed(service: OperatorService) -> list[dict[str, object]]:
        query = {"late": "true"} if late else {}
        return [i async for i in (await service.of_one()).all_of("/v1/propagation", **query)]

    found = ask(settings, listed, organisation=organisation)
    out.show_many(found, COLUMNS)
    return Exit.NO if any(item["late"] for item in found) else Exit.DONE
