"""Migrations go up on both databases and make what the code expects."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from tests.support import databases

SCRIPTS = ScriptDirectory(str(databases.MIGRATIONS))
VERSIONS = sorted((databases.MIGRATIONS / "versions").glob("*.py"))


def test_the_migrations_are_one_line_and_head_txt_names_its_end() -> None:
    """Two parallel migrations then conflict in git, and not in an operator's database."""
    (head,) = SCRIPTS.get_heads()
    assert (databases.MIGRATIONS / "head.txt").read_text() == f"{head}\n"


def test_a_migration_is_numbered_and_named() -> None:
    revisions = {revision.path: revision.revision for revision in SCRIPTS.walk_revisions()}
    assert sorted(revisions) == [str(path) for path in VERSIONS]
    for path, revision in revisions.items():
        assert re.fullmatch(rf".*/{revision}_[a-z_]+\.py", path), path


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_migration_is_frozen_and_imports_no_live_table(path: Any) -> None:
    imported = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
    assert set(imported) <= {"sqlalchemy", "alembic", "collections", "typing"}


def test_nothing_takes_the_place_of_the_library() -> None:
    assert not (databases.MIGRATIONS / "__init__.py").exists()


def test_autogeneration_finds_nothing_left_to_do(database_url: str) -> None:
    command.check(databases.migration_config(database_url))


def test_the_migrated_schema_is_that_of_the_tables(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url)
    for metadata in live_metadata(empty_database_url):
        metadata.create_all(engine)
    made = shape_of(engine)
    for metadata in live_metadata(empty_database_url):
        metadata.drop_all(engine)
    assert shape_of(engine) == {}
    databases.migrate(empty_database_url)
    assert shape_of(engine) == made
    engine.dispose()


def test_every_sqlite_table_is_strict(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            tables = connection.exec_driver_sql("PRAGMA table_list").mappings().all()
        ours = [table for table in tables if not table["name"].startswith(("sqlite_", "alembic_"))]
        assert [table["name"] for table in ours if not table["strict"]] == []
        assert ours
    engine.dispose()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    databases.migrate(database_url)


def test_a_migration_that_fails_leaves_nothing_behind(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE subject_key (in_the_way INTEGER)")
    with pytest.raises(sa.exc.DBAPIError):
        databases.migrate(empty_database_url)
    left = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    assert left - {"alembic_version"} == {"subject_key"}


def test_an_open_connection_is_migrated_as_it_is(empty_database_url: str) -> None:
    engine = databases.open_engine(empty_database_url)
    with engine.connect() as connection:
        config = databases.migration_config(empty_database_url)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert "log_entry" in sa.inspect(engine).get_table_names()
    engine.dispose()


def live_metadata(url: str) -> list[sa.MetaData]:
    """The MetaData that ``alembic/env.py`` lists."""
    found: list[sa.MetaData] = []

    def take(_revision: object, context: Any) -> list[Any]:
        given = context.opts["target_metadata"]
        found.extend(given if isinstance(given, list) else [given])
        return []

    with EnvironmentContext(databases.migration_config(url), SCRIPTS, fn=take):
        SCRIPTS.run_env()
    return found


def shape_of(engine: sa.Engine) -> dict[str, Any]:
    """All that the database itself says of its tables, columns and indexes."""
    inspector = sa.inspect(engine)
    shape: dict[str, Any] = {}
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        columns = [
            (column["name"], str(column["type"]), column["nullable"], column["default"])
            for column in inspector.get_columns(table)
        ]
        indexes = sorted(
            (index["name"] or "", index["column_names"], index["unique"], str(where_of(index)))
            for index in inspector.get_indexes(table)
        )
        shape[table] = {
            "columns": columns,
            "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
            "indexes": indexes,
            "unique": sorted(str(found) for found in inspector.get_unique_constraints(table)),
            "foreign keys": sorted(str(found) for found in inspector.get_foreign_keys(table)),
            "checks": sorted(str(found) for found in inspector.get_check_constraints(table)),
        }
    return shape


def where_of(index: Any) -> Any:
    options = index.get("dialect_options", {})
    return options.get("sqlite_where", options.get("postgresql_where"))
