"""Appending: batches at the end of a log, without gaps, in the writer's transaction."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.ledger import chains, tables, tiles
from consent.ledger.chains import NO_CHAIN, Chain
from consent.ledger.columns import microseconds_of
from consent.ledger.errors import HeadMovedError, UnknownLogError
from consent.ledger.leaf import LEAF_VERSION, Leaf, Log, Statement, encode_leaf
from consent.ledger.tree import leaf_hash
from consent.rows import Rows, run

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
    common = {"organisation": organisation, "size": 0, "edge": b"", "epoch": 0}
    rows = [{**common, "log": log.value, "origin": f"{origin}/{log}"} for log in LOCK_ORDER]
    connection.execute(sa.insert(tables.log_head), rows)


def lock_heads(
    connection: Connection, organisations: Collection[str], logs: Collection[Log]
) -> dict[tuple[str, Log], Head]:
    """Lock these logs until the transaction ends, in ``LOCK_ORDER``, with one statement.

    On SQLite the writer's BEGIN IMMEDIATE is the lock, and this reads only.
    ``UnknownLogError``: one of them does not exist; nothing may then be appended.
    """
    wanted = {(organisation, log) for organisation in organisations for log in logs}
    rows = _LOCK_HEADS.fetch(
        connection, {"organisations": list(organisations), "logs": [log.value for log in logs]}
    )
    heads = [_head_of(row) for row in rows]
    locked = {(found.organisation, found.log): found for found in heads}
    for organisation, log in wanted - locked.keys():
        raise _unknown(organisation, log)
    return locked


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
    if not entries:
        return []
    at = recorded_at.astimezone(UTC)
    batch = _Batch(organisation, log.value, at, microseconds_of(at))
    # The row lock makes batches queue here, so indexes have no gaps and no forks.
    found = _LOCK_EDGE.fetch(connection, {"organisation": organisation, "log": log.value})
    if not found:
        raise _unknown(organisation, log)
    size, joined, epoch = found[0]
    edge = tiles.Edge.of(size, joined)
    subjects = {entry.subject for entry in entries if entry.subject is not None}
    before = chains.load(connection, organisation, log, subjects)

    after = dict(before)
    rows: list[tuple[Any, ...]] = []
    hashes: list[bytes] = []
    for index, entry in enumerate(entries, edge.size):
        last = NO_CHAIN if entry.subject is None else after[entry.subject]
        row = _row_of(entry, batch, index, last)
        hashes.append(row[-1])
        if entry.subject is not None:
            after[entry.subject] = Chain(last.seq + 1, row[-1])
        rows.append(row)

    _ENTRIES.insert(connection, rows)
    _PAYLOADS.insert(
        connection,
        [
            _payload_row_of(entry, entry.payload, organisation)
            for entry in entries
            if entry.payload is not None
        ],
    )
    chains.store(connection, organisation, log, before=before, after=after)
    extended, full = tiles.extend(edge, hashes)
    if full:
        connection.execute(_INSERT_TILE, [_tile_row_of(tile, batch) for tile in full])
    _move_head(connection, batch, edge=edge, to=extended, epoch=epoch)
    return [
        Receipt(entry.event_id, log, index, hashed, batch.recorded_at)
        for index, (entry, hashed) in enumerate(zip(entries, hashes, strict=True), edge.size)
    ]


def head(connection: Connection, organisation: str, log: Log) -> Head:
    """How far a log has come, without locking it. ``UnknownLogError``: it does not exist."""
    found = _READ_HEAD.fetch(connection, {"organisation": organisation, "log": log.value})
    if not found:
        raise _unknown(organisation, log)
    return _head_of(found[0])


class _Batch(msgspec.Struct, frozen=True):
    """What the entries of one append have in common."""

    organisation: str
    log: str
    recorded_at: datetime
    recorded_us: int


_HEAD = tables.log_head.c
_HEAD_COLUMNS = (_HEAD.organisation, _HEAD.log, _HEAD.origin, _HEAD.size, _HEAD.epoch)
_THIS_HEAD = (_HEAD.organisation == bindparam("organisation"), _HEAD.log == bindparam("log"))
_READ_HEAD = ByMany(lambda _: sa.select(*_HEAD_COLUMNS).where(*_THIS_HEAD))
_LOCK_HEADS = ByMany(
    lambda among: (
        sa.select(*_HEAD_COLUMNS)
        .where(among(_HEAD.organisation, "organisations"), among(_HEAD.log, "logs"))
        .order_by(
            sa.case({log.value: rank for rank, log in enumerate(LOCK_ORDER)}, value=_HEAD.log),
            _HEAD.organisation,
        )
        .with_for_update()
    )
)
_LOCK_EDGE = ByMany(
    lambda _: sa.select(_HEAD.size, _HEAD.edge, _HEAD.epoch).where(*_THIS_HEAD).with_for_update()
)
_MOVE_HEAD = (
    "UPDATE log_head SET size = ?, edge = ? "
    "WHERE organisation = ? AND log = ? AND size = ? AND epoch = ?"
)
_ENTRIES = Rows(
    tables.log_entry,
    "organisation",
    "log",
    "idx",
    "event_id",
    "subject",
    "subject_seq",
    "recorded_at",
    "leaf",
    "leaf_hash",
)
_PAYLOADS = Rows(
    tables.log_payload,
    "event_id",
    "organisation",
    "subject",
    "schema_version",
    "key_kind",
    "key_version",
    "algorithm",
    "nonce",
    "ciphertext",
)
_INSERT_TILE = sa.insert(tables.log_tile)


def _row_of(entry: SealedEntry, batch: _Batch, index: int, last: Chain) -> tuple[Any, ...]:
    """The row of an entry; its leaf hash stands last."""
    subject = entry.subject
    seq = None if subject is None else last.seq + 1
    leaf = encode_leaf(
        Leaf(
            actor=entry.actor,
            channel=entry.channel,
            commit=None if entry.payload is None else entry.payload.commit.hex(),
            event_id=entry.event_id.hex(),
            level=entry.level,
            log=batch.log,
            occurred_at=entry.occurred_at.astimezone(UTC),
            organisation=batch.organisation,
            prev=None if last.leaf_hash is None else last.leaf_hash.hex(),
            purpose=entry.purpose,
            recorded_at=batch.recorded_at,
            release=entry.release,
            statement=None if entry.statement is None else dict(entry.statement),
            subject=None if subject is None else subject.hex(),
            subject_seq=seq,
            type=entry.type,
            v=LEAF_VERSION,
        )
    )
    return (
        batch.organisation,
        batch.log,
        index,
        entry.event_id,
        subject,
        seq,
        batch.recorded_us,
        leaf,
        leaf_hash(leaf),
    )


def _payload_row_of(
    entry: SealedEntry, sealed: SealedPayload, organisation: str
) -> tuple[Any, ...]:
    return (
        entry.event_id,
        organisation,
        # Only what lies under a person's own key goes when that person is erased.
        entry.subject if sealed.key_kind == "subject" else None,
        sealed.schema_version,
        sealed.key_kind,
        sealed.key_version,
        sealed.algorithm,
        sealed.nonce,
        sealed.ciphertext,
    )


def _tile_row_of(tile: tiles.Tile, batch: _Batch) -> dict[str, Any]:
    return {
        "organisation": batch.organisation,
        "log": batch.log,
        "level": tile.level,
        "n": tile.n,
        "hashes": tile.hashes,
    }


def _move_head(
    connection: Connection, batch: _Batch, *, edge: tiles.Edge, to: tiles.Edge, epoch: int
) -> None:
    this = (batch.organisation, batch.log, edge.size, epoch)
    moved = run(connection, _MOVE_HEAD, (to.size, to.joined(), *this))
    if moved.rowcount != 1:
        raise HeadMovedError(f"the head of the log {batch.log} was moved by somebody else")


def _head_of(row: Sequence[Any]) -> Head:
    organisation, log, origin, size, epoch = row
    return Head(organisation, Log(log), origin, size, epoch)


def _unknown(organisation: str, log: Log) -> UnknownLogError:
    return UnknownLogError(f"{organisation} has no log {log} in this database")
