"""Builders for ledgers: an organisation with its logs, subjects, and entries with good defaults."""

import os
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from consent.ledger import identifiers, tables
from consent.ledger.leaf import Statement
from consent.ledger.log import SealedEntry, SealedPayload, create_logs

NOW = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


def an_organisation(connection: Connection) -> str:
    """A new organisation whose logs are open."""
    organisation = identifiers.new_organisation_id()
    create_logs(connection, organisation, origin=f"ledger.example/{organisation}")
    return organisation


def a_subject(connection: Connection, organisation: str) -> bytes:
    """A subject of which nothing is on record yet."""
    subject = identifiers.new_subject_id()
    row = {"organisation": organisation, "id": subject, "head_seq": 0}
    connection.execute(sa.insert(tables.subject), row)
    return subject


def a_payload(*, key_kind: str = "subject") -> SealedPayload:
    """A payload of the right shape, with nothing in it."""
    return SealedPayload(
        commit=os.urandom(32),
        schema_version=1,
        key_kind=key_kind,
        key_version=1,
        algorithm=1,
        nonce=os.urandom(12),
        ciphertext=os.urandom(100),
    )


def an_entry(
    *,
    event_id: bytes | None = None,
    subject: bytes | None = None,
    payload: SealedPayload | None = None,
    statement: Statement | None = None,
    occurred_at: datetime = NOW,
) -> SealedEntry:
    """A grant, of nobody unless a subject is given."""
    return SealedEntry(
        event_id=event_id or identifiers.uuid7(NOW),
        type="grant",
        occurred_at=occurred_at,
        subject=subject,
        channel="sms",
        purpose="marketing",
        level="express_written",
        release="sha256:" + "5e" * 32,
        actor="key_1",
        statement=statement,
        payload=payload,
    )
