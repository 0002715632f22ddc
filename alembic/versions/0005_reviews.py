"""Replies that may have meant stop, until somebody has decided on them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table. Nothing has been held before there was one."""
    op.create_table(
        "review",
        sa.Column("event_id", sa.LargeBinary(), primary_key=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("idx", COUNT, nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("occurred_at", COUNT, nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.Column("sender", sa.Text()),
        sa.Column("channel", sa.Text()),
        sa.Column("purpose", sa.Text()),
        sa.Column("brand", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sqlite_strict=True,
    )
    op.create_index("review_place", "review", ["organisation", "idx"], unique=True)
    op.create_index("review_subject", "review", ["subject"])
