"""Rows written past SQLAlchemy: the same errors, the same transaction, seen by who follows."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.rows import Rows, fetch, run

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


def test_damage_that_is_met_while_rows_are_fetched_is_a_database_error(tmp_path: Path) -> None:
    file, page, many = tmp_path / "noted.sqlite3", 512, 200
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"PRAGMA page_size={page}")
        TABLE.create(connection)
        NOTED.insert(connection, [(number, "x" * 100) for number in range(many)])
    asked = ("SELECT id, body FROM noted WHERE id >= ?", (0,))
    with engine.connect() as connection:
        assert len(fetch(connection, *asked)) == many
    engine.dispose()
    whole = bytearray(file.read_bytes())
    middle = len(whole) // page // 2 * page
    whole[middle : middle + page] = b"\xff" * page
    file.write_bytes(whole)
    with engine.connect() as connection:
        assert run(connection, *asked).fetchone() == (0, "x" * 100), "its beginning is whole"
        with pytest.raises(sa.exc.DatabaseError):
            fetch(connection, *asked)
    engine.dispose()


def test_a_column_that_must_be_given_is_missed_at_once() -> None:
    with pytest.raises(AssertionError, match="body"):
        Rows(TABLE, "id")
