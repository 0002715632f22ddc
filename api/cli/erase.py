"""``erase``: destroy a person's data, and keep them suppressed."""

from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output
from api.settings import Settings


@click.command()
@click.option(
    "--address",
    prompt="Address",
    help="A number or an e-mail address; better typed when asked, for a shell keeps what it runs.",
)
@click.option(
    "--why", required=True, help="The reason, kept for good: nothing personal belongs in it."
)
@ORGANISATION
@has_folder
@prints
def erase(
    address: str, why: str, organisation: str | None, settings: Settings, out: Output
) -> None:
    """Erase the person behind an address, with all their linked addresses.

    Destroys the key of their data; the log stays whole, and they stay suppressed. Prints the
    certificate, which says when the erasure reaches backups too.
    """
    from api.cli.service import OperatorService, ask

    async def erased(service: OperatorService) -> dict[str, Any]:
        one = await service.of_one()
        return dict(await one.post("/v1/subjects/erase", {"address": address, "why": why}))

    certificate = ask(settings, erased, organisation=organisation)
    if not out.for_people:
        out.record(certificate)
        return
    destroyed, backups = certificate.pop("destroyed"), certificate.pop("backups")
    awaited = [f"{key['kind']} key {key['version']}" for key in backups["until_destroyed"]]
    out.show(certificate | {f"destroyed {name}": count for name, count in destroyed.items()})
    out.say()
    out.say(backups["statement"])
    if awaited:
        out.say("Until destroyed: " + ", ".join(awaited))
