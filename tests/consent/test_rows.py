"""Rows written past SQLAlchemy: the same errors, the same transaction, seen by who follows."""

import pytest
import sqlalchemy as sa

from consent.rows import Rows, run

TABLE = sa.Table(
    "noted",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("more", sa.Text),
)
NOTED = Rows(TABLE, "id", "body")


def ids(connection: sa.Connection) -> list[int]:
    return list(connection.execute(sa.select(TABLE.c.id).order_by(TABLE.c.id)).scalars())


def test_a_row_that_is_there_already_is_an_integrity_error_without_its_values(
    engine: sa.Engine,
) -> None:
    with engine.connect() as connection:
        TABLE.create(connection)
        NOTED.insert(connection, [(1, "one")])
        refused = pytest.raises(sa.exc.IntegrityError)
        with refused as error, connection.begin_nested():
            NOTED.insert(connection, [(2, "secret"), (1, "secret"), (3, "secret")])
        assert "secret" not in str(error.value)
        assert ids(connection) == [1]


def test_what_is_written_goes_with_its_transaction(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        TABLE.create(connection)
    with engine.connect() as connection:
        NOTED.insert(connection, [(1, "one"), (2, "two")])
        connection.rollback()
        NOTED.insert(connection, [(3, "three")])
        connection.commit()
    with engine.connect() as connection:
        assert ids(connection) == [3]


def test_who_follows_statements_sees_these_as_well(engine: sa.Engine) -> None:
    seen: list[str] = []
    with engine.connect() as connection:
        TABLE.create(connection)
        sa.event.listen(
            connection, "before_cursor_execute", lambda *args: seen.append(str(args[2]))
        )
        NOTED.insert(connection, [(1, "one"), (2, "two")])
        changed = run(connection, "UPDATE noted SET body = ? WHERE id = ?", ("three", 1))
        assert changed.rowcount == 1
        assert [statement.split()[0] for statement in seen] == ["INSERT", "UPDATE"]
        assert ids(connection) == [1, 2]


def test_a_column_that_must_be_given_is_missed_at_once() -> None:
    with pytest.raises(AssertionError, match="body"):
        Rows(TABLE, "id")
