"""Endpoints that want to be told, and what is on its way to each of them."""

from sqlalchemy import Column, Index, Table, Text, text

from consent.ledger.columns import Bytes, Count, Instant
from consent.ledger.tables import METADATA

__all__ = ["METADATA", "delivery_line", "webhook_delivery", "webhook_endpoint"]

webhook_endpoint = Table(
    "webhook_endpoint",
    METADATA,
    Column("organisation", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    # Words, a space between them.
    Column("events", Text, nullable=False),
    # JSON: pairs of sender and channel; absent where nothing hangs on the endpoint.
    Column("gates", Text),
    # What counts as arrival: `delivered` or `applied`.
    Column("proof", Text, nullable=False),
    # URL and secrets.
    Column("sealed", Bytes, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("disabled_at", Instant),
    Column("disabled_why", Text),
    Column("deleted_at", Instant),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

PENDING = text("state = 'pending'")
UNSETTLED = text("settled_at IS NULL")
FAILED = text("state = 'failed'")
# What may come in any number, and is no entry of the consent log: see endings.py.
PASSING = text("event IN ('check.denied', 'propagation.overdue', 'propagation.summary')")

webhook_delivery = Table(
    "webhook_delivery",
    METADATA,
    Column("id", Bytes, primary_key=True),
    Column("organisation", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    # Counts up within the endpoint: what is first in a line.
    Column("position", Count, nullable=False),
    Column("event_id", Bytes, nullable=False),
    Column("event", Text, nullable=False),
    Column("log", Text),
    Column("sequence", Count),
    # The line that it stands in; what has none waits for nobody.
    Column("subject", Bytes),
    Column("urgency", Count, nullable=False),
    Column("state", Text, nullable=False),
    # The next attempt; while one is under way, when its claim lapses. Absent: another of the
    # same line goes first.
    Column("due_at", Instant),
    Column("claim", Bytes),
    Column("attempt_count", Count, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("first_attempt_at", Instant),
    Column("last_attempt_at", Instant),
    Column("last_status", Count),
    Column("last_problem", Text),
    Column("deadline_at", Instant),
    Column("deadline_rule", Text),
    # When it was told that the deadline has passed.
    Column("overdue_at", Instant),
    Column("delivered_at", Instant),
    Column("applied_at", Instant),
    # When all was reached that the endpoint's proof asks for, or it was given up.
    Column("settled_at", Instant),
    # Gone once it has arrived.
    Column("sealed_body", Bytes),
    # When it was last looked through for addresses of the erased, which were taken out of it.
    Column("withheld_at", Instant),
    Index("webhook_delivery_place", "endpoint", "position", unique=True),
    Index(
        "webhook_delivery_due",
        "endpoint",
        "urgency",
        "due_at",
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    ),
    Index(
        "webhook_delivery_line",
        "subject",
        "endpoint",
        "position",
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    ),
    Index(
        "webhook_delivery_unsettled",
        "organisation",
        "deadline_at",
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    ),
    Index("webhook_delivery_event", "event_id"),
    Index("webhook_delivery_passing", "settled_at", sqlite_where=PASSING, postgresql_where=PASSING),
    Index("webhook_delivery_failed", "settled_at", sqlite_where=FAILED, postgresql_where=FAILED),
    sqlite_strict=True,
)

delivery_line = Table(
    "delivery_line",
    METADATA,
    Column("organisation", Text, primary_key=True),
    # A person who parted from others while something waited that may be about all of them; or the
    # token of an address whose person was erased meanwhile.
    Column("subject", Bytes, primary_key=True),
    # Where what is told of them stands until nothing waits there any more.
    Column("line", Bytes, nullable=False),
    Index("delivery_line_line", "organisation", "line"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
