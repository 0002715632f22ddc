"""Runs the migrations, on SQLite and on PostgreSQL, each in one transaction.

The caller gives the database: a connection that is already open, as
``config.attributes["connection"]``, or a URL as ``sqlalchemy.url``. Migrations are written by
hand and never import a live table; the MetaData is here to be compared with what they made.
"""

from importlib import import_module
from importlib.util import find_spec

import sqlalchemy as sa
from alembic import context

STORING_PACKAGES = ("consent", "audit", "api")
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"


def metadata_of(package: str) -> list[sa.MetaData]:
    """The package's MetaData, once however many of its modules hold tables of it."""
    modules = (f"{package}.tables", f"{package}.ledger.tables", f"{package}.propagation.tables")
    there = [name for name in modules if find_spec(name.rpartition(".")[0]) and find_spec(name)]
    found = [import_module(name).METADATA for name in there]
    return list({id(metadata): metadata for metadata in found}.values())


def migrate(connection: sa.Connection) -> None:
    """Bring this database to the revision that was asked for, whole or not at all."""
    if connection.dialect.name == "postgresql":
        # A migration that cannot have its lock gives up, before the service queues behind it.
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        connection.commit()
    context.configure(
        connection=connection,
        target_metadata=[found for package in STORING_PACKAGES for found in metadata_of(package)],
        transactional_ddl=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def begin_at_once(engine: sa.Engine) -> None:
    """Let SQLite's driver leave transactions to us: by itself it begins none before DDL."""

    @sa.event.listens_for(engine, "connect")
    def _take_over(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def run() -> None:
    """Migrate what the caller named."""
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None, "the caller names a database"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        begin_at_once(engine)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()


run()
