"""What follows from the ledger: standing, suppression, places in caps, senders, registers.

Frozen.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    _make_projections()
    _make_holds()
    _make_senders_and_registers()


def _make_projections() -> None:
    op.create_table(
        "standing",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("head_seq", _count(), nullable=False),
        sa.Column("sealed_history", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "suppression",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("idx", _count(), primary_key=True, autoincrement=False),
        sa.Column("token_version", _count(), nullable=False),
        sa.Column("occurred_at", _count(), nullable=False),
        sa.Column("sender", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("purpose", sa.Text),
        sa.Column("brand", sa.Text),
        sa.Column("via", sa.Text),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _make_holds() -> None:
    op.create_table(
        "cap_hold",
        sa.Column("decision", sa.LargeBinary, primary_key=True),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("subject", sa.LargeBinary),
        sa.Column("blind_index", sa.LargeBinary, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("topic", sa.Text),
        sa.Column("send_at", _count(), nullable=False),
        sa.Column("held_until", _count(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("cap_hold_subject", "cap_hold", ["subject"])
    op.create_index("cap_hold_blind_index", "cap_hold", ["blind_index"])
    op.create_index("cap_hold_held_until", "cap_hold", ["held_until"])


def _make_senders_and_registers() -> None:
    op.create_table(
        "sender",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", _count(), nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "registry_snapshot",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("generation", _count(), primary_key=True, autoincrement=False),
        sa.Column("registry", sa.Text, nullable=False),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("file_digest", sa.Text, nullable=False),
        sa.Column("covers", sa.Text, nullable=False),
        sa.Column("entry_count", _count(), nullable=False),
        sa.Column("loaded_at", _count(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index(
        "registry_snapshot_as_of",
        "registry_snapshot",
        ["organisation", "registry", "as_of"],
        unique=True,
    )


def _count() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
