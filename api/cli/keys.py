"""``keys``: who may call, and as what."""

from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output
from api.cli.rotation import destroy, renew, rotate
from api.settings import Settings

ROLES = ("sender", "collector", "auditor", "legal", "admin")
COLUMNS = ("id", "person", "roles", "prefix", "recorded_at", "revoked_at")


@click.group()
def keys() -> None:
    """API keys, and the keys that protect what is on record.

    An API key belongs to one person of one organisation and holds roles.
    """


for _command in (rotate, renew, destroy):
    keys.add_command(_command)


@keys.command()
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice(ROLES),
    help="What it may do; give it again for more than one.",
)
@click.option("--person", required=True, metavar="NAME", help="Who will hold it.")
@ORGANISATION
@has_folder
@prints
def create(
    roles: tuple[str, ...], person: str, organisation: str | None, settings: Settings, out: Output
) -> None:
    """Issue a key and print its token, which is shown this once."""
    from api.cli.service import OperatorService, ask

    async def issued(service: OperatorService) -> dict[str, Any]:
        answer = await (await service.of_one()).post("/v1/keys", {"person": person, "roles": roles})
        return dict(answer)

    out.show(ask(settings, issued, organisation=organisation))


@keys.command("list")
@ORGANISATION
@has_folder
@prints
def list_(organisation: str | None, settings: Settings, out: Output) -> None:
    """List keys, also the revoked ones; never their tokens."""
    from api.cli.service import OperatorService, ask

    async def listed(service: OperatorService) -> list[dict[str, object]]:
        return [item async for item in (await service.of_one()).all_of("/v1/keys")]

    out.show_many(ask(settings, listed, organisation=organisation), COLUMNS)


@keys.command()
@click.argument("key", metavar="ID")
@ORGANISATION
@has_folder
@prints
def revoke(key: str, organisation: str | None, settings: Settings, out: Output) -> None:
    """End the key with this ID at once."""
    from api.cli.service import OperatorService, ask

    async def revoked(service: OperatorService) -> dict[str, Any]:
        return dict(await (await service.of_one()).post(f"/v1/keys/{key}/revoke", {}))

    out.show(ask(settings, revoked, organisation=organisation))
