"""What we can prove: whom decisions were about, and what senders reported of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables. Both may be deleted from, so nothing guards them."""
    op.create_table(
        "decision_alias",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("decision", sa.LargeBinary, primary_key=True),
        sa.Column("key_version", _count(), nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("decision_alias_token", "decision_alias", ["organisation", "token"])
    op.create_table(
        "sending_report",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("decision", sa.LargeBinary, primary_key=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reported_at", _count(), nullable=False),
        sa.Column("event_id", sa.LargeBinary),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _count() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
