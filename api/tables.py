"""Organisations, the persons who act for them, their keys, and answers given under a key."""

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, Text, UniqueConstraint

from consent.ledger.columns import Bytes, Count, Instant

METADATA = MetaData()

organisation = Table(
    "organisation",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    sqlite_strict=True,
)

person = Table(
    "person",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("organisation", Text, ForeignKey("organisation.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("organisation", "name", name="person_name"),
    sqlite_strict=True,
)

# A token is 256 bits of randomness, so its SHA-256 needs neither salt nor a slow function.
api_key = Table(
    "api_key",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("organisation", Text, ForeignKey("organisation.id"), nullable=False),
    Column("person", Text, ForeignKey("person.id"), nullable=False),
    Column("prefix", Text, nullable=False),
    Column("token_hash", Bytes, nullable=False),
    Column("roles", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    UniqueConstraint("token_hash", name="api_key_token"),
    Index("api_key_of_organisation", "organisation", "id"),
    sqlite_strict=True,
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("key_hash", Bytes, primary_key=True),
    Column("request_hash", Bytes, nullable=False),
    Column("status", Count, nullable=False),
    Column("sealed_response", Bytes, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("idempotency_expiry", "expires_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
