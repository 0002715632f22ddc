"""Retention: by setting and by law, ended with proof, and told from damage."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.operations.upkeep.retain import RetentionKeeper
from api.roles import Role
from audit.tables import decision_alias
from consent import retention
from consent.fsck.damage import Damage, Kind
from consent.fsck.ledger import inspect_organisation
from consent.keys.errors import UnknownKeyError
from consent.keys.sealing import KeyKind
from consent.ledger.entries import read_entries
from consent.ledger.leaf import Log, decode_leaf
from consent.retention import RetentionSetting
from tests.support.clock import FixedClock
from tests.support.service import TestService, running_service, the_law

FIRST = datetime(2026, 11, 20, 17, tzinfo=UTC)
MONTH = 202611
SMS = {"channel": "sms", "purpose": "marketing", "text": "Acme: sale. Reply STOP."}
VOICE = {"channel": "voice", "purpose": "marketing"}


@dataclass
class Desk:
    """An admin of one organisation, and what lets go of its decisions."""

    service: TestService
    organisation: str
    headers: dict[str, str]

    @property
    def keeper(self) -> RetentionKeeper:
        components = self.service.components
        return RetentionKeeper(components.keys, the_law(), components.erasures)

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.service.client.request(method, path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def check(self, message: dict[str, Any], address: str = "+12125550123") -> str:
        body = {"sender": "acme", "recipient": {"address": address}, "message": message}
        return str((await self.ask("POST", "/v1/checks", body))["id"])

    async def keep(self) -> list[str]:
        told = await self.keeper.keep(self.service.components.service, self.organisation)
        return [one.month for one in told]

    async def look(self, month: str = "2026-11", *, dry_run: bool = True) -> Any:
        body = {"month": month, "dry_run": dry_run}
        return await self.ask("POST", "/v1/retention/months", body)

    def damages(self) -> list[Damage]:
        def inspect(connection: sa.Connection) -> list[Damage]:
            found = inspect_organisation(
                connection,
                self.organisation,
                keys=self.service.components.keys,
                progress=lambda _: None,
            )
            return list(found)

        return self.service.components.service.reader.run_here(inspect)

    def at(self, year: int, month: int) -> None:
        clock: FixedClock = self.service.clock
        clock.move(datetime(year, month, 2, tzinfo=UTC) - clock.now())


@asynccontextmanager
async def desk_in(folder: Path, url: str | None = None) -> AsyncIterator[Desk]:
    async with running_service(folder, database_url=url) as service:
        organisation = await service.new_organisation()
        await service.put_sender(organisation)
        yield Desk(service, organisation, await service.as_(organisation, Role.ADMIN))


def test_a_month_goes_when_setting_and_law_let_it_and_says_so(
    tmp_path: Path, database_url: str
) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with desk_in(tmp_path, url) as desk:
            id_ = await desk.check(SMS)
            setting = await desk.ask("PUT", "/v1/retention", {"decision_months": 2})
            assert (setting["decision_months"], setting["months"]) == (2, ["2026-11"])
            desk.service.clock.move(datetime(2027, 1, 31, 23, 59, tzinfo=UTC) - FIRST)
            assert (await desk.look())["due"] is False
            assert await desk.keep() == []
            desk.service.clock.move(timedelta(minutes=1))
            told = await desk.look()
            assert (told["due"], told["kept_until"]) == (True, "2027-02-01T00:00:00Z")
            assert await desk.ask("GET", f"/v1/checks/{id_}")
            assert await desk.keep() == ["2026-11"]
            answer = await desk.ask("GET", f"/v1/checks/{id_}", status=410)
            assert answer["code"] == "decision_expired"
            keys = desk.service.components.keys
            with pytest.raises(UnknownKeyError):
                keys.opening_key(desk.organisation, KeyKind.DECISION, MONTH)
            told = await desk.look()
            assert (told["expired_at"], told["index"]) == ("2027-02-01T00:00:00Z", 1)
            assert await desk.keep() == []
            assert desk.damages() == []
            leaf = _leaf(desk, Log.DECISIONS, 1)
            assert (leaf.type, leaf.commit) == ("expiry", None)
            assert leaf.statement == {
                "destroyed": "decision 202611",
                "law_months": 0,
                "setting": setting["index"],
                "setting_months": 2,
            }
            assert _leaf(desk, Log.RULES, setting["index"]).statement == {"decision_months": 2}
            assert _aliases(desk) == 0

    asyncio.run(scenario())


def test_the_longest_law_that_binds_a_decision_of_the_month_holds_all_of_it(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            for message in (SMS, VOICE, SMS):
                await desk.check(message)
            await desk.ask("PUT", "/v1/retention", {"decision_months": 1})
            desk.at(2031, 11)
            told = await desk.look()
            assert (told["due"], told["held_until"]) == (False, "2031-12-01T00:00:00Z")
            assert (told["held_by"]["months"], told["held_by"]["jurisdiction"]) == (60, "US")
            assert told["held_by"]["cite"].startswith("16 CFR 310")
            assert await desk.keep() == []
            refused = await desk.ask(
                "POST", "/v1/keys/destruction", {"kind": "decision", "month": "2026-11"}, status=409
            )
            assert "2031-12-01" in refused["detail"]
            assert desk.service.components.keys.versions_of(desk.organisation, KeyKind.DECISION)
            desk.at(2031, 12)
            assert await desk.keep() == ["2026-11"]
            statement = _leaf(desk, Log.DECISIONS, 3).statement
            assert statement is not None
            assert statement["law_months"] == 60

    asyncio.run(scenario())


def test_a_place_from_a_month_that_is_gone_is_taken_as_it_was_told(tmp_path: Path) -> None:
    """Two checks a few minutes apart, and midnight of the last of the month between them."""

    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            grant = {
                "address": "+12125550123",
                "sender": "acme",
                "event": "grant",
                "channel": "sms",
                "purpose": "marketing",
                "level": "express_written",
            }
            await desk.ask("POST", "/v1/consent-events", grant, status=201)
            clock: FixedClock = desk.service.clock
            clock.move(datetime(2026, 11, 30, 23, 57, tzinfo=UTC) - clock.now())
            await desk.check(SMS)
            clock.move(timedelta(minutes=5))
            later = await desk.check(SMS)
            told = await desk.ask("POST", f"/v1/checks/{later}/replay")
            assert (told["same"], told["proof"]["history"]) == (True, "complete")
            await desk.ask("PUT", "/v1/retention", {"decision_months": 1})
            desk.at(2027, 1)
            assert await desk.keep() == ["2026-11"]
            told = await desk.ask("POST", f"/v1/checks/{later}/replay")
            assert told["differed"] == []
            assert (told["same"], told["proof"]["history"]) == (True, "named")

    asyncio.run(scenario())


def test_without_a_setting_everything_is_kept_until_somebody_asks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            await desk.check(SMS)
            desk.at(2040, 1)
            assert await desk.keep() == []
            assert (await desk.look(dry_run=False))["due"] is False
            body = {"kind": "decision", "month": "2026-11"}
            gone = await desk.ask("POST", "/v1/keys/destruction", body)
            assert gone == {"destroyed": [{"kind": "decision", "version": MONTH}]}
            assert (await desk.ask("POST", "/v1/keys/destruction", body)) == {"destroyed": []}
            leaf = _leaf(desk, Log.DECISIONS, 1)
            assert leaf.statement == {"destroyed": "decision 202611", "law_months": 0}
            assert leaf.actor is not None
            assert desk.damages() == []
            for_good = await desk.ask("PUT", "/v1/retention", {"decision_months": None})
            assert (for_good["decision_months"], for_good["index"]) == (None, 1)

    asyncio.run(scenario())


def test_the_present_month_and_the_last_are_never_let_go(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            await desk.check(SMS)
            await desk.ask("PUT", "/v1/retention", {"decision_months": 1})
            assert (await desk.look(dry_run=False))["due"] is False
            desk.at(2026, 12)
            assert (await desk.look(dry_run=False))["due"] is False
            body = {"kind": "decision", "month": "2026-11"}
            await desk.ask("POST", "/v1/keys/destruction", body, status=409)

    asyncio.run(scenario())


def test_a_key_that_is_lost_is_damage_and_one_that_came_back_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            await desk.check(SMS)
            await desk.check(SMS)
            await desk.ask("PUT", "/v1/retention", {"decision_months": 1})
            keys = desk.service.components.keys
            store = tmp_path / "keys.json"
            shutil.copyfile(store, tmp_path / "keys.before")
            desk.at(2027, 3)
            keys.destroy(desk.organisation, KeyKind.DECISION, [MONTH])
            (lost,) = desk.damages()
            assert (lost.kind, lost.log, lost.index) == (Kind.KEY, Log.DECISIONS, 0)
            shutil.copyfile(tmp_path / "keys.before", store)
            keys._look_again()
            assert await desk.keep() == ["2026-11"]
            assert desk.damages() == []
            shutil.copyfile(tmp_path / "keys.before", store)
            keys._look_again()
            (back,) = desk.damages()
            assert (back.kind, back.index) == (Kind.KEY, 2)
            # What was broken off between the entry and the key is ended at the next look.
            assert await desk.keep() == []
            assert desk.damages() == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("PUT", "/v1/retention", {}, "decision_months"),
        ("PUT", "/v1/retention", {"decision_months": 0}, "decision_months"),
        ("PUT", "/v1/retention", {"decision_months": 1201}, "decision_months"),
        ("PUT", "/v1/retention", {"decision_months": "36"}, "decision_months"),
        ("PUT", "/v1/retention", {"decision_months": 36, "years": 3}, "years"),
        ("POST", "/v1/retention/months", {"month": "2026-13"}, "month"),
        ("POST", "/v1/retention/months", {"month": 202611}, "month"),
        ("POST", "/v1/retention/months", {"month": "2026-11", "dry_run": "no"}, "dry_run"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, method: str, path: str, body: dict[str, Any], pointer: str
) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            answer = await desk.ask(method, path, body, status=400)
            assert pointer in str(answer), answer

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("month", "months", "until"),
    [
        (202611, 1, "2027-01-01"),
        (202612, 12, "2028-01-01"),
        (202402, 36, "2027-03-01"),
    ],
)
def test_months_are_counted_from_the_end_of_their_own(month: int, months: int, until: str) -> None:
    assert retention.kept_until(month, months).date().isoformat() == until


def test_the_same_setting_twice_is_one_entry(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            first = await desk.ask("PUT", "/v1/retention", {"decision_months": 24})
            again = await desk.ask("PUT", "/v1/retention", {"decision_months": 24})
            other = await desk.ask("PUT", "/v1/retention", {"decision_months": 36})
            assert first["index"] == again["index"] == other["index"] - 1
            told = await desk.ask("GET", "/v1/retention")
            assert told["decision_months"] == 36
            assert told["longest_duty"]["months"] == 120

    asyncio.run(scenario())
    assert RetentionSetting().decision_months is None


def _leaf(desk: Desk, log: Log, index: int) -> Any:
    def read(connection: sa.Connection) -> Any:
        (entry,) = read_entries(connection, desk.organisation, log, index, index + 1)
        return decode_leaf(entry.leaf)

    return desk.service.components.service.reader.run_here(read)


def _aliases(desk: Desk) -> int:
    counted = sa.select(sa.func.count()).select_from(decision_alias)
    return desk.service.components.service.reader.run_here(
        lambda connection: int(connection.execute(counted).scalar_one())
    )
