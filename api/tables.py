"""Organisations, who acts for them, answers given under a key, and what providers call."""

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

inbound_endpoint = Table(
    "inbound_endpoint",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("organisation", Text, ForeignKey("organisation.id"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("sender", Text, nullable=False),
    # What START stands for, in JSON; null where it stands for nothing.
    Column("start_grant", Text),
    # Whom a stop without a scope of its own reaches: "organisation" or "sender".
    Column("stop_reach", Text, nullable=False),
    # Null once the endpoint is disabled.
    Column("sealed_credentials", Bytes),
    Column("recorded_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Index("inbound_endpoint_of_organisation", "organisation", "id"),
    sqlite_strict=True,
)

# Kept for good: a signature without a time in it never grows old.
inbound_message = Table(
    "inbound_message",
    METADATA,
    Column("endpoint", Text, primary_key=True),
    # A hash of the provider's id of the message, or of the nonce of a signature.
    Column("token", Bytes, primary_key=True),
    # A hash of what came with a nonce, which is good for that only.
    Column("content_hash", Bytes),
    Column("recorded_at", Instant, nullable=False),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
