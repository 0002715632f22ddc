"""Rows written and statements run past SQLAlchemy's work for each of them; errors stay its own.

For the tables that every turn writes many rows to. What goes in are values as they are stored:
instants in microseconds, words as plain strings.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


class Rows:
    """The way into one table, for rows of these columns in this order."""

    def __init__(self, table: sa.Table, *columns: str) -> None:
        missing = {column.name for column in table.columns if not column.nullable} - set(columns)
        assert not missing, f"{table.name} needs {', '.join(sorted(missing))} too"
        marks = ", ".join(["?"] * len(columns))
        self._tail = f"INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add all of them."""
        if not rows:
            return
        # The statement adds one row, so there is nothing else of it to undo when that is refused;
        # told so, SQLite keeps no copies of the pages that it changes. The error is the same.
        how = "INSERT OR FAIL" if connection.dialect.name == "sqlite" else "INSERT"
        run(connection, f"{how} {self._tail}", rows, many=True)


def run(connection: Connection, text: str, values: Sequence[Any], *, many: bool = False) -> Any:
    """Run one statement of ours, or one for ``many`` values, in ``connection``'s transaction.

    Each ``?`` in it stands for a value, whichever the database.
    """
    if not connection.in_transaction():
        connection.begin()  # As SQLAlchemy does it by itself with the first statement.
    if connection.dialect.name != "sqlite":
        text = text.replace("?", "%s")
    if connection.dispatch.before_cursor_execute:
        # Somebody follows the statements of this connection, and is to see these as well.
        return connection.exec_driver_sql(text, list(values) if many else tuple(values))
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection in use has a driver's one"
    cursor = driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_its_own(connection, text, error) from None
    return cursor


def fetch(connection: Connection, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Run a statement of ours that asks for rows, and give all of them."""
    cursor = run(connection, text, values)
    try:
        found: Sequence[Sequence[Any]] = cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        # SQLite reads on with each row, and meets what is damaged only there.
        raise _as_its_own(connection, text, error) from None
    return found


def _as_its_own(connection: Connection, text: str, error: Exception) -> Exception:
    return DBAPIError.instance(
        text,
        None,
        error,
        connection.dialect.loaded_dbapi.Error,
        hide_parameters=True,
        dialect=connection.dialect,
    )
