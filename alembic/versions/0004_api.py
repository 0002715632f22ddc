"""Organisations, persons, API keys, and the answers kept under idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "organisation",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organisation", sa.Text(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.UniqueConstraint("organisation", "name", name="person_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("organisation", sa.Text(), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("person", sa.Text(), sa.ForeignKey("person.id"), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("recorded_at", COUNT, nullable=False),
        sa.Column("revoked_at", COUNT),
        sa.UniqueConstraint("token_hash", name="api_key_token"),
        sqlite_strict=True,
    )
    op.create_index("api_key_of_organisation", "api_key", ["organisation", "id"])
    op.create_table(
        "idempotency",
        sa.Column("organisation", sa.Text(), primary_key=True),
        sa.Column("key_hash", sa.LargeBinary(), primary_key=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", COUNT, nullable=False),
        sa.Column("sealed_response", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", COUNT, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("idempotency_expiry", "idempotency", ["expires_at"])
