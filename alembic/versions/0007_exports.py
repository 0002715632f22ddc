"""Exports under way and finished."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "export_job",
        sa.Column("id", sa.LargeBinary(), primary_key=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_address", sa.LargeBinary()),
        sa.Column("subjects", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", COUNT, nullable=False),
        sa.Column("runner", sa.Text()),
        sa.Column("heard_at", COUNT),
        sa.Column("attempt_count", COUNT, nullable=False),
        sa.Column("done_count", COUNT, nullable=False),
        sa.Column("total_count", COUNT),
        sa.Column("ended_at", COUNT),
        sa.Column("expires_at", COUNT),
        sa.Column("file_size", COUNT),
        sa.Column("file_digest", sa.Text()),
        sa.Column("problem", sa.Text()),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("export_job_state", "export_job", ["state"])
    op.create_index("export_job_organisation", "export_job", ["organisation", "id"])
