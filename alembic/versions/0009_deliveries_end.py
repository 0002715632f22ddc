"""Deliveries end: addresses of the erased are withheld, and what is settled can be found by age."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# STRICT tables of SQLite know no BIGINT; their INTEGER is as wide.
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

FAILED = sa.text("state = 'failed'")
PASSING = sa.text("event IN ('check.denied', 'propagation.overdue', 'propagation.summary')")


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column("webhook_delivery", sa.Column("withheld_at", COUNT))
    op.create_index(
        "webhook_delivery_passing",
        "webhook_delivery",
        ["settled_at"],
        sqlite_where=PASSING,
        postgresql_where=PASSING,
    )
    op.create_index(
        "webhook_delivery_failed",
        "webhook_delivery",
        ["settled_at"],
        sqlite_where=FAILED,
        postgresql_where=FAILED,
    )
