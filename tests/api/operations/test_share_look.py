"""Several processes find in a ledger what one finds, and none of them ends unseen."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.errors import StoreUnavailableError
from api.operations.upkeep.check_ledger import inspection
from api.settings import Settings
from consent.fsck.damage import Damage
from consent.keys.errors import KeyStoreError
from consent.ledger import tables
from consent.tables import standing, suppression
from tests.support.databases import BACKENDS, open_engine
from tests.support.service import running_service
from tests.support.tampering import take_guards_away

PEOPLE = 5
LATER = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Site:
    """A data folder and its database, of a service that has stopped."""

    settings: Settings

    def inspect(self, processes: int) -> tuple[list[Damage], int, int]:
        """What is found, in one order; how much was done, and how much there was to be done."""
        done: list[int] = []
        with inspection(self.settings, processes=processes) as look:
            damages = list(look.damages(done.append))
        return sorted(damages, key=repr), sum(done), look.total

    def break_it(self, *statements: sa.Executable) -> None:
        file = self.settings.data / "cleartosend.sqlite3"
        engine = open_engine(self.settings.database_url or f"sqlite:///{file}")
        with engine.begin() as connection:
            take_guards_away(connection)
            for statement in statements:
                assert connection.execute(statement).rowcount != 0, "the fault did not happen"
        engine.dispose()


@pytest.fixture(params=BACKENDS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """One where two organisations were told to stop by a few people each."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database("template0"))
        asyncio.run(_fill(folder, url))
        yield Site(Settings(data=folder, database_url=url))


async def _fill(folder: Path, url: str | None) -> None:
    async with running_service(folder, database_url=url) as service:
        for _ in range(2):
            headers = {"X-Organisation": await service.new_organisation()}
            for person in range(PEOPLE):
                told = {"address": f"person{person}@example.com"}
                answer = await service.operator.post("/v1/opt-outs", json=told, headers=headers)
                assert answer.status_code == 201, answer.text


def test_several_processes_find_what_one_finds(site: Site) -> None:
    damages, done, total = site.inspect(1)
    assert (damages, done) == ([], total)
    assert site.inspect(3) == (damages, done, total)
    entry, of_nobody = tables.log_entry.c, {"organisation": "nobody", "log": "consent", "size": 1}
    site.break_it(
        sa.delete(tables.log_entry).where(entry.log == "consent", entry.idx == 1),
        sa.delete(suppression).where(suppression.c.idx == 2),
        sa.delete(standing).where(standing.c.head_seq == 1),
        sa.insert(tables.checkpoint).values(**of_nobody, signed_at=LATER, note="no"),
    )
    damages, done, total = site.inspect(1)
    kinds = {damage.kind.value for damage in damages}
    expected = {"gap", "subject", "alias", "suppression", "standing", "checkpoint"}
    assert kinds - {"guard"} == expected
    assert len({damage.organisation for damage in damages} - {None}) == 2
    assert site.inspect(2) == (damages, done, total)


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_process_without_keys_says_why(site: Site) -> None:
    with inspection(site.settings, processes=2) as look:
        (site.settings.data / "keys.json").rename(site.settings.data / "away.json")
        with pytest.raises(KeyStoreError, match="is missing"):
            list(look.damages(lambda _: None))


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_a_process_that_ends_is_no_clean_ledger(site: Site) -> None:
    def end_them(_: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()
            process.join()

    with (
        inspection(site.settings, processes=2) as look,
        pytest.raises(StoreUnavailableError, match="has ended"),
    ):
        list(look.damages(end_them))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_signed_during_a_look_is_no_rollback(tmp_path: Path, processes: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    assert asyncio.run(_found_meanwhile(folder, processes)) == []


async def _found_meanwhile(folder: Path, processes: int) -> list[Damage]:
    async with running_service(folder) as service:
        headers = {"X-Organisation": await service.new_organisation()}

        async def stop(address: str) -> None:
            given = {"address": address}
            answer = await service.operator.post("/v1/opt-outs", json=given, headers=headers)
            assert answer.status_code == 201
            await service.signer.sign_grown()

        await stop("before@example.com")
        with inspection(Settings(data=folder), processes=processes) as look:
            await stop("meanwhile@example.com")
            return await asyncio.to_thread(lambda: list(look.damages(lambda _: None)))
