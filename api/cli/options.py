"""What several commands are told in the same way."""

import functools
from collections.abc import Callable
from typing import Any

import click

from api.cli.output import Output
from api.settings import Settings

Command = Callable[..., Any]

DATA = click.option(
    "--data", metavar="DIR", help="The data folder. Also CLEARTOSEND_DATA; else ./data."
)
DATABASE_URL = click.option(
    "--database-url",
    metavar="URL",
    help="A PostgreSQL database. Also CLEARTOSEND_DATABASE_URL; else SQLite in the data folder.",
)
ORGANISATION = click.option(
    "--organisation", metavar="ID", help="Whose, where the service has several organisations."
)


def prints(command: Command) -> Command:
    """Give the command ``out``, and the option that forces JSON."""

    @click.option("--json", "as_json", is_flag=True, help="JSON, a record a line, always.")
    @functools.wraps(command)
    def printing(*args: Any, as_json: bool, **given: Any) -> Any:
        return command(*args, out=Output(as_json=as_json), **given)

    return printing


def has_folder(command: Command) -> Command:
    """Give the command ``settings``, with the options that say where the service's data lies."""

    @DATA
    @DATABASE_URL
    @functools.wraps(command)
    def settled(*args: Any, data: str | None, database_url: str | None, **given: Any) -> Any:
        options = {"data": data, "database_url": database_url}
        return command(*args, settings=Settings.from_environment(options=options), **given)

    return settled
