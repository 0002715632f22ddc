"""The ledger: logs, entries, payloads, tiles, checkpoints, subjects and their keys.

Frozen. Entries, tiles and checkpoints are never rewritten by any later migration: a new shape
of leaf is a new version of it beside the old one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SUBJECT_IS_KNOWN = sa.text("subject IS NOT NULL")
ALIAS_IS_OPEN = sa.text("valid_until IS NULL")
APPEND_ONLY = ("log_entry", "log_tile", "checkpoint")

# What makes a row of these tables that one and no other. SQLite's INSERT OR REPLACE deletes a
# row without asking the DELETE triggers, so an insert that meets such a row is refused as well.
IDENTITIES = {
    "log_entry": (
        "organisation = NEW.organisation AND log = NEW.log AND idx = NEW.idx",
        "event_id = NEW.event_id",
        "subject = NEW.subject AND log = NEW.log AND subject_seq = NEW.subject_seq",
    ),
    "log_tile": (
        "organisation = NEW.organisation AND log = NEW.log AND level = NEW.level AND n = NEW.n",
    ),
    "checkpoint": (
        (
            "organisation = NEW.organisation AND log = NEW.log AND size = NEW.size"
            " AND signed_at = NEW.signed_at"
        ),
    ),
    "log_payload": ("event_id = NEW.event_id",),
}
MAY_BE_DELETED = (
    "OLD.key_kind = 'subject' AND EXISTS (SELECT 1 FROM subject"
    " WHERE subject.organisation = OLD.organisation AND subject.id = OLD.subject"
    " AND subject.erased_at IS NOT NULL)"
)


def upgrade() -> None:
    """Make the tables and what guards them."""
    _make_log_tables()
    _make_subject_tables()
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


def _make_log_tables() -> None:
    op.create_table(
        "log_head",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("size", _count(), nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("epoch", _count(), nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "log_entry",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("idx", _count(), primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.LargeBinary),
        sa.Column("subject_seq", _count()),
        sa.Column("recorded_at", _count(), nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("log_entry_event_id", "log_entry", ["event_id"], unique=True)
    op.create_index(
        "log_entry_subject",
        "log_entry",
        ["subject", "log", "subject_seq"],
        unique=True,
        sqlite_where=SUBJECT_IS_KNOWN,
        postgresql_where=SUBJECT_IS_KNOWN,
    )
    op.create_table(
        "log_payload",
        sa.Column("event_id", sa.LargeBinary, primary_key=True),
        sa.Column("organisation", sa.Text, nullable=False),
        sa.Column("subject", sa.LargeBinary),
        sa.Column("schema_version", _count(), nullable=False),
        sa.Column("key_kind", sa.Text, nullable=False),
        sa.Column("key_version", _count(), nullable=False),
        sa.Column("algorithm", _count(), nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "log_tile",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("level", _count(), primary_key=True, autoincrement=False),
        sa.Column("n", _count(), primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "checkpoint",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("size", _count(), primary_key=True, autoincrement=False),
        sa.Column("signed_at", _count(), primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_strict=True,
    )


def _make_subject_tables() -> None:
    op.create_table(
        "subject",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("head_seq", _count(), nullable=False),
        sa.Column("head_leaf_hash", sa.LargeBinary),
        sa.Column("erased_at", _count()),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subject_head",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("head_seq", _count(), nullable=False),
        sa.Column("head_leaf_hash", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subject_alias",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("index_version", _count(), primary_key=True, autoincrement=False),
        sa.Column("blind_index", sa.LargeBinary, primary_key=True),
        sa.Column("valid_from", _count(), primary_key=True, autoincrement=False),
        sa.Column("valid_until", _count()),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "subject_alias_open",
        "subject_alias",
        ["organisation", "index_version", "blind_index"],
        unique=True,
        sqlite_where=ALIAS_IS_OPEN,
        postgresql_where=ALIAS_IS_OPEN,
    )
    op.create_index("subject_alias_subject", "subject_alias", ["organisation", "subject"])
    op.create_table(
        "subject_key",
        sa.Column("organisation", sa.Text, primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True),
        sa.Column("version", _count(), primary_key=True, autoincrement=False),
        sa.Column("wrapping_key_version", _count(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "subject_key_wrapping_key_version", "subject_key", ["organisation", "wrapping_key_version"]
    )


def _guard_sqlite() -> None:
    for table in APPEND_ONLY:
        for act in ("UPDATE", "DELETE"):
            _sqlite_trigger(table, act, "1")
    _sqlite_trigger("log_payload", "UPDATE", "1")
    _sqlite_trigger("log_payload", "DELETE", f"NOT ({MAY_BE_DELETED})")
    for table, identities in IDENTITIES.items():
        taken = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {same})" for same in identities)
        _sqlite_trigger(table, "INSERT", taken)


def _sqlite_trigger(table: str, act: str, condition: str) -> None:
    why = "holds that row already" if act == "INSERT" else "is append-only"
    # ABORT undoes what the statement did before; to be able to, SQLite copies every page that an
    # insert changes. A row that is refused has done nothing yet, and FAIL says no just as firmly.
    how = "FAIL" if act == "INSERT" else "ABORT"
    op.execute(
        f"CREATE TRIGGER {table}_refuses_{act.lower()} BEFORE {act} ON {table}"
        f" WHEN {condition} BEGIN SELECT RAISE({how}, '{table} {why}'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
        " USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    # A path of its own: a temporary table named subject must not answer for the true one.
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(
        "CREATE FUNCTION refuse_unerased() RETURNS trigger LANGUAGE plpgsql"
        f" SET search_path = {schema}, pg_temp AS $$ BEGIN"
        f" IF {MAY_BE_DELETED} THEN RETURN OLD; END IF;"
        " RAISE EXCEPTION '% is append-only', TG_TABLE_NAME"
        " USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for table in APPEND_ONLY:
        _postgresql_trigger(table, "UPDATE OR DELETE", "refuse_change", each="ROW")
        _postgresql_trigger(table, "TRUNCATE", "refuse_change", each="STATEMENT")
    _postgresql_trigger("log_payload", "UPDATE", "refuse_change", each="ROW")
    _postgresql_trigger("log_payload", "DELETE", "refuse_unerased", each="ROW")
    _postgresql_trigger("log_payload", "TRUNCATE", "refuse_change", each="STATEMENT")


def _postgresql_trigger(table: str, acts: str, function: str, *, each: str) -> None:
    name = f"{table}_refuses_{acts.lower().replace(' ', '_')}"
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {acts} ON {table} FOR EACH {each}"
        f" EXECUTE FUNCTION {function}()"
    )


def _count() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
