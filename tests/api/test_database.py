"""Engines that lose nothing, and schemas that old code does not touch."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from api.data_folder import DataFolder
from api.database import (
    fold_log_in,
    is_alive,
    migrate,
    reading_engine,
    require_schema,
    schema_of,
    writing_engine,
)
from api.errors import SchemaError, StoreUnavailableError
from api.reader import Reader
from consent import senders
from consent.senders import SenderRecord
from tests.support.consents import NOW
from tests.support.full_disk import files_up_to


def test_migrating_twice_changes_nothing(empty_database_url: str) -> None:
    assert schema_of(empty_database_url) is None
    with pytest.raises(SchemaError, match="needs"):
        require_schema(empty_database_url)
    migrate(empty_database_url)
    head = schema_of(empty_database_url)
    migrate(empty_database_url)
    assert schema_of(empty_database_url) == head
    require_schema(empty_database_url)


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    engine = writing_engine(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(SchemaError, match="9999"):
        migrate(database_url)
    with pytest.raises(SchemaError, match="9999"):
        require_schema(database_url)


def test_a_reader_cannot_write(database_url: str) -> None:
    engine = reading_engine(database_url, connections=1)
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError):
        connection.exec_driver_sql("DELETE FROM idempotency")
    engine.dispose()


def test_a_reader_sees_one_state_however_many_statements_it_takes(database_url: str) -> None:
    reading, writing = reading_engine(database_url, connections=1), writing_engine(database_url)
    count = sa.text("SELECT count(*) FROM sender")
    with reading.connect() as reader, writing.connect() as writer:
        assert reader.execute(count).scalar() == 0
        senders.put(writer, "org", SenderRecord(id="a", name="A", country="US"), now=NOW)
        writer.commit()
        assert reader.execute(count).scalar() == 0
    with reading.connect() as reader:
        assert reader.execute(count).scalar() == 1
    reading.dispose()
    writing.dispose()


def test_a_commit_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    url = DataFolder(tmp_path).database_url
    engine = writing_engine(url)
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert told == {
        "synchronous": 2,
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


def test_the_writers_transaction_takes_the_lock_as_it_begins(tmp_path: Path) -> None:
    url = DataFolder(tmp_path).database_url
    first, second = writing_engine(url), writing_engine(url)
    with first.begin(), second.connect() as other:
        raw = other.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA busy_timeout=0")
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            other.begin()
    first.dispose()
    second.dispose()


def test_postgresql_waits_for_its_disk(database_url: str) -> None:
    engine = writing_engine(database_url)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
    with engine.connect() as connection:
        assert is_alive(connection)
    engine.dispose()


def test_an_error_of_the_database_shows_no_values(database_url: str) -> None:
    engine = writing_engine(database_url)
    with pytest.raises(sa.exc.DBAPIError) as caught, engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO nowhere (address) VALUES (:address)"),
            {"address": "+12125550123"},
        )
    engine.dispose()
    assert "555" not in str(caught.value)


def test_a_database_that_is_not_there_is_503(tmp_path: Path) -> None:
    reader = Reader(reading_engine(f"sqlite:///{tmp_path / 'none'}", connections=1), threads=1)
    with pytest.raises(StoreUnavailableError):
        reader.run_here(is_alive)
    reader.close()


def test_a_full_disk_keeps_nobody_from_closing(tmp_path: Path) -> None:
    url = DataFolder(tmp_path).database_url
    migrate(url)
    engine, reader = writing_engine(url), reading_engine(url, connections=1)
    with reader.connect() as held:  # Else the log is taken in by whoever closes last.
        assert is_alive(held)
        held.rollback()
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE letter (text TEXT)")
        with files_up_to(100):
            fold_log_in(engine)
        assert (tmp_path / "cleartosend.sqlite3-wal").stat().st_size
        fold_log_in(engine)
        assert not (tmp_path / "cleartosend.sqlite3-wal").stat().st_size
    engine.dispose()
    reader.dispose()
