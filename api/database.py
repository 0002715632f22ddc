"""Engines for both databases, migrations, and the schema that this version knows.

Durability is set here and nowhere else: an acknowledged commit is on disk. SQLite gets
``synchronous=FULL`` on a write-ahead log, PostgreSQL ``synchronous_commit=on``.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import alembic.command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from api.errors import SchemaError, StoreUnavailableError

BUSY_TIMEOUT_MS = 5_000
PAGE_SIZE = 8192
CHECKPOINT_PAGES = 2_000
"""How long SQLite's log grows before its pages move to the database: 16 MiB."""
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 15_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000


def writing_engine(url: str) -> Engine:
    """An engine for the writer: one connection at a time, and its transactions write at once.

    On SQLite a transaction takes the write lock when it begins, so that what it read cannot
    have changed under it when it writes.
    """
    engine = _engine(url, pool_size=1, read_only=False)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_immediate)
    return engine


def reading_engine(url: str, *, connections: int) -> Engine:
    """An engine whose connections cannot write, for the routes and commands that only read."""
    engine = _engine(url, pool_size=connections, read_only=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin_deferred)
    return engine


def fold_log_in(engine: Engine) -> None:
    """Take SQLite's write-ahead log into its file, once nobody else has it open.

    Who copies the file of a stopped service has everything then. A reader that closes last, being
    one that cannot write, would leave the log beside it.
    """
    if engine.dialect.name == "sqlite":
        # On a full disk it stays beside it: what it holds is no less durable for that.
        failing = (SQLAlchemyError, sqlite3.Error)
        with contextlib.suppress(*failing), engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def migrate(url: str) -> None:
    """Bring the database to this version's schema; nothing happens when it is there.

    Refuses a database that a newer version has migrated: old code must not write to it.
    """
    refuse_newer_schema(url)
    config = alembic_config()
    _make_private(url)
    engine = writing_engine(url)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()


def refuse_newer_schema(url: str) -> None:
    """Raise ``SchemaError`` if the database has a revision that this version does not have."""
    current = schema_of(url)
    if current is not None and current not in _known_revisions():
        raise SchemaError(
            f"the database is at schema {current}, which this version does not know; "
            "run the version that migrated it, or a later one"
        )


def require_schema(url: str) -> None:
    """Raise ``SchemaError`` unless the database is at exactly this version's schema."""
    refuse_newer_schema(url)
    current, head = schema_of(url), ScriptDirectory.from_config(alembic_config()).get_current_head()
    if current != head:
        raise SchemaError(
            f"the database is at schema {current or 'none'} and this version needs {head}; "
            "start the service or run: cleartosend init"
        )


def schema_of(url: str) -> str | None:
    """The revision that the database is at; None when nothing was migrated yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return None
    engine = _engine(url, pool_size=1, read_only=True)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except (SQLAlchemyError, UnicodeDecodeError) as error:  # A message may quote broken text.
        raise StoreUnavailableError(f"the database cannot be opened ({cause_of(error)})") from None
    finally:
        engine.dispose()


def cause_of(error: Exception) -> str:
    """What kind of error it is, and the database's own name for it; never its message."""
    cause = getattr(error, "orig", None)
    name = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return type(error).__name__ if name is None else f"{type(error).__name__}, {name}"


def alembic_config() -> Config:
    """Where the migrations lie. Found from the installed tree, not from the working folder."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


def migrations_folder() -> Path:
    """The ``alembic/`` folder beside our packages."""
    return Path(__file__).resolve().parent.parent / "alembic"


def is_alive(connection: Connection) -> bool:
    """Whether the database answers."""
    return bool(connection.exec_driver_sql("SELECT 1").scalar() == 1)


def _make_private(url: str) -> None:
    """Make SQLite's file for its owner only; what it puts beside that is as the file is."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        os.close(os.open(parsed.database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _known_revisions() -> set[str]:
    script = ScriptDirectory.from_config(alembic_config())
    return {revision.revision for revision in script.walk_revisions()}


def _engine(url: str, *, pool_size: int, read_only: bool) -> Engine:
    parsed = make_url(url)
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() == "sqlite":
        if read_only:
            parsed = parsed.set(
                database=f"file:{quote(parsed.database or '')}",
                query={"mode": "ro", "uri": "true"},
            )
        options |= {"poolclass": QueuePool, "pool_size": pool_size, "max_overflow": 0}
        options["connect_args"] = {"check_same_thread": False}
        engine = create_engine(parsed, **options)
        event.listen(engine, "connect", _set_sqlite_up if not read_only else _set_sqlite_reader_up)
        return engine
    parsed = parsed.set(drivername="postgresql+psycopg")
    settings = {
        "synchronous_commit": "on",
        "lock_timeout": LOCK_TIMEOUT_MS,
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
        "default_transaction_read_only": "on" if read_only else "off",
        "TimeZone": "UTC",
    }
    options["connect_args"] = {
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "connect_timeout": 5,
    }
    if read_only:
        # Several statements make one answer, and must see one state: else a person whose entry
        # was committed between two of them would look damaged.
        options["isolation_level"] = "REPEATABLE READ"
    return create_engine(parsed, pool_size=pool_size, max_overflow=0, **options)


def _set_sqlite_up(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's driver would begin transactions on its own, late and deferred; we say when.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Of a database that is made only now. A decision is two rows of 2 KiB in all, and a page
    # that holds several goes to the log once for all of them.
    cursor.execute(f"PRAGMA page_size={PAGE_SIZE}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _set_sqlite_reader_up(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA query_only=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        return  # Each statement is to see its own state, and to hold nothing up after it.
    connection.exec_driver_sql("BEGIN")
