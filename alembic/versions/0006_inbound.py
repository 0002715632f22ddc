"""What messaging providers call, and which of their messages were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "inbound_endpoint",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organisation", sa.Text(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("start_grant", sa.Text()),
        sa.Column("stop_reach", sa.Text(), nullable=False),
        sa.Column("sealed_credentials", sa.LargeBinary()),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.Column("disabled_at", COUNT),
        sqlite_strict=True,
    )
    op.create_index("inbound_endpoint_of_organisation", "inbound_endpoint", ["organisation", "id"])
    op.create_table(
        "inbound_message",
        sa.Column("endpoint", sa.Text(), primary_key=True),
        sa.Column("token", sa.LargeBinary(), primary_key=True),
        sa.Column("content_hash", sa.LargeBinary()),
        sa.Column("recorded_at", COUNT, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
