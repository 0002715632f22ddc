"""Endpoints that want to be told of events, and what is on its way to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

PENDING = sa.text("state = 'pending'")
UNSETTLED = sa.text("settled_at IS NULL")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "webhook_endpoint",
        sa.Column("organisation", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("gates", sa.Text()),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.Column("disabled_at", COUNT),
        sa.Column("disabled_why", sa.Text()),
        sa.Column("deleted_at", COUNT),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.LargeBinary(), primary_key=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("position", COUNT, nullable=False),
        sa.Column("event_id", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("log", sa.Text()),
        sa.Column("sequence", COUNT),
        sa.Column("subject", sa.LargeBinary()),
        sa.Column("urgency", COUNT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", COUNT),
        sa.Column("claim", sa.LargeBinary()),
        sa.Column("attempt_count", COUNT, nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.Column("first_attempt_at", COUNT),
        sa.Column("last_attempt_at", COUNT),
        sa.Column("last_status", COUNT),
        sa.Column("last_problem", sa.Text()),
        sa.Column("deadline_at", COUNT),
        sa.Column("deadline_rule", sa.Text()),
        sa.Column("overdue_at", COUNT),
        sa.Column("delivered_at", COUNT),
        sa.Column("applied_at", COUNT),
        sa.Column("settled_at", COUNT),
        sa.Column("sealed_body", sa.LargeBinary()),
        sqlite_strict=True,
    )
    op.create_index(
        "webhook_delivery_place", "webhook_delivery", ["endpoint", "position"], unique=True
    )
    op.create_index(
        "webhook_delivery_due",
        "webhook_delivery",
        ["endpoint", "urgency", "due_at"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index(
        "webhook_delivery_line",
        "webhook_delivery",
        ["subject", "endpoint", "position"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index(
        "webhook_delivery_unsettled",
        "webhook_delivery",
        ["organisation", "deadline_at"],
        sqlite_where=UNSETTLED,
        postgresql_where=UNSETTLED,
    )
    op.create_index("webhook_delivery_event", "webhook_delivery", ["event_id"])
