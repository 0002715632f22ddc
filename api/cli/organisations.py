"""``organisations``: the tenants of the service."""

import click

from api.cli.options import has_folder, prints
from api.cli.output import Output
from api.settings import Settings

COLUMNS = ("id", "name", "recorded_at")


@click.group()
def organisations() -> None:
    """The organisations of this service; each sees only what is its own."""


@organisations.command()
@click.argument("name")
@has_folder
@prints
def create(name: str, settings: Settings, out: Output) -> None:
    """Found an organisation called NAME."""
    from api.cli.service import ask

    out.show(ask(settings, lambda service: service.post("/v1/organisations", {"name": name})))


@organisations.command("list")
@has_folder
@prints
def list_(settings: Settings, out: Output) -> None:
    """List organisations in order of their ids."""
    from api.cli.service import OperatorService, ask

    async def listed(service: OperatorService) -> list[dict[str, object]]:
        return [item async for item in service.all_of("/v1/organisations")]

    out.show_many(ask(settings, listed), COLUMNS)
