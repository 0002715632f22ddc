"""The database as it stands at one instant, for commands that read long."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.data_folder import DataFolder
from api.database import reading_engine
from api.errors import StoreUnavailableError
from api.settings import Settings
from consent.fsck.damage import Damage, Kind
from consent.ledger.errors import DamagedLogError

CACHE_KIBIBYTES = 8 * 1024
"""Of SQLite's pages. A walk by person reads entries in no order that any cache helps with, once a
ledger is large; what the system has of the file in its own memory does."""


def opened_folder(settings: Settings) -> tuple[DataFolder, str]:
    """The data folder, which must be there, and the URL of its database."""
    folder = DataFolder(settings.data)
    folder.require()
    return folder, settings.database_url or folder.database_url


@contextmanager
def at_one_state(url: str) -> Iterator[Connection]:
    """A connection that reads, and sees the database as it is now until it is closed."""
    engine = reading_engine(url, connections=1)
    try:
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            else:
                connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
            be_patient(connection)
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        raise StoreUnavailableError(
            f"the database cannot be read ({type(error).__name__})"
        ) from None
    finally:
        engine.dispose()


def be_patient(connection: Connection) -> None:
    """Let PostgreSQL take as long over a statement as a whole ledger needs."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def named(damages: Iterator[Damage]) -> Iterator[Damage]:
    """The same, and at their end what kept the rest from being read, if that is damage too."""
    try:
        yield from damages
    except DamagedLogError as error:
        yield Damage(None, None, None, Kind.DATABASE, error.detail)
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        if not _is_of_the_file(error):
            raise
        detail = "the rest cannot be read: the file is damaged"
        yield Damage(None, None, None, Kind.DATABASE, detail)


def _is_of_the_file(error: Exception) -> bool:
    """Whether SQLite says that what it read is broken, and not that it could not read."""
    if isinstance(error, UnicodeDecodeError):
        return True  # SQLite's message quotes what it cannot read.
    cause = getattr(error, "orig", None)
    if not isinstance(cause, sqlite3.DatabaseError):
        return False
    return type(cause) is sqlite3.DatabaseError or "decode" in str(cause)
