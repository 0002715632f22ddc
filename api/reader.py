"""Reads of the routes that do not write: read-only connections in a small thread pool."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.errors import StoreUnavailableError

T = TypeVar("T")


class Reader:
    """Runs functions of a connection in its threads; each sees one state of the database."""

    def __init__(self, engine: Engine, *, threads: int) -> None:
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reader")

    async def run_long(self, read: Callable[[Connection], T]) -> T:
        """The same for what asks many times: one state of the database, on PostgreSQL too."""
        return await self.run(lambda connection: read(_at_one_state(connection)))

    async def run_aside(self, work: Callable[[], T]) -> T:
        """Await what ``work`` returns, in one of the threads: it asks by ``run_here`` itself."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def run(self, read: Callable[[Connection], T]) -> T:
        """Await what ``read`` returns. What was acknowledged before the call is seen by it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.run_here, read)

    def run_here(self, read: Callable[[Connection], T]) -> T:
        """The same in this thread, for commands."""
        try:
            with self._engine.connect() as connection, connection.begin():
                return read(connection)
        except SQLAlchemyError as error:
            raise StoreUnavailableError(
                f"the database does not answer ({type(error).__name__})"
            ) from None

    def run_apart(self, read: Callable[[Connection], T]) -> T:
        """The same for what takes minutes: each statement sees a state of its own, and none keeps
        the database from tidying up meanwhile. For what cannot change, as entries of a log."""
        try:
            with self._engine.connect() as connection:
                return read(connection.execution_options(isolation_level="AUTOCOMMIT"))
        except SQLAlchemyError as error:
            raise StoreUnavailableError(
                f"the database does not answer ({type(error).__name__})"
            ) from None

    def close(self) -> None:
        """Wait for what runs, and close the connections."""
        self._pool.shutdown()
        self._engine.dispose()


def _at_one_state(connection: Connection) -> Connection:
    """On SQLite a transaction sees one state anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return connection
