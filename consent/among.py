"""Statements that ask for many keys at once, in the way that each database likes.

PostgreSQL takes all keys as one array: the text of the statement stays the same whatever their
number, so that it is prepared once. SQLite has no arrays and takes a list in the text; its lists
have few lengths, filled up with a key repeated, so that there too it is prepared once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, CursorResult
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from consent.rows import fetch

Among = Callable[[ColumnElement[Any], str], ColumnElement[bool]]
"""Says that a column is among the keys of the parameter of that name."""


class ByMany:
    """A statement built once a database by ``build``, which is given an ``Among``.

    It may name no keys at all, and is then one of those that every turn runs.
    """

    def __init__(self, build: Callable[[Among], Executable]) -> None:
        self._statements: Mapping[str, Executable] = {
            "sqlite": build(_in_list),
            "postgresql": build(_in_array),
        }
        self._texts: dict[int, _Text] = {}

    def execute(
        self, connection: Connection, parameters: Mapping[str, Any]
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run it. The keys are lists; an empty one meets nothing."""
        return connection.execute(self._statements[connection.dialect.name], parameters)

    def fetch(
        self, connection: Connection, parameters: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Run it and give all rows, for the statements of every turn.

        On SQLite it goes past SQLAlchemy, which takes longer over such a statement than the
        database does.
        """
        if connection.dialect.name != "sqlite":
            return self.execute(connection, parameters).all()
        length = _length_of(parameters)
        text = self._texts.get(length)
        if text is None:
            text = self._texts[length] = _text_of(
                self._statements["sqlite"], connection, parameters, length
            )
        rows = fetch(connection, text.sql, text.values(parameters, length))
        return [text.row(row) for row in rows] if text.typed else rows


class _Text(NamedTuple):
    """A statement as SQLite takes it.

    ``marks``: for each of its marks a parameter's name, and the place in it if it is a list.
    ``stored``: what makes the stored value of a parameter, ``typed``: ours of a column's.
    """

    sql: str
    marks: tuple[tuple[str, int | None], ...]
    constants: Mapping[str, Any]
    stored: Mapping[str, Callable[[Any], Any]]
    typed: tuple[tuple[int, Callable[[Any], Any]], ...]

    def values(self, parameters: Mapping[str, Any], length: int) -> list[Any]:
        """The values for all marks, in their order."""
        given = {**self.constants, **parameters}
        for name, value in parameters.items():
            if isinstance(value, list | tuple):
                rest = length - len(value)
                given[name] = [*value, *([value[0] if value else None] * rest)] if rest else value
        for name, to_stored in self.stored.items():
            given[name] = to_stored(given[name])
        return [given[name] if place is None else given[name][place] for name, place in self.marks]

    def row(self, row: Sequence[Any]) -> list[Any]:
        """A row with the values as our columns have them."""
        values = list(row)
        for place, from_stored in self.typed:
            values[place] = from_stored(values[place])
        return values


def _length_of(parameters: Mapping[str, Any]) -> int:
    """The next power of two that takes the longest list."""
    lists = [value for value in parameters.values() if isinstance(value, list | tuple)]
    return 1 << max(0, max(map(len, lists), default=0) - 1).bit_length()


def _text_of(
    statement: Executable, connection: Connection, parameters: Mapping[str, Any], length: int
) -> _Text:
    dialect = connection.dialect
    sample = {
        name: list(range(length)) if isinstance(value, list | tuple) else None
        for name, value in parameters.items()
    }
    assert isinstance(statement, sa.SelectBase), "what fetches rows selects them"
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler), "a statement compiles to SQL"
    expanded = compiled.construct_expanded_state(sample)
    names = {
        f"{name}_{place + 1}": (name, place)
        for name, value in sample.items()
        if value is not None
        for place in range(length)
    }
    marks = tuple(names.get(mark, (mark, None)) for mark in expanded.positiontup or ())
    scalars = {name for name, place in marks if place is None}
    processors = {name: compiled.binds[name].type.bind_processor(dialect) for name in scalars}
    columns = enumerate(statement.selected_columns)
    typed = ((place, column.type.result_processor(dialect, None)) for place, column in columns)
    return _Text(
        sql=expanded.statement,
        marks=marks,
        constants={name: expanded.parameters[name] for name in scalars - sample.keys()},
        stored={name: process for name, process in processors.items() if process is not None},
        typed=tuple((place, process) for place, process in typed if process is not None),
    )


def _in_list(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


def _in_array(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    array = sa.bindparam(name, type_=postgresql.ARRAY(column.type))
    return column == sa.any_(array)
