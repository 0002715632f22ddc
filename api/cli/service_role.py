"""PostgreSQL: the role that the service logs in as, without the right to change the ledger.

It owns nothing. The tables belong to whoever migrates, who makes the role by
``cleartosend database-role`` and does so again after each migration, for new tables.
"""

import re
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, inspect, text

from api.errors import SettingsError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

LEDGER = {
    "log_entry": "SELECT, INSERT",
    "log_tile": "SELECT, INSERT",
    "checkpoint": "SELECT, INSERT",
    # What lies under the key of somebody erased, and nothing else: a trigger sees to that.
    "log_payload": "SELECT, INSERT, DELETE",
    "log_head": "SELECT, INSERT, UPDATE",
    "subject": "SELECT, INSERT, UPDATE",
    "subject_head": "SELECT, INSERT, UPDATE",
    # It outlives whoever was erased, and nothing of it is ever taken back.
    "suppression": "SELECT, INSERT",
    # What was taken from a provider once is not taken again.
    "inbound_message": "SELECT, INSERT",
    "alembic_version": "SELECT",
}
OTHERS = "SELECT, INSERT, UPDATE, DELETE"


def make_service_role(engine: Engine, role: str) -> list[str]:
    """Make the role if it is not there, and give it exactly its rights; give the tables.

    Rights that it had beside these are taken away. Needs the owner of the tables, who may make
    roles. The role may log in; how it proves itself is for ``ALTER ROLE`` and ``pg_hba.conf``.
    """
    if engine.dialect.name != "postgresql":
        raise SettingsError("SQLite has no roles: its file belongs to who runs the service")
    if not _NAME.fullmatch(role):
        raise SettingsError("a role's name has small letters, digits and underscores")
    with engine.begin() as connection:
        for statement in _statements(connection, role):
            connection.execute(text(statement))
        return _tables(connection)


def _statements(connection: Connection, role: str) -> Iterator[str]:
    known = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    if connection.execute(known, {"role": role}).first() is None:
        yield f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS'
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC"
    yield f'REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM "{role}"'
    yield f'GRANT USAGE ON SCHEMA {schema} TO "{role}"'
    for table in _tables(connection):
        yield f'GRANT {LEDGER.get(table, OTHERS)} ON {schema}."{table}" TO "{role}"'


def _tables(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())
