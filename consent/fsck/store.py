"""The database itself: its pages and indexes, the guards of its tables, and rows of no log."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from consent.fsck.damage import Damage, Kind
from consent.ledger.checkpoints import GrownLog
from consent.ledger.tables import checkpoint

TOLD_MAX = 100
GUARDS_DIGEST = {
    "sqlite": "388ff1ab903ffca9bc8bfe871c29dbfc54a305349357281b379741556db768cd",
    "postgresql": "42ce6b45c5e2530a11dd2fac1c10d7225521ae86fd9b83d1b0a3c710589c4615",
}
"""SHA-256 of the guards of the append-only tables as the migrations make them."""
_WHOLE = "ok"
_GUARDED = ("log_entry", "log_tile", "checkpoint", "log_payload")
_GUARDS = {
    "sqlite": """
        SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name
    """,
    "postgresql": """
        SELECT tgname, relname, tgtype || ' ' || prosrc
        FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgqual IS NULL
          AND relnamespace = current_schema()::regnamespace
        ORDER BY tgname COLLATE "C"
    """,
}


def inspect_store(connection: Connection) -> Iterator[Damage]:
    """What SQLite's integrity check names, and guards that are not those that were made.

    Broken pages, and indexes that are not those of their rows: the rest of a look through reads
    rows by these indexes. PostgreSQL has checksums of its pages, and asks for no look.
    """
    database = connection.dialect.name
    if database == "sqlite":
        for (told,) in connection.exec_driver_sql(f"PRAGMA integrity_check({TOLD_MAX})"):
            if told != _WHOLE:
                yield Damage(None, None, None, Kind.DATABASE, told)
    if guards_digest(connection) != GUARDS_DIGEST[database]:
        tables = ", ".join(_GUARDED)
        detail = f"what refuses changes of {tables} is gone, or is not what was made"
        yield Damage(None, None, None, Kind.GUARD, detail)


def guards_digest(connection: Connection) -> str:
    """SHA-256 of the triggers that are there and enabled on the append-only tables."""
    rows = connection.exec_driver_sql(_GUARDS[connection.dialect.name])
    guards = [f"{name} {text}\n" for name, table, text in rows if table in _GUARDED]
    return sha256("".join(guards).encode()).hexdigest()


def inspect_strays(connection: Connection, heads: Sequence[GrownLog]) -> Iterator[Damage]:
    """Checkpoints of sizes that their log does not have, or of no log at all."""
    sizes = {(head.organisation, head.log.value): head for head in heads}
    for organisation, log, size in connection.execute(_CHECKPOINTS):
        head = sizes.get((organisation, log))
        if head is None:
            detail = f"a checkpoint of size {size} is of no log that is here"
            yield Damage(None, None, None, Kind.CHECKPOINT, detail)
        elif not 0 < size <= head.size:
            detail = f"a checkpoint is of size {size}, and the log has {head.size} entries"
            yield Damage(head.organisation, head.log, None, Kind.CHECKPOINT, detail)


_CHECKPOINTS = sa.select(checkpoint.c.organisation, checkpoint.c.log, checkpoint.c.size)
