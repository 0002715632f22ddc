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
    rows = connection.execute(
        _LOCK_HEADS, {"organisations": list(organisations), "logs": [log.value for log in logs]}
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
    recorded_at = recorded_at.astimezone(UTC)
    # The row lock makes batches queue here, so indexes have no gaps and no forks.
    found = connection.execute(_LOCK_EDGE, {"organisation": organisation, "log": log.value}).first()
    if found is None:
        raise _unknown(organisation, log)
    edge = tiles.Edge.of(found.size, found.edge)
    chains = _load_chains(connection, organisation, log, entries)
    first_of = {subject: seq for subject, (seq, _) in chains.items()}

    receipts: list[Receipt] = []
    rows: list[_Row] = []
    for index, entry in enumerate(entries, edge.size):
        seq, prev = chains.get(entry.subject, _NO_CHAIN) if entry.subject else _NO_CHAIN
        leaf = _leaf_of(entry, organisation, log, seq + 1, prev, recorded_at)
        hashed = leaf_hash(leaf)
        if entry.subject is not None:
            chains[entry.subject] = (seq + 1, hashed)
        rows.append(_row_of(entry, organisation, log, index, seq + 1, recorded_at, leaf, hashed))
        receipts.append(Receipt(entry.event_id, log, index, hashed, recorded_at))

    connection.execute(_INSERT_ENTRY, rows)
    if payloads := [row for entry in entries if (row := _payload_row_of(entry, organisation))]:
        connection.execute(_INSERT_PAYLOAD, payloads)
    _store_chains(connection, organisation, log, chains, first_of)
    _store_edge(connection, organisation, log, found.epoch, edge, [row["leaf_hash"] for row in rows])
    return receipts


def head(connection: Connection, organisation: str, log: Log) -> Head:
    """How far a log has come, without locking it. ``UnknownLogError``: it does not exist."""
    row = connection.execute(_READ_HEAD, {"organisation": organisation, "log": log.value}).first()
    if row is None:
        raise _unknown(organisation, log)
    return _head_of(row)


_Row = dict[str, Any]
_Chain = tuple[int, bytes | None]
_NO_CHAIN: _Chain = (0, None)

_HEAD = tables.log_head.c
_HEAD_COLUMNS = (_HEAD.organisation, _HEAD.log, _HEAD.origin, _HEAD.size, _HEAD.epoch)
_THIS_HEAD = (_HEAD.organisation == bindparam("organisation"), _HEAD.log == bindparam("log"))
_READ_HEAD = sa.select(*_HEAD_COLUMNS).where(*_THIS_HEAD)
_LOCK_HEADS = (
    sa.select(*_HEAD_COLUMNS)
    .where(
        _HEAD.organisation.in_(bindparam("organisations", expanding=True)),
        _HEAD.log.in_(bindparam("logs", expanding=True)),
    )
    .order_by(
        sa.case({log.value: rank for rank, log in enumerate(LOCK_ORDER)}, value=_HEAD.log),
        _HEAD.organisation,
    )
    .with_for_update()
)
_LOCK_EDGE = sa.select(_HEAD.size, _HEAD.edge, _HEAD.epoch).where(*_THIS_HEAD).with_for_update()
_MOVE_HEAD = (
    sa.update(tables.log_head)
    .where(
        _HEAD.organisation == bindparam("of_organisation"),
        _HEAD.log == bindparam("of_log"),
        _HEAD.size == bindparam("from_size"),
        _HEAD.epoch == bindparam("at_epoch"),
    )
    .values(size=bindparam("to_size"), edge=bindparam("to_edge"))
)
_INSERT_ENTRY = sa.insert(tables.log_entry)
_INSERT_PAYLOAD = sa.insert(tables.log_payload)
_INSERT_TILE = sa.insert(tables.log_tile)
_INSERT_SUBJECT_HEAD = sa.insert(tables.subject_head)


def _select_chains(table: sa.Table, *of_log: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(table.c.id, table.c.head_seq, table.c.head_leaf_hash).where(
        table.c.organisation == bindparam("organisation"),
        table.c.id.in_(bindparam("subjects", expanding=True)),
        *of_log,
    )


def _update_chains(table: sa.Table, *of_log: sa.ColumnElement[bool]) -> sa.Update:
    return (
        sa.update(table)
        .where(
            table.c.organisation == bindparam("of_organisation"),
            table.c.id == bindparam("of_id"),
            *of_log,
        )
        .values(head_seq=bindparam("to_seq"), head_leaf_hash=bindparam("to_hash"))
    )


_OTHER = tables.subject_head
_SELECT_CONSENT_CHAINS = _select_chains(tables.subject)
_SELECT_OTHER_CHAINS = _select_chains(_OTHER, _OTHER.c.log == bindparam("log"))
_UPDATE_CONSENT_CHAINS = _update_chains(tables.subject)
_UPDATE_OTHER_CHAINS = _update_chains(_OTHER, _OTHER.c.log == bindparam("of_log"))


def _load_chains(
    connection: Connection, organisation: str, log: Log, entries: Sequence[SealedEntry]
) -> dict[bytes, _Chain]:
    """Where the chain of each subject of the batch stands in this log."""
    subjects = list({entry.subject for entry in entries if entry.subject is not None})
    if not subjects:
        return {}
    wanted = {"organisation": organisation, "subjects": subjects}
    if log is Log.CONSENT:
        rows = connection.execute(_SELECT_CONSENT_CHAINS, wanted)
    else:
        rows = connection.execute(_SELECT_OTHER_CHAINS, {**wanted, "log": log.value})
    chains: dict[bytes, _Chain] = {id_: (seq, hashed) for id_, seq, hashed in rows}
    if log is Log.CONSENT:
        assert len(chains) == len(subjects), "a subject's row is made before its first entry"
        return chains
    return dict.fromkeys(subjects, _NO_CHAIN) | chains


def _store_chains(
    connection: Connection,
    organisation: str,
    log: Log,
    chains: Mapping[bytes, _Chain],
    first_of: Mapping[bytes, int],
) -> None:
    known = {id_: chain for id_, chain in chains.items() if log is Log.CONSENT or first_of[id_]}
    if known:
        statement = _UPDATE_CONSENT_CHAINS if log is Log.CONSENT else _UPDATE_OTHER_CHAINS
        of_log = {} if log is Log.CONSENT else {"of_log": log.value}
        rows = [
            {"of_organisation": organisation, "of_id": id_, "to_seq": seq, "to_hash": hashed}
            | of_log
            for id_, (seq, hashed) in known.items()
        ]
        connection.execute(statement, rows)
    if len(known) < len(chains):
        rows = [
            {
                "organisation": organisation,
                "log": log.value,
                "id": id_,
                "head_seq": seq,
                "head_leaf_hash": hashed,
            }
            for id_, (seq, hashed) in chains.items()
            if id_ not in known
        ]
        connection.execute(_INSERT_SUBJECT_HEAD, rows)


def _store_edge(
    connection: Connection,
    organisation: str,
    log: Log,
    epoch: int,
    edge: tiles.Edge,
    leaf_hashes: Sequence[bytes],
) -> None:
    extended, full = tiles.extend(edge, leaf_hashes)
    if full:
        rows = [
            {
                "organisation": organisation,
                "log": log.value,
                "level": tile.level,
                "n": tile.n,
                "hashes": tile.hashes,
            }
            for tile in full
        ]
        connection.execute(_INSERT_TILE, rows)
    moved = connection.execute(
        _MOVE_HEAD,
        {
            "of_organisation": organisation,
            "of_log": log.value,
            "from_size": edge.size,
            "at_epoch": epoch,
            "to_size": extended.size,
            "to_edge": extended.joined(),
        },
    )
    if moved.rowcount != 1:
        raise HeadMovedError(f"the head of the log {log} was moved by somebody else")


def _leaf_of(
    entry: SealedEntry,
    organisation: str,
    log: Log,
    seq: int,
    prev: bytes | None,
    recorded_at: datetime,
) -> bytes:
    subject = entry.subject
    return encode_leaf(
        Leaf(
            actor=entry.actor,
            channel=entry.channel,
            commit=None if entry.payload is None else entry.payload.commit.hex(),
            event_id=entry.event_id.hex(),
            level=entry.level,
            log=log.value,
            occurred_at=entry.occurred_at.astimezone(UTC),
            organisation=organisation,
            prev=None if prev is None else prev.hex(),
            purpose=entry.purpose,
            recorded_at=recorded_at,
            release=entry.release,
            statement=None if entry.statement is None else dict(entry.statement),
            subject=None if subject is None else subject.hex(),
            subject_seq=None if subject is None else seq,
            type=entry.type,
            v=LEAF_VERSION,
        )
    )


def _row_of(  # noqa: PLR0913
    entry: SealedEntry,
    organisation: str,
    log: Log,
    index: int,
    seq: int,
    recorded_at: datetime,
    leaf: bytes,
    hashed: bytes,
) -> _Row:
    return {
        "organisation": organisation,
        "log": log.value,
        "idx": index,
        "event_id": entry.event_id,
        "subject": entry.subject,
        "subject_seq": None if entry.subject is None else seq,
        "recorded_at": recorded_at,
        "leaf": leaf,
        "leaf_hash": hashed,
    }


def _payload_row_of(entry: SealedEntry, organisation: str) -> _Row | None:
    sealed = entry.payload
    if sealed is None:
        return None
    return {
        "event_id": entry.event_id,
        "organisation": organisation,
        # Only what lies under a person's own key goes when that person is erased.
        "subject": entry.subject if sealed.key_kind == "subject" else None,
        "schema_version": sealed.schema_version,
        "key_kind": sealed.key_kind,
        "key_version": sealed.key_version,
        "algorithm": sealed.algorithm,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
    }


def _head_of(row: sa.Row[Any]) -> Head:
    return Head(row.organisation, Log(row.log), row.origin, row.size, row.epoch)


def _unknown(organisation: str, log: Log) -> UnknownLogError:
    return UnknownLogError(f"{organisation} has no log {log} in this database")
