"""A service that lives through restarts, crashes, backups and restores, driven step by step."""

import asyncio
import shutil
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa

from api.operations.upkeep.fork_ledger import fork_ledger
from consent.fsck.damage import Damage
from tests.support.clock import FixedClock
from tests.support.service import TestService, running_service
from tests.trials.whole_ledger import Sites, WholeLedger

T = TypeVar("T")


@dataclass
class LivingService:
    """One data folder, its database, and the process that serves it, in this one.

    Its clock goes on over restarts, and moves only when it is told to.
    """

    sites: Sites
    ledger: WholeLedger
    printed: list[str] = field(default_factory=list)
    at: datetime = field(default_factory=lambda: FixedClock().at)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._life: asyncio.Task[None] | None = None
        self._ending: asyncio.Event | None = None
        self._service: TestService | None = None

    @property
    def service(self) -> TestService:
        """The one that runs."""
        assert self._service is not None, "it was stopped"
        return self._service

    def start(self) -> None:
        """Begin a life of the service."""

        async def begin() -> None:
            started: asyncio.Future[None] = self._loop.create_future()
            self._life = asyncio.create_task(self._live(started))
            await asyncio.wait((started, self._life), return_when=asyncio.FIRST_COMPLETED)
            if self._life.done():
                await self._life

        self.run(begin())

    def stop(self) -> None:
        """End it as a signal does: what has grown is signed."""
        service, self._service = self.service, None
        self.at = service.clock.now()
        assert self._life is not None, "it runs"
        assert self._ending is not None, "it runs"
        self._ending.set()
        self._loop.run_until_complete(self._life)
        self.printed.append(service.log.getvalue())

    async def _live(self, started: "asyncio.Future[None]") -> None:
        """One life, in one task: what its server begins it must end itself."""
        self._ending = asyncio.Event()
        async with running_service(
            self.ledger.folder, database_url=self.ledger.url, at=self.at
        ) as service:
            self._service = service
            started.set_result(None)
            await self._ending.wait()

    def crash(self) -> None:
        """End it without a last signature; on SQLite go on from its files as they lay there."""
        if self.ledger.url is not None:
            self.service.components.service.writer.refuse("it has crashed")
            self.stop()
            return
        died = self.ledger
        left = WholeLedger(self.sites.folder(), None, died.organisations)
        ignored = shutil.ignore_patterns("*.sock", "lock", "*-shm")
        shutil.copytree(died.folder, left.folder, ignore=ignored)
        self.stop()
        shutil.rmtree(died.folder)
        self.ledger = left

    def close(self) -> None:
        """Stop for good."""
        if self._service is not None:
            self.stop()
        self._loop.close()

    def back_up(self) -> str:
        """Copy the database of a stopped service."""
        if self.ledger.url is not None:
            return self.sites.copy_database(self.ledger.url)
        copy = self.sites.folder()
        shutil.copyfile(self.ledger.file, copy)
        return str(copy)

    def restore(self, backup: str) -> None:
        """Put a copy in place of the database of a stopped service; the vault stays."""
        if self.ledger.url is not None:
            self.ledger.url = self.sites.copy_database(backup)
            return
        for beside in self.ledger.folder.glob(f"{self.ledger.file.name}-*"):
            beside.unlink()
        shutil.copyfile(backup, self.ledger.file)

    def fork(self) -> None:
        """Go on from what was restored."""
        fork_ledger(self.ledger.settings, reason="restored a backup", now=self.at)

    def sign(self) -> None:
        """Sign what has grown."""
        self.run(self.service.signer.sign_grown())

    def post(
        self, organisation: str, path: str, body: object, *, once: str | None = None
    ) -> httpx.Response:
        """Ask as the organisation's operator."""
        return self.run(self.asking(organisation, path, body, once=once))

    async def asking(
        self, organisation: str, path: str, body: object, *, once: str | None = None
    ) -> httpx.Response:
        """The same, to be awaited beside others."""
        headers = {"X-Organisation": organisation}
        if once is not None:
            headers["Idempotency-Key"] = once
        return await self.service.operator.post(path, json=body, headers=headers)

    def get(self, organisation: str, path: str) -> httpx.Response:
        """Read as the organisation's operator."""
        headers = {"X-Organisation": organisation}
        return self.run(self.service.operator.get(path, headers=headers))

    def tables(self) -> Mapping[str, list[dict[str, Any]]]:
        """Every row of the database."""
        engine = self.ledger.engine()
        try:
            with engine.connect() as connection:
                metadata = sa.MetaData()
                metadata.reflect(connection)
                return {
                    name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                    for name, table in metadata.tables.items()
                }
        finally:
            engine.dispose()

    def inspect(self) -> list[Damage]:
        """What ``ledger fsck`` finds, while the service runs."""
        return self.ledger.inspect()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the service run until ``work`` is done."""
        return self._loop.run_until_complete(work)
