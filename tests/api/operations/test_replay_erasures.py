"""The drill: restore an old copy of the database, and nobody who was erased since comes back."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.operations.replay_erasures import replay_erasures
from api.operations.upkeep.check_ledger import inspection
from api.operations.upkeep.fork_ledger import fork_ledger
from api.roles import Role
from api.settings import Settings
from audit.tables import decision_alias
from consent.erasure import Destroyed, Erasure, PastErasure
from consent.errors import ErasureJournalError
from consent.ledger import tables
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt
from tests.support import databases
from tests.support.consents import NOW
from tests.support.service import TestService, running_service

ANN, BOB, EVE = "+12125550123", "+12125550124", "eve@example.com"


@dataclass
class Site:
    """A data folder, its database, and how to take a copy of that and to put it back."""

    folder: Path
    database_url: str | None
    back_up: Callable[[], None]
    restore: Callable[[], None]

    @property
    def settings(self) -> Settings:
        """What commands are told of it."""
        return Settings(data=self.folder, database_url=self.database_url)

    def run_read_only(self, scenario: Callable[[TestService, str], Any]) -> Any:
        """The same of a copy that nothing is written to, for the operator of its organisation."""

        async def started() -> Any:
            async with running_service(self.folder, database_url=self.database_url) as service:
                known = (await service.operator.get("/v1/organisations")).json()["items"]
                return await scenario(service, known[0]["id"])

        return asyncio.run(started())

    def run(self, scenario: Callable[[TestService, "Caller"], Any]) -> Any:
        """Start the service, let ``scenario`` happen, stop it."""

        async def started() -> Any:
            async with running_service(self.folder, database_url=self.database_url) as service:
                known = (await service.operator.get("/v1/organisations")).json()["items"]
                organisation = known[0]["id"] if known else await service.new_organisation()
                if not known:
                    await service.put_sender(organisation)
                headers = await service.as_(organisation, Role.ADMIN)
                return await scenario(service, Caller(service, headers))

        return asyncio.run(started())


@dataclass
class Caller:
    """An admin of the organisation."""

    service: TestService
    headers: dict[str, str]

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self.service.client.post(path, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def grant(self, address: str) -> Any:
        at = self.service.clock.now() - timedelta(minutes=1)
        event = {
            "address": address,
            "sender": "acme",
            "event": "grant",
            "level": "express_written",
            "channel": "email" if "@" in address else "sms",
            "purpose": "marketing",
            "at": at.isoformat(),
        }
        return await self.post("/v1/consent-events", event)

    async def erase(self, address: str) -> Any:
        return await self.post("/v1/subjects/erase", {"address": address, "why": "asked"})

    async def lookup(self, address: str) -> Any:
        return await self.post("/v1/subjects/lookup", {"address": address})


async def _nobody_is_told_of(service: TestService, organisation: str) -> None:
    """An old copy cannot be written to, so who was erased since still stands in it."""
    headers = {"X-Organisation": organisation}
    for address in (ANN, BOB):
        answer = await service.operator.post(
            "/v1/subjects/lookup", json={"address": address}, headers=headers
        )
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "persons_withheld"
        assert "lacks 2 erasures" in answer.json()["detail"]
    logs = await service.operator.get("/v1/logs", headers=headers)
    assert logs.status_code == 200


@pytest.fixture(params=databases.BACKENDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    folder, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    folder.mkdir(mode=0o700)
    if request.param == "sqlite":
        database = folder / "cleartosend.sqlite3"

        def restore() -> None:
            for name in ("", "-wal", "-shm"):
                database.with_name(database.name + name).unlink(missing_ok=True)
            shutil.copyfile(copy, database)

        def back_up() -> None:
            with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(copy)) as kept:
                live.backup(kept)

        yield Site(folder, None, back_up, restore)
        return
    server: databases.PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(databases.TEMPLATE) as url:
        name = sa.make_url(url).database
        server._execute(f'DROP DATABASE IF EXISTS "{name}_copy"')

        def copied(of: str, to: str) -> Callable[[], None]:
            def copying() -> None:
                server._execute(f'DROP DATABASE IF EXISTS "{to}" WITH (FORCE)')
                server._execute(f'CREATE DATABASE "{to}" TEMPLATE "{of}"')

            return copying

        assert name is not None
        yield Site(folder, url, copied(name, f"{name}_copy"), copied(f"{name}_copy", name))
        server._execute(f'DROP DATABASE IF EXISTS "{name}_copy" WITH (FORCE)')


def test_who_was_erased_stays_erased_after_a_restore(site: Site) -> None:
    async def before(_: TestService, caller: Caller) -> None:
        await caller.grant(ANN)
        await caller.grant(BOB)

    async def after_the_backup(_: TestService, caller: Caller) -> Any:
        await caller.erase(EVE)  # Never on record.
        await caller.grant(EVE)
        return await caller.erase(ANN)

    async def restored(service: TestService, caller: Caller) -> None:
        ann = await caller.lookup(ANN)
        assert ann["subject"] is None
        assert ann["erased_at"] is not None
        assert ann["consent"] == []
        assert (await caller.lookup(EVE))["erased_at"] is not None
        bob = await caller.lookup(BOB)
        assert bob["subject"] is not None
        assert bob["erased_at"] is None
        with service.components.service.reader._engine.connect() as connection:
            for table in (tables.subject_key, tables.log_payload):
                left = connection.execute(sa.select(table.c.subject)).scalars().all()
                assert bytes.fromhex(certificate["subject"]) not in left

    site.run(before)
    site.back_up()
    certificate = site.run(after_the_backup)
    site.restore()
    site.run_read_only(_nobody_is_told_of)
    # An old copy is opened for reading only; whoever goes on from it says why.
    fork_ledger(site.settings, reason="the disk failed", now=NOW)
    site.run(restored)
    site.run(restored)  # And nothing more happens at the next start.
    with inspection(site.settings) as look:
        assert list(look.damages(lambda _: None)) == []


def test_a_month_that_was_let_go_of_stays_so_after_a_restore(site: Site) -> None:
    told: dict[str, str] = {}

    async def before(_: TestService, caller: Caller) -> None:
        check = {
            "sender": "acme",
            "recipient": {"address": ANN},
            "message": {"channel": "sms", "purpose": "marketing"},
        }
        told["id"] = (await caller.post("/v1/checks", check))["id"]

    async def after_the_backup(service: TestService, caller: Caller) -> None:
        service.clock.move(timedelta(days=120))
        body = {"kind": "decision", "month": "2026-11"}
        assert (await caller.post("/v1/keys/destruction", body))["destroyed"]

    async def restored(service: TestService, caller: Caller) -> None:
        answer = await service.client.get(f"/v1/checks/{told['id']}", headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (410, "decision_expired")
        with service.components.service.reader._engine.connect() as connection:
            assert connection.execute(sa.select(decision_alias)).all() == []

    site.run(before)
    site.back_up()
    site.run(after_the_backup)
    site.restore()
    fork_ledger(site.settings, reason="the disk failed", now=NOW)
    site.run(restored)
    site.run(restored)
    with inspection(site.settings) as look:
        assert list(look.damages(lambda _: None)) == []
        assert [[one.month for one in of] for of in look.expired.values()] == [[202611]]


def test_a_start_without_a_restore_repeats_nothing(site: Site) -> None:
    async def erasing(_: TestService, caller: Caller) -> None:
        await caller.grant(ANN)
        await caller.erase(ANN)
        await caller.grant(ANN)

    async def again(service: TestService, caller: Caller) -> None:
        made = service.components
        engine = databases.open_engine(
            site.database_url or f"sqlite:///{site.folder / 'cleartosend.sqlite3'}"
        )
        now = service.clock.now()
        assert replay_erasures(engine, made.erasures, keys=made.keys, now=now) == 0
        engine.dispose()
        assert (await caller.lookup(ANN))["subject"] is not None

    site.run(erasing)
    site.run(again)


def test_who_came_back_before_the_backup_is_left_alone(site: Site) -> None:
    """An erasure that never committed is repeated at the next start, as of when it was asked."""

    async def never_committed(service: TestService, caller: Caller) -> None:
        await caller.grant(ANN)
        await caller.erase(ANN)
        service.clock.move(timedelta(minutes=1))
        await caller.grant(ANN)
        made = service.components
        (told,) = made.erasures.read()
        # The same erasure under an id that the log does not have.
        organisation, past = told
        assert isinstance(past, PastErasure)
        event_id = uuid7(past.at)
        lost = Erasure(
            event_id=event_id,
            at=past.at,
            receipt=Receipt(event_id, Log.CONSENT, 0, bytes(32), past.at),
            repeated=False,
            subjects=past.subjects,
            blind_indexes=past.blind_indexes,
            record=past.record,
            destroyed=Destroyed(),
        )
        made.erasures.append([(organisation, lost)])

    async def later(_: TestService, caller: Caller) -> None:
        found = await caller.lookup(ANN)
        assert found["subject"] is not None
        assert [scope["purpose"] for scope in found["consent"]] == ["marketing"]

    site.run(never_committed)
    site.run(later)


def test_a_journal_that_was_cut_is_not_believed(site: Site) -> None:
    async def erasing(_: TestService, caller: Caller) -> None:
        await caller.grant(ANN)
        await caller.erase(ANN)
        await caller.erase(EVE)

    async def nothing(_: TestService, __: Caller) -> None:
        raise AssertionError("it must not start")

    site.run(erasing)
    journal = site.folder / "vault" / "erasures"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(ErasureJournalError, match="has 1 erasures, and it had 2"):
        site.run(nothing)
    # Who cuts both is found out by a database that is not older than they are.
    (site.folder / "erasures.head").unlink()
    with pytest.raises(ErasureJournalError, match="lacks 1 erasures, and the database knows"):
        site.run(nothing)


def test_without_its_journal_a_database_with_erasures_is_not_served(site: Site) -> None:
    async def erasing(_: TestService, caller: Caller) -> None:
        await caller.grant(ANN)
        await caller.erase(ANN)

    async def nothing(_: TestService, __: Caller) -> None:
        raise AssertionError("it must not start")

    site.run(erasing)
    (site.folder / "vault" / "erasures").unlink()
    with pytest.raises(ErasureJournalError, match="is missing"):
        site.run(nothing)
