"""Whoever holds the database and takes its guards away first."""

from sqlalchemy import Connection


def take_guards_away(connection: Connection) -> None:
    """Let this transaction change what is append-only, as the database's owner can."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
