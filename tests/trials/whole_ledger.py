"""A small whole ledger, made through the service as its callers make one, to be broken by a trial.

Every table of the ledger has rows in it: two organisations, a full tile, people who agreed, said
stop, both, or were erased, strangers who were checked, a place held, a report, keys of a person's
that were renewed.
"""

import asyncio
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from api.operations.upkeep.check_ledger import inspection
from api.roles import Role
from api.settings import Settings
from consent.fsck.damage import Damage
from tests.support.databases import PostgresServer, open_engine
from tests.support.service import TestService, running_service

ANN, BOB, EVE = "+12125550123", "bob@example.com", "+12125550124"
DAN = "dan@example.com"
FAY = "+12125550127"
STRANGER, ERASED = "+12125550125", "+12125550126"
TILE = 256


@dataclass
class WholeLedger:
    """A data folder and its database, of a service that has stopped."""

    folder: Path
    url: str | None
    organisations: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(data=self.folder, database_url=self.url)

    @property
    def file(self) -> Path:
        """Where SQLite keeps it."""
        return self.folder / "cleartosend.sqlite3"

    def engine(self) -> sa.Engine:
        """Of its owner, who may write."""
        return open_engine(self.url or f"sqlite:///{self.file}")

    def inspect(self) -> list[Damage]:
        """What ``ledger fsck`` finds."""
        with inspection(self.settings) as look:
            return list(look.damages(lambda _: None))


class Sites:
    """Whole ledgers on one of the databases: made once, copied, and dropped at the end."""

    def __init__(self, stack: ExitStack, home: Path, server: PostgresServer | None) -> None:
        self._stack = stack
        self._home = home
        self._server = server
        self._count = 0

    def make(self) -> WholeLedger:
        """A new one, through the service."""
        ledger = self.empty()
        asyncio.run(_fill(ledger))
        return ledger

    def empty(self) -> WholeLedger:
        """One in which nothing has happened yet."""
        ledger = WholeLedger(self.folder(), self._database("template0"))
        ledger.folder.mkdir(mode=0o700)
        return ledger

    def copy(self, ledger: WholeLedger) -> WholeLedger:
        """One like it, to be broken: folder, vault and database."""
        folder = self.folder()
        shutil.copytree(ledger.folder, folder, ignore=shutil.ignore_patterns("*.sock", "lock"))
        url = None if ledger.url is None else self.copy_database(ledger.url)
        return WholeLedger(folder, url, ledger.organisations)

    def copy_database(self, url: str) -> str:
        """A copy of a database of PostgreSQL that nobody has open; give its URL."""
        copied = self._database(sa.make_url(url).database or "")
        assert copied is not None, "SQLite's is a file"
        return copied

    def folder(self) -> Path:
        """A path that nothing lies at yet."""
        self._count += 1
        return self._home / f"ledger-{self._count}"

    def _database(self, template: str) -> str | None:
        if self._server is None:
            return None
        return self._stack.enter_context(self._server.database(template))


async def _fill(ledger: WholeLedger) -> None:
    async with running_service(ledger.folder, database_url=ledger.url) as service:
        first = await service.new_organisation("Acme Inc")
        second = await service.new_organisation("Beta Inc")
        ledger.organisations += [first, second]
        for organisation in ledger.organisations:
            await service.put_sender(organisation)
            await load_register(service, organisation)
        await service.as_(first, Role.AUDITOR)
        asked = Caller(service, first)
        for address in (ANN, BOB, EVE, ERASED):
            await asked.grant(address)
        await asked.many(_grants(BOB, TILE))
        await asked.stop(BOB)
        await asked.stop(ERASED)
        await asked.erase(ERASED)
        await asked.stop(EVE, channel="sms")
        held = {"event": "hold", "text": "what is this"}
        await asked.post("/v1/consent-events", {"address": DAN, "sender": "acme", **held})
        checked = await asked.check(ANN)
        assert checked["verdict"] == "allow", checked
        await asked.post(f"/v1/checks/{checked['id']}/sent", {})
        await asked.check(STRANGER)
        await asked.check(ANN)
        await asked.ask("/v1/opt-outs", {"address": "carl@example.com"}, once="row-12")
        await asked.post("/v1/subjects/lookup", {"address": ANN})
        await asked.post("/v1/subjects/link", {"addresses": [DAN, FAY]})
        other = Caller(service, second)
        await other.grant(ANN)
        await other.stop(EVE)
        await service.signer.sign_grown()


async def load_register(service: TestService, organisation: str) -> None:
    """Load the national register, without which no text message may go."""
    loaded = await service.operator.put(
        "/v1/registries/us-national-dnc/snapshots/2026-11-01",
        content=b"address\n+12125550199\n",
        headers={"X-Organisation": organisation},
    )
    assert loaded.status_code == 200, loaded.text


class Caller:
    """Asks the service for one organisation, and takes nothing but what was wanted."""

    def __init__(self, service: TestService, organisation: str) -> None:
        self.service = service
        self.organisation = organisation

    async def ask(self, path: str, body: object, *, once: str | None = None) -> httpx.Response:
        headers = {"X-Organisation": self.organisation}
        if once is not None:
            headers["Idempotency-Key"] = once
        return await self.service.operator.post(path, json=body, headers=headers)

    async def post(self, path: str, body: object) -> dict[str, Any]:
        answer = await self.ask(path, body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def grant(self, address: str, **particulars: object) -> dict[str, Any]:
        return await self.post("/v1/consent-events", _grant(address) | particulars)

    async def many(self, events: Iterable[dict[str, object]]) -> None:
        answer = await self.post("/v1/consent-events", {"events": list(events)})
        assert all("id" in one for one in answer["results"]), answer

    async def stop(self, address: str, **scope: object) -> dict[str, Any]:
        return await self.post("/v1/opt-outs", {"address": address, "via": "link", **scope})

    async def erase(self, address: str) -> dict[str, Any]:
        return await self.post("/v1/subjects/erase", {"address": address, "why": "request 117"})

    async def check(self, address: str) -> dict[str, Any]:
        return await self.post("/v1/checks", a_check(address))


def a_check(address: str) -> dict[str, object]:
    """May Acme advertise to this address?"""
    channel = "email" if "@" in address else "sms"
    text = "Acme: 20% off today. Reply STOP to opt out."
    message = {"channel": channel, "purpose": "marketing", "text": text, "from": "+12125550100"}
    recipient = {"address": address, "region": "US-NY"}
    return {"sender": "acme", "recipient": recipient, "message": message}


def _grant(address: str) -> dict[str, object]:
    return {
        "address": address,
        "sender": "acme",
        "event": "grant",
        "at": "2026-01-05T10:00:00-05:00",
        "channel": "email" if "@" in address else "sms",
        "purpose": "marketing",
        "level": "express_written",
    }


def _grants(address: str, count: int) -> Iterable[dict[str, object]]:
    return [_grant(address) for _ in range(count)]
