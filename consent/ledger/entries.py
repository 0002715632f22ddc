"""Reading: entries by their place, by their id and by their subject, and the sealed payloads."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import tables
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt


class Entry(msgspec.Struct, frozen=True):
    """An entry as it is stored. ``leaf`` is what ``leaf.decode_leaf`` reads."""

    organisation: str
    log: Log
    index: int
    event_id: bytes
    subject: bytes | None
    subject_seq: int | None
    recorded_at: datetime
    leaf: bytes
    leaf_hash: bytes

    @property
    def receipt(self) -> Receipt:
        """What its caller was given when it was recorded."""
        return Receipt(self.event_id, self.log, self.index, self.leaf_hash, self.recorded_at)


def read_entries(
    connection: Connection, organisation: str, log: Log, start: int, end: int
) -> list[Entry]:
    """The entries of ``[start, end)``, in order; fewer where the log is shorter."""
    wanted = {"organisation": organisation, "log": log.value, "start": start, "end": end}
    return [entry_of(row) for row in connection.execute(_BY_INDEX, wanted)]


def read_subject(
    connection: Connection, organisation: str, log: Log, subject: bytes
) -> list[Entry]:
    """All entries of a log that name this subject, in order; also those of an erased one."""
    wanted = {"organisation": organisation, "log": log.value, "subject": subject}
    return [entry_of(row) for row in connection.execute(_BY_SUBJECT, wanted)]


def find_entries(
    connection: Connection, organisation: str, event_ids: Collection[bytes]
) -> dict[bytes, Entry]:
    """Those of these ids that are on record with this organisation, in whichever log."""
    wanted = {"organisation": organisation, "event_ids": list(event_ids)}
    found = [entry_of(row) for row in connection.execute(_BY_EVENT_ID, wanted)]
    return {entry.event_id: entry for entry in found}


def read_payloads(
    connection: Connection, organisation: str, event_ids: Collection[bytes]
) -> dict[bytes, "StoredPayload"]:
    """The sealed payloads of these ids; those of an erased subject are gone."""
    wanted = {"organisation": organisation, "event_ids": list(event_ids)}
    rows = connection.execute(_PAYLOADS, wanted)
    return {row.event_id: StoredPayload(*row) for row in rows}


def select_entries() -> sa.Select[Any]:
    """A statement of an organisation's entries, to be narrowed; ``entry_of`` takes its rows."""
    return _ENTRIES


def entry_of(row: sa.Row[*tuple[Any, ...]]) -> Entry:
    """Make an entry of a row of such a statement."""
    organisation, log, *rest = row
    return Entry(organisation, Log(log), *rest)


class StoredPayload(msgspec.Struct, frozen=True):
    """A sealed payload as it is stored. Its commitment is not here but in the leaf."""

    event_id: bytes
    subject: bytes | None
    schema_version: int
    key_kind: str
    key_version: int
    algorithm: int
    nonce: bytes
    ciphertext: bytes


_ENTRY = tables.log_entry.c
_PAYLOAD = tables.log_payload.c
_ENTRIES = sa.select(
    _ENTRY.organisation,
    _ENTRY.log,
    _ENTRY.idx,
    _ENTRY.event_id,
    _ENTRY.subject,
    _ENTRY.subject_seq,
    _ENTRY.recorded_at,
    _ENTRY.leaf,
    _ENTRY.leaf_hash,
).where(_ENTRY.organisation == bindparam("organisation"))
_BY_INDEX = _ENTRIES.where(
    _ENTRY.log == bindparam("log"),
    _ENTRY.idx >= bindparam("start"),
    _ENTRY.idx < bindparam("end"),
).order_by(_ENTRY.idx)
_BY_SUBJECT = _ENTRIES.where(
    _ENTRY.log == bindparam("log"), _ENTRY.subject == bindparam("subject")
).order_by(_ENTRY.subject_seq)
_BY_EVENT_ID = _ENTRIES.where(_ENTRY.event_id.in_(bindparam("event_ids", expanding=True)))
_PAYLOADS = sa.select(
    _PAYLOAD.event_id,
    _PAYLOAD.subject,
    _PAYLOAD.schema_version,
    _PAYLOAD.key_kind,
    _PAYLOAD.key_version,
    _PAYLOAD.algorithm,
    _PAYLOAD.nonce,
    _PAYLOAD.ciphertext,
).where(
    _PAYLOAD.organisation == bindparam("organisation"),
    _PAYLOAD.event_id.in_(bindparam("event_ids", expanding=True)),
)
