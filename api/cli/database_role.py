"""``database-role``: the role that the service logs in as, on PostgreSQL."""

import click

from api.cli.options import has_folder, prints
from api.cli.output import Output
from api.settings import Settings


@click.command("database-role")
@click.argument("role")
@has_folder
@prints
def database_role(role: str, settings: Settings, out: Output) -> None:
    """Make ROLE, which may add to the ledger and never change it.

    --database-url names the database as the owner of its tables. They are migrated first. Do it
    again after an update.
    """
    from api.cli.service_role import make_service_role
    from api.database import migrate, writing_engine
    from api.errors import SettingsError

    if settings.database_url is None:
        raise SettingsError("name the PostgreSQL database with --database-url")
    migrate(settings.database_url)
    engine = writing_engine(settings.database_url)
    try:
        tables = make_service_role(engine, role)
    finally:
        engine.dispose()
    out.show({"role": role, "tables": len(tables)})
