"""``init``: a data folder with keys, database and first organisation."""

import click

from api.cli.options import has_folder, prints
from api.cli.output import Output
from api.settings import Settings


@click.command()
@has_folder
@click.option("--name", help="What the first organisation is called.")
@click.option("--person", default="Admin", show_default=True, help="Who will hold the admin key.")
@prints
def init(settings: Settings, name: str | None, person: str, out: Output) -> None:
    """Make the data folder, its keys and the first organisation.

    Prints the organisation's id and its admin key, which is shown this once.
    """
    from api.cli.folders import FIRST_ORGANISATION, found_folder

    founded = found_folder(settings, name=name or FIRST_ORGANISATION, person=person)
    out.show({"organisation": founded.organisation, "admin_key": founded.admin_key})
    if out.for_people:
        out.say("\nKeep the key: it is not shown again.", style="dim")
        out.say(f"The keys in {settings.data} open everything on record: back them up apart.")
