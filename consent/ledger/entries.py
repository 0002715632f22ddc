"""Reading: entries by their place, by their id and by their subject, and the sealed payloads."""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from consent.ledger.leaf import Log
from consent.ledger.log import Receipt, SealedPayload


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
        """What its caller was given."""


def read_entries(
    connection: Connection, organisation: str, log: Log, start: int, end: int
) -> list[Entry]:
    """The entries of ``[start, end)``, in order; fewer where the log is shorter."""


def read_subject(
    connection: Connection, organisation: str, log: Log, subject: bytes
) -> list[Entry]:
    """All entries that name this subject, in order."""


def find_entries(
    connection: Connection, organisation: str, event_ids: Collection[bytes]
) -> dict[bytes, Entry]:
    """Those of these ids that are on record with this organisation, in whichever log."""


def read_payloads(
    connection: Connection, organisation: str, event_ids: Collection[bytes]
) -> dict[bytes, "StoredPayload"]:
    """The sealed payloads of these ids; those of an erased subject are gone."""
