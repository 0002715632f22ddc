"""Appending: batches at the end of a log, without gaps, in the writer's transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import tables, tiles
from consent.ledger.errors import HeadMovedError, UnknownLogError
from consent.ledger.leaf import LEAF_VERSION, Leaf, Log, Statement, encode_leaf
from consent.ledger.tree import leaf_hash

LOCK_ORDER: tuple[Log, ...] = tuple(Log)
"""Everybody locks heads in this order, so that nobody waits for one who waits for them."""


class SealedPayload(msgspec.Struct, frozen=True):
    """What ``keys.sealing.seal_payload`` makes: everything of an entry that is not open."""

    commit: bytes
    schema_version: int
    key_kind: str
    key_version: int
    algorithm: int
    nonce: bytes
    ciphertext: bytes


class SealedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry ready for its log; the sequencer adds its place and the subject's chain.

    ``event_id`` is a UUIDv7 (16 bytes). On the consent log the subject's row must be there
    already. ``actor``, ``statement`` and the rest are open to whoever reads the log: nothing
    personal belongs there.
    """

    event_id: bytes
    type: str
    occurred_at: datetime
    subject: bytes | None = None
    channel: str | None = None
    purpose: str | None = None
    level: str | None = None
    release: str | None = None
    actor: str | None = None
    statement: Statement | None = None
    payload: SealedPayload | None = None


class Receipt(msgspec.Struct, frozen=True):
    """Where an entry stands. It is worth nothing before the writer has committed."""

    event_id: bytes
    log: Log
    index: int
    leaf_hash: bytes
    recorded_at: datetime


class Head(msgspec.Struct, frozen=True):
    """How far a log has come."""

    organisation: str
    log: Log
    origin: str
    size: int
    epoch: int


def create_logs(connection: Connection, organisation: str, *, origin: str) -> None:
    """Open the four logs of a new organisation. Each one's origin is ``{origin}/{log}``."""


def lock_heads(
    connection: Connection, organisations: Collection[str], logs: Collection[Log]
) -> dict[tuple[str, Log], Head]:
    """Lock these logs until the transaction ends, in ``LOCK_ORDER``, with one statement.

    On SQLite the writer's BEGIN IMMEDIATE is the lock, and this reads only.
    ``UnknownLogError``: one of them does not exist; nothing may then be appended.
    """


def append_many(
    connection: Connection,
    organisation: str,
    log: Log,
    entries: Sequence[SealedEntry],
    *,
    recorded_at: datetime,
) -> list[Receipt]:
    """Add ``entries`` at the end of ``log``, in order, without gaps.

    Runs in the writer's transaction and may be undone by its savepoint; it keeps no state of
    its own. An ``event_id`` that is on record already raises ``sqlalchemy.exc.IntegrityError``.
    ``recorded_at`` is when we learnt of it; each entry's ``occurred_at`` may be years earlier.
    """


def head(connection: Connection, organisation: str, log: Log) -> Head:
    """How far a log has come, without locking it. ``UnknownLogError``: it does not exist."""
