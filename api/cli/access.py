"""``access``: who read or exported whose record."""

from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output
from api.settings import Settings

_COLUMNS = ("index", "at", "kind", "person", "key", "subject")


@click.command()
@click.option("--address", help="Of one person only; a number or an e-mail address.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@ORGANISATION
@has_folder
@prints
def access(
    address: str | None, limit: int, organisation: str | None, settings: Settings, out: Output
) -> None:
    """List who read or exported a record, the newest first, from the access log."""
    from api.cli.service import OperatorService, ask

    async def listed(service: OperatorService) -> list[dict[str, Any]]:
        one = await service.of_one()
        if address is None:
            page = await one.get("/v1/access", limit=limit)
        else:
            body = {"address": address, "limit": limit}
            page = await one.post("/v1/subjects/access", body)
        return list(page["items"])

    out.show_many(ask(settings, listed, organisation=organisation), _COLUMNS)
