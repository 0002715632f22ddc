"""Fixtures that every test may use: a throw-away database, on each of the two."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import databases


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[databases.PostgresServer]:
    """A PostgreSQL server for the session; it starts when the first test asks for it."""
    with databases.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody writes to."""
    return databases.migrated_sqlite_file(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(params=databases.BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database of this test's own; each test runs on both."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.sqlite"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite_file"), path)
        yield f"sqlite:///{path}"
        return
    server: databases.PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(databases.TEMPLATE) as url:
        yield url


@pytest.fixture(params=databases.BACKENDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    server: databases.PostgresServer = request.getfixturevalue("postgres_server")
    with server.database("template0") as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on a migrated, empty database, with the writer's manners."""
    engine = databases.open_engine(database_url)
    yield engine
    engine.dispose()
