"""The ledger's tables refuse UPDATE, DELETE, TRUNCATE and replacement, whoever asks."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from consent.ledger import tables
from consent.ledger.leaf import Log
from consent.ledger.log import append_many
from tests.support.ledgers import NOW, a_payload, a_subject, an_entry, an_organisation

APPEND_ONLY = ("log_entry", "log_tile", "checkpoint", "log_payload")
COLUMNS = [
    (name, column.name) for name in APPEND_ONLY for column in tables.METADATA.tables[name].columns
]


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """A row at least in each table, and one subject who is not erased."""
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subject = a_subject(connection, organisation)
        batch = [an_entry(subject=subject, payload=a_payload()) for _ in range(255)]
        batch.append(an_entry(subject=subject, payload=a_payload(key_kind="decision")))
        append_many(connection, organisation, Log.CONSENT, batch, recorded_at=NOW)
        note = {"organisation": organisation, "log": "consent", "size": 1, "signed_at": NOW}
        connection.execute(sa.insert(tables.checkpoint), {**note, "note": "n"})
    return engine


def contents(connection: Connection, name: str) -> list[tuple[object, ...]]:
    return sorted(map(tuple, connection.execute(sa.select(tables.METADATA.tables[name]))), key=repr)


def entry_three(engine: Engine) -> dict[str, Any]:
    """One entry as the database itself has it."""
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT * FROM log_entry WHERE idx = 3")
        return dict(found.mappings().one())


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_every_write_but_an_insert_is_refused(filled: Engine, name: str) -> None:
    acts = [f"DELETE FROM {name}"]
    acts += [f"UPDATE {name} SET {column} = {column}" for table, column in COLUMNS if table == name]
    if filled.dialect.name == "postgresql":
        acts += [f"TRUNCATE {name}", f"TRUNCATE {name} CASCADE"]
    with filled.begin() as connection:
        before = contents(connection, name)
        assert before
        for act in acts:
            refused = pytest.raises(sa.exc.IntegrityError, match="append-only")
            with refused, connection.begin_nested():
                connection.exec_driver_sql(act)
        assert contents(connection, name) == before


@pytest.mark.parametrize("name", APPEND_ONLY)
def test_no_row_is_replaced(filled: Engine, name: str) -> None:
    """SQLite's REPLACE deletes without asking DELETE triggers; ON CONFLICT updates in place."""
    if filled.dialect.name == "sqlite":
        act = f"INSERT OR REPLACE INTO {name} SELECT * FROM {name} LIMIT 1"
    else:
        keys = ", ".join(column.name for column in tables.METADATA.tables[name].primary_key)
        first = keys.split(", ")[0]
        act = (
            f"INSERT INTO {name} SELECT * FROM {name} LIMIT 1"
            f" ON CONFLICT ({keys}) DO UPDATE SET {first} = EXCLUDED.{first}"
        )
    with filled.begin() as connection:
        before = contents(connection, name)
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql(act)
        assert contents(connection, name) == before


@pytest.mark.parametrize(
    ("kept", "conflict"),
    [
        ({"idx"}, "(organisation, log, idx)"),
        ({"event_id"}, "(event_id)"),
        ({"subject_seq"}, "(subject, log, subject_seq) WHERE subject IS NOT NULL"),
    ],
    ids=["idx", "event_id", "subject_seq"],
)
def test_no_entry_is_replaced_by_any_of_its_identities(
    filled: Engine, kept: set[str], conflict: str
) -> None:
    """A replacing row that shares but one unique value would push the old one out."""
    row = entry_three(filled)
    others = {"idx": 9999, "event_id": b"e" * 16, "subject_seq": 9999, "leaf": b"another"}
    row |= {column: value for column, value in others.items() if column not in kept}
    or_replace = "OR REPLACE " if filled.dialect.name == "sqlite" else ""
    instead = "" if or_replace else f" ON CONFLICT {conflict} DO UPDATE SET leaf = EXCLUDED.leaf"
    act = sa.text(
        f"INSERT {or_replace}INTO log_entry ({', '.join(row)})"
        f" VALUES ({', '.join(':' + column for column in row)}){instead}"
    )
    with filled.begin() as connection:
        before = contents(connection, "log_entry")
        why = "holds that row already" if or_replace else "append-only"
        with pytest.raises(sa.exc.IntegrityError, match=why), connection.begin_nested():
            connection.execute(act, row)
        assert contents(connection, "log_entry") == before


def test_an_erased_subjects_own_payloads_may_go_and_nothing_else(filled: Engine) -> None:
    with filled.begin() as connection:
        connection.execute(sa.update(tables.subject).values(erased_at=NOW))
        connection.exec_driver_sql("DELETE FROM log_payload WHERE key_kind = 'subject'")
        assert [row[3] for row in contents(connection, "log_payload")] != []
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("DELETE FROM log_payload")
        assert len(contents(connection, "log_payload")) == 1
        assert len(contents(connection, "log_entry")) == 256


def test_what_lies_under_our_key_stays_even_if_it_is_filed_under_the_erased(filled: Engine) -> None:
    """The payload of an erasure names the suppressions: they are rebuilt from it."""
    with filled.begin() as connection:
        payload = tables.log_payload
        row = dict(connection.execute(sa.select(payload).limit(1)).mappings().one())
        (subject,) = connection.execute(sa.select(tables.subject.c.id)).one()
        ours = {"event_id": b"e" * 16, "subject": subject, "key_kind": "suppression_payload"}
        connection.execute(sa.insert(payload), row | ours)
        connection.execute(sa.update(tables.subject).values(erased_at=NOW))
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.delete(payload).where(payload.c.event_id == ours["event_id"]))


def test_erasing_one_subject_frees_no_other(filled: Engine) -> None:
    with filled.begin() as connection:
        (organisation,) = connection.execute(sa.select(tables.subject.c.organisation)).one()
        other = a_subject(connection, organisation)
        connection.execute(
            sa.update(tables.subject).where(tables.subject.c.id == other).values(erased_at=NOW)
        )
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("DELETE FROM log_payload WHERE key_kind = 'subject'")


def test_an_erasure_in_another_organisation_frees_nothing(filled: Engine) -> None:
    with filled.begin() as connection:
        (subject,) = connection.execute(sa.select(tables.subject.c.id)).one()
        connection.execute(
            sa.insert(tables.subject),
            {"organisation": "org_b", "id": subject, "head_seq": 0, "erased_at": NOW},
        )
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("DELETE FROM log_payload WHERE key_kind = 'subject'")


def test_a_temporary_table_does_not_answer_for_the_subjects(filled: Engine) -> None:
    with filled.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE subject AS SELECT organisation, id, 1 AS erased_at"
            f" FROM {'main' if filled.dialect.name == 'sqlite' else 'public'}.subject"
        )
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("DELETE FROM log_payload WHERE key_kind = 'subject'")
