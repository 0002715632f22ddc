"""Tables of what follows from the ledger: projections, places held, senders, registers.

The ledger's own are in ``ledger/tables.py``; both stand in one ``METADATA``.
"""

from sqlalchemy import Column, Index, Table, Text

from consent.ledger.columns import Bytes, Count, Instant
from consent.ledger.tables import METADATA

__all__ = [
    "METADATA",
    "cap_hold",
    "registry_snapshot",
    "review",
    "sender",
    "standing",
    "suppression",
]

standing = Table(
    "standing",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("subject", Bytes, primary_key=True),
    # The subject's last entry that the history takes in; older than the subject is unreadable.
    Column("head_seq", Count, nullable=False),
    Column("sealed_history", Bytes, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

suppression = Table(
    "suppression",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("token", Bytes, primary_key=True),
    Column("kind", Text, primary_key=True),
    # The entry of the consent log that it follows from.
    Column("idx", Count, primary_key=True, autoincrement=False),
    Column("token_version", Count, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    # The scope as it was given. It outlives the person's key, so no free text but a brand.
    Column("sender", Text),
    Column("channel", Text),
    Column("purpose", Text),
    Column("brand", Text),
    Column("via", Text),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

cap_hold = Table(
    "cap_hold",
    METADATA,
    Column("decision", Bytes, primary_key=True),
    Column("organisation", Text, nullable=False),
    # Both, where both are known: linked addresses share a subject, a stranger has none yet.
    Column("subject", Bytes),
    Column("blind_index", Bytes, nullable=False),
    Column("sender", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("topic", Text),
    Column("send_at", Instant, nullable=False),
    Column("held_until", Instant, nullable=False),
    # Without the organisation: rows come and go too fast for PostgreSQL to know their numbers,
    # and it would then take an organisation's rows for few, and read them all.
    Index("cap_hold_subject", "subject"),
    Index("cap_hold_blind_index", "blind_index"),
    Index("cap_hold_held_until", "held_until"),
    sqlite_strict=True,
)

review = Table(
    "review",
    METADATA,
    # The hold that opened it, and its place in the consent log.
    Column("event_id", Bytes, primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("idx", Count, nullable=False),
    Column("subject", Bytes, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    # The scope as it was given; no text of the reply.
    Column("sender", Text),
    Column("channel", Text),
    Column("purpose", Text),
    Column("brand", Text),
    # revoke, release or erased; absent while nobody has decided.
    Column("outcome", Text),
    Index("review_place", "organisation", "idx", unique=True),
    Index("review_subject", "subject"),
    sqlite_strict=True,
)

sender = Table(
    "sender",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("record", Bytes, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sqlite_strict=True,
)

registry_snapshot = Table(
    "registry_snapshot",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("generation", Count, primary_key=True, autoincrement=False),
    Column("registry", Text, nullable=False),
    # A date, YYYY-MM-DD.
    Column("as_of", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_digest", Text, nullable=False),
    Column("covers", Text, nullable=False),
    Column("entry_count", Count, nullable=False),
    Column("loaded_at", Instant, nullable=False),
    Index("registry_snapshot_as_of", "organisation", "registry", "as_of", unique=True),
    sqlite_strict=True,
)
