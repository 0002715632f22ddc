"""The ledger's tables. What is in them can never be migrated; ``alembic/versions`` holds the same.

``log_entry``, ``log_tile`` and ``checkpoint`` refuse every UPDATE and DELETE by trigger, and
``log_payload`` all but the DELETE of what lies under the key of a subject marked as erased.
"""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table, Text

from consent.ledger.columns import Bytes, Count, Instant

METADATA = sa.MetaData()
"""Of the whole package ``consent``: its other tables join this one."""

log_head = Table(
    "log_head",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("size", Count, nullable=False),
    # The tiles that are not full yet, highest level last: see ``tiles.Edge``.
    Column("edge", Bytes, nullable=False),
    # Raised whenever somebody takes the log over; who still holds the old one cannot append.
    Column("epoch", Count, nullable=False),
    sqlite_strict=True,
)

log_entry = Table(
    "log_entry",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("idx", Count, primary_key=True, autoincrement=False),
    Column("event_id", Bytes, nullable=False),
    # The leaf says these two as well. They stand here to find a person's entries by.
    Column("subject", Bytes),
    Column("subject_seq", Count),
    Column("recorded_at", Instant, nullable=False),
    Column("leaf", Bytes, nullable=False),
    Column("leaf_hash", Bytes, nullable=False),
    Index("log_entry_event_id", "event_id", unique=True),
    Index(
        "log_entry_subject",
        "subject",
        "log",
        "subject_seq",
        unique=True,
        sqlite_where=sa.text("subject IS NOT NULL"),
        postgresql_where=sa.text("subject IS NOT NULL"),
    ),
    sqlite_strict=True,
)

log_payload = Table(
    "log_payload",
    METADATA,
    Column("event_id", Bytes, primary_key=True),
    Column("organisation", Text, nullable=False),
    # Whose key seals it, if ``key_kind`` is ``subject``; only then may it ever be deleted.
    Column("subject", Bytes),
    Column("schema_version", Count, nullable=False),
    Column("key_kind", Text, nullable=False),
    Column("key_version", Count, nullable=False),
    Column("algorithm", Count, nullable=False),
    Column("nonce", Bytes, nullable=False),
    Column("ciphertext", Bytes, nullable=False),
    sqlite_strict=True,
)

log_tile = Table(
    "log_tile",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("level", Count, primary_key=True, autoincrement=False),
    Column("n", Count, primary_key=True, autoincrement=False),
    Column("hashes", Bytes, nullable=False),
    sqlite_strict=True,
)

checkpoint = Table(
    "checkpoint",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("size", Count, primary_key=True, autoincrement=False),
    # One size may be signed again: by a new key, or under a new origin.
    Column("signed_at", Instant, primary_key=True, autoincrement=False),
    Column("note", Text, nullable=False),
    sqlite_strict=True,
)

subject = Table(
    "subject",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("id", Bytes, primary_key=True),
    # In the consent log: how many entries, and the hash of the last. 0 and NULL: none yet.
    Column("head_seq", Count, nullable=False),
    Column("head_leaf_hash", Bytes),
    Column("erased_at", Instant),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

subject_head = Table(
    "subject_head",
    METADATA,
    # The same two for the other logs, whose entries may name a subject as well.
    Column("organisation", Text, primary_key=True),
    Column("id", Bytes, primary_key=True),
    Column("log", Text, primary_key=True),
    Column("head_seq", Count, nullable=False),
    Column("head_leaf_hash", Bytes, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

subject_alias = Table(
    "subject_alias",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("index_version", Count, primary_key=True, autoincrement=False),
    Column("blind_index", Bytes, primary_key=True),
    Column("valid_from", Instant, primary_key=True, autoincrement=False),
    Column("valid_until", Instant),
    Column("subject", Bytes, nullable=False),
    # An address is one person's at a time.
    Index(
        "subject_alias_open",
        "organisation",
        "index_version",
        "blind_index",
        unique=True,
        sqlite_where=sa.text("valid_until IS NULL"),
        postgresql_where=sa.text("valid_until IS NULL"),
    ),
    Index("subject_alias_subject", "organisation", "subject"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

subject_key = Table(
    "subject_key",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("subject", Bytes, primary_key=True),
    Column("version", Count, primary_key=True, autoincrement=False),
    Column("wrapping_key_version", Count, nullable=False),
    Column("wrapped", Bytes, nullable=False),
    Index("subject_key_wrapping_key_version", "organisation", "wrapping_key_version"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
