"""Statements that ask for many keys at once, in the way that each database likes.

PostgreSQL takes all keys as one array: the text of the statement stays the same whatever their
number, so that it is prepared once. SQLite has no arrays and takes a list in the text.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, CursorResult
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.base import Executable

Among = Callable[[ColumnElement[Any], str], ColumnElement[bool]]
"""Says that a column is among the keys of the parameter of that name."""


class ByMany:
    """A statement built once a database by ``build``, which is given an ``Among``."""

    def __init__(self, build: Callable[[Among], Executable]) -> None:
        self._statements: Mapping[str, Executable] = {
            "sqlite": build(_in_list),
            "postgresql": build(_in_array),
        }

    def execute(
        self, connection: Connection, parameters: Mapping[str, Any]
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run it. The keys are lists; an empty one meets nothing."""
        return connection.execute(self._statements[connection.dialect.name], parameters)


def _in_list(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


def _in_array(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    array = sa.bindparam(name, type_=postgresql.ARRAY(column.type))
    return column == sa.any_(array)
