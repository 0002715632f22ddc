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

from consent.rows import run

Among = Callable[[ColumnElement[Any], str], ColumnElement[bool]]
"""Says that a column is among the keys of the parameter of that name."""


class ByMany:
    """A statement built once a database by ``build``, which is given an ``Among``."""

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
        rows = run(connection, text.sql, text.values(parameters, length)).fetchall()
        return [text.typed(row) for row in rows] if text.results else rows


class _Text(NamedTuple):
    """A statement as SQLite takes it, and which parameter each of its marks stands for.

    ``marks``: name, place in its list or None, and what makes the stored value of it.
    """

    sql: str
    marks: tuple[tuple[str, int | None, Callable[[Any], Any] | None], ...]
    results: tuple[tuple[int, Callable[[Any], Any]], ...]

    def values(self, parameters: Mapping[str, Any], length: int) -> list[Any]:
        filled = {
            name: [*value, *([value[0] if value else None] * (length - len(value)))]
            for name, value in parameters.items()
            if isinstance(value, list | tuple)
        }
        return [
            filled[name][place]
            if place is not None
            else parameters[name]
            if to_stored is None
            else to_stored(parameters[name])
            for name, place, to_stored in self.marks
        ]

    def typed(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, from_stored in self.results:
            values[place] = from_stored(values[place])
        return values


def _length_of(parameters: Mapping[str, Any]) -> int:
    """The next power of two that takes the longest list."""
    longest = max(len(value) for value in parameters.values() if isinstance(value, list | tuple))
    return 1 << max(0, longest - 1).bit_length()


def _text_of(
    statement: Executable, connection: Connection, parameters: Mapping[str, Any], length: int
) -> _Text:
    dialect = connection.dialect
    sample = {
        name: list(range(length)) if isinstance(value, list | tuple) else None
        for name, value in parameters.items()
    }
    assert isinstance(statement, sa.sql.ClauseElement), "a statement is an element of SQL"
    compiled = statement.params(sample).compile(
        dialect=dialect, compile_kwargs={"render_postcompile": True}
    )
    assert isinstance(compiled, SQLCompiler), "so it compiles to SQL"
    names = {
        f"{name}_{place + 1}": (name, place)
        for name, value in sample.items()
        if value is not None
        for place in range(length)
    }
    marks = []
    for mark in compiled.positiontup or ():
        name, place = names.get(mark, (mark, None))
        bind = None if place is not None else compiled.binds[name].type.bind_processor(dialect)
        marks.append((name, place, bind))
    results = [
        (place, process)
        for place, column in enumerate(compiled._result_columns)
        if (process := column.type.result_processor(dialect, None)) is not None
    ]
    return _Text(compiled.string, tuple(marks), tuple(results))


def _in_list(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(sa.bindparam(name, expanding=True))


def _in_array(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    array = sa.bindparam(name, type_=postgresql.ARRAY(column.type))
    return column == sa.any_(array)
