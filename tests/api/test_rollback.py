"""A database that is not the one that was signed last is read, and not written."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.upkeep.check_ledger import inspection
from api.operations.upkeep.fork_ledger import Forked, fork_ledger
from api.roles import Role
from api.settings import Settings
from consent.fsck.damage import Damage
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints, tables
from consent.ledger.entries import read_entries
from consent.ledger.errors import ForkRefusedError, ReadOnlyError, VaultError
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.vault import Vault
from tests.support.databases import BACKENDS, PostgresServer, open_engine
from tests.support.service import TestService, running_service
from tests.support.tampering import take_guards_away

LATER = datetime(2026, 11, 22, tzinfo=UTC)
OPT_OUT = {"address": "+12125550123"}
STRANGER = {"address": "+12125550199"}


@dataclass
class Installation:
    """A data folder and its database, which can be put back to an old copy."""

    folder: Path
    server: PostgresServer | None
    stack: ExitStack
    url: str | None = None
    organisation: str = ""
    copies: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(data=self.folder, database_url=self.url)

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    def engine(self) -> sa.Engine:
        engine = open_engine(self.url or f"sqlite:///{self.database}")
        self.stack.callback(engine.dispose)
        return engine

    @property
    def database(self) -> Path:
        return self.folder / "cleartosend.sqlite3"

    def copy(self) -> str:
        """Take a copy of the database, which nobody has open."""
        if self.server is None:
            copy = self.folder.parent / f"copy{len(self.copies)}"
            assert not self.database.with_name(f"{self.database.name}-wal").exists()
            shutil.copyfile(self.database, copy)
            self.copies.append(str(copy))
        else:
            name = sa.make_url(self.url or "").database or ""
            self.copies.append(self.stack.enter_context(self.server.database(name)))
        return self.copies[-1]

    def put_back(self, copy: str) -> None:
        """Restore a copy in place of what is there."""
        if self.server is None:
            for path in self.folder.glob("cleartosend.sqlite3-*"):
                path.unlink()
            shutil.copyfile(copy, self.database)
        else:
            self.url = copy

    def run(self, *opt_outs: Mapping[str, object]) -> list[int]:
        """Start the service, send these, stop it; give the statuses."""

        async def scenario() -> list[int]:
            async with running_service(self.folder, database_url=self.url) as service:
                if not self.organisation:
                    self.organisation = await service.new_organisation()
                headers = {"X-Organisation": self.organisation}
                return [
                    (
                        await service.operator.post("/v1/opt-outs", json=one, headers=headers)
                    ).status_code
                    for one in opt_outs
                ]

        return asyncio.run(scenario())

    def why_not(self) -> str:
        """What a service that must not write says of it; it must answer reads."""

        async def scenario() -> str:
            async with running_service(self.folder, database_url=self.url) as service:
                headers = {"X-Organisation": self.organisation}
                refused = await service.operator.post("/v1/opt-outs", json=OPT_OUT, headers=headers)
                assert refused.status_code == 503, refused.text
                assert refused.json()["code"] == "ledger_read_only"
                ready = await service.client.get("/health/ready")
                assert ready.status_code == 503
                await _reads_work(service, headers)
                assert ready.json()["detail"].endswith(refused.json()["detail"].partition(": ")[2])
                return str(ready.json()["detail"])

        return asyncio.run(scenario())


async def _reads_work(service: TestService, headers: dict[str, str]) -> None:
    once = {**headers, "Idempotency-Key": "again"}
    answers = [
        await service.operator.get("/v1/senders", headers=headers),
        await service.operator.get("/v1/logs", headers=headers),
        await service.operator.get("/v1/access", headers=headers),
        await service.operator.post("/v1/subjects/access", json=STRANGER, headers=once),
        await service.client.get("/health/live"),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    # Who reads whose record must be on record, too.
    lookup = await service.operator.post("/v1/subjects/lookup", json=OPT_OUT, headers=headers)
    assert lookup.status_code == 503
    assert lookup.json()["code"] in {"ledger_read_only", "persons_withheld"}


@pytest.fixture(params=BACKENDS)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """One that recorded an opt-out and was stopped."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with ExitStack() as stack:
        server = url = None
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database("template0"))
        made = Installation(folder, server, stack, url)
        assert made.run(OPT_OUT) == [201]
        yield made


def test_what_was_signed_last_goes_on(installation: Installation) -> None:
    assert installation.run(OPT_OUT, OPT_OUT) == [201, 201]
    vault = Vault.open(installation.vault)
    note = vault.last()[installation.organisation, Log.CONSENT]
    assert checkpoints.read_unverified(note).size == 3
    copy = installation.copy()
    installation.put_back(copy)
    assert installation.run(OPT_OUT) == [201]


def test_an_old_copy_is_read_only_until_it_is_forked(installation: Installation) -> None:
    old = installation.copy()
    assert installation.run(OPT_OUT) == [201]
    left_at = Vault.open(installation.vault).last()[installation.organisation, Log.CONSENT]
    installation.put_back(old)
    why = installation.why_not()
    assert f"log consent of {installation.organisation} has 1 entries, and 2 were signed" in why
    with inspection(installation.settings) as look:
        damages = list(look.damages(lambda _: None))
    assert [(one.kind.value, one.log) for one in damages] == [("vault", Log.CONSENT)]

    (forked,) = fork_ledger(installation.settings, reason="restored a backup", now=LATER)
    assert (forked.log, forked.index) == (Log.CONSENT, 1)
    assert forked.origin is not None
    assert forked.origin.endswith("/consent/fork-20261122T000000000000Z")
    assert installation.run(OPT_OUT) == [201]
    with installation.engine().begin() as connection:
        organisation = installation.organisation
        entries = read_entries(connection, organisation, Log.CONSENT, 0, 9)
        leaves = [decode_leaf(entry.leaf) for entry in entries]
        assert [leaf.type for leaf in leaves] == ["revoke", "fork", "revoke"]
        statement = leaves[1].statement
        assert statement is not None
        assert statement["checkpoint"] == left_at
        assert (statement["found_size"], statement["signed_size"]) == (1, 2)
        assert "restored" not in str(leaves[1])
        last = checkpoints.newest(connection, organisation, Log.CONSENT, size_max=99)
        assert last is not None
        assert checkpoints.read_unverified(last.note).origin == forked.origin
    with inspection(installation.settings) as look:
        assert list(look.damages(lambda _: None)) == []


def test_there_is_no_fork_without_need(installation: Installation) -> None:
    with pytest.raises(ForkRefusedError, match="no need"):
        fork_ledger(installation.settings, reason="why not", now=LATER)


def test_a_rewritten_log_is_another_root(installation: Installation) -> None:
    """The same length, built by somebody who can make everything fit but the signature."""
    old = installation.copy()
    assert installation.run(OPT_OUT) == [201]
    installation.put_back(old)
    vault = installation.vault
    kept = installation.folder.parent / "kept"
    shutil.copytree(vault, kept)
    # Let the old copy grow to the same size by another entry, with the vault out of the way.
    notes = (vault / "last").iterdir()
    for note in notes:
        if note.name.endswith("consent"):
            note.unlink()
    with installation.engine().begin() as connection:
        take_guards_away(connection)
        connection.execute(sa.delete(tables.checkpoint))
    assert installation.run({"address": "bob@example.com"}) == [201]
    shutil.rmtree(vault)
    shutil.copytree(kept, vault)
    assert "another root at size 2" in installation.why_not()
    (forked,) = fork_ledger(installation.settings, reason="rewritten", now=LATER)
    assert forked.index == 2
    assert installation.run(OPT_OUT) == [201]


def test_a_vault_that_was_put_back_is_found(installation: Installation) -> None:
    kept = installation.folder.parent / "kept"
    shutil.copytree(installation.vault, kept)
    assert installation.run(OPT_OUT) == [201]
    shutil.rmtree(installation.vault)
    shutil.copytree(kept, installation.vault)
    assert "the vault is an older copy" in installation.why_not()
    assert [one.log for one in fork_ledger(installation.settings, reason="r", now=LATER)] == [
        Log.CONSENT
    ]
    assert installation.run(OPT_OUT) == [201]


def test_a_vault_put_back_with_its_database_still_knows_by_its_history(
    installation: Installation,
) -> None:
    old, kept = installation.copy(), installation.folder.parent / "kept"
    shutil.copytree(installation.vault, kept)
    assert installation.run(OPT_OUT) == [201]
    installation.put_back(old)
    shutil.rmtree(installation.vault / "last")
    shutil.copytree(kept / "last", installation.vault / "last")
    (damage,) = _inspect(installation)
    assert damage.kind.value == "vault"
    assert "a checkpoint of size 2, and the log has 1 entries" in damage.detail
    # Nor does it help to write on: that is a second history.
    assert installation.run({"address": "bob@example.com"}) == [201]
    (damage,) = _inspect(installation)
    assert "another root at size 2" in damage.detail


def test_a_vault_of_another_ledger_is_named(installation: Installation, tmp_path: Path) -> None:
    shutil.rmtree(installation.vault)
    Vault.create(installation.vault, "f" * 32)
    assert "is of another ledger: ffff" in installation.why_not()
    with pytest.raises(ForkRefusedError, match="would not help"):
        fork_ledger(installation.settings, reason="r", now=LATER)


def test_a_ledger_that_was_used_is_not_opened_without_its_vault(
    installation: Installation,
) -> None:
    shutil.rmtree(installation.vault)
    starts: list[Callable[[], object]] = [
        installation.run,
        lambda: _inspect(installation),
        lambda: _fork(installation),
    ]
    for start in starts:
        with pytest.raises(VaultError, match=r"vault\.json is missing"):
            start()
    assert not installation.vault.exists()


def test_an_empty_database_in_place_of_the_signed_one_is_refused(
    installation: Installation,
) -> None:
    if installation.server is None:
        for path in installation.folder.glob("cleartosend.sqlite3*"):
            path.unlink()
    else:
        installation.url = installation.stack.enter_context(
            installation.server.database("template0")
        )

    with pytest.raises(ReadOnlyError, match="the database is empty, and 2 logs were signed"):
        installation.run()


def test_a_new_database_is_not_begun_with_another_ledgers_vault(tmp_path: Path) -> None:
    """A vault that a founding which failed has left behind holds no checkpoint yet."""
    tmp_path.chmod(0o700)
    Vault.create(tmp_path / "vault", "f" * 32)
    KeyRing.create(tmp_path, at=LATER)
    with pytest.raises(ReadOnlyError, match="is of another ledger: ffff"):
        asyncio.run(_started(tmp_path))
    assert not (tmp_path / "cleartosend.sqlite3").exists()


async def _started(folder: Path) -> None:
    async with running_service(folder):
        pass


def test_a_damaged_end_is_found_at_the_start(installation: Installation) -> None:
    with installation.engine().begin() as connection:
        take_guards_away(connection)
        where = tables.log_entry.c.log == "consent"
        connection.execute(sa.update(tables.log_entry).where(where).values(leaf=b"{}"))
    assert "log consent at 0" in installation.why_not()
    with pytest.raises(ForkRefusedError):
        _fork(installation)


def test_a_database_of_a_newer_schema_is_only_read(installation: Installation) -> None:
    with installation.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "schema 9999" in installation.why_not()


def test_what_the_vault_got_just_before_a_crash_is_put_on_record(
    installation: Installation,
) -> None:
    with installation.engine().begin() as connection:
        take_guards_away(connection)
        connection.execute(sa.delete(tables.checkpoint))
    installation.run()
    with installation.engine().begin() as connection:
        organisation = installation.organisation
        found = checkpoints.of_size(connection, organisation, Log.CONSENT, 1)
        assert found is not None
        last = Vault.open(installation.vault).last_of(organisation, Log.CONSENT)
        assert found.note == last


def test_a_log_cut_under_a_running_service_ends_its_writing(installation: Installation) -> None:
    async def scenario() -> None:
        folder, url = installation.folder, installation.url
        async with running_service(folder, database_url=url) as service:
            headers = await service.as_(installation.organisation, Role.ADMIN)
            with installation.engine().begin() as connection:
                cut = {"size": 0, "edge": b""}
                where = tables.log_head.c.log == "consent"
                connection.execute(sa.update(tables.log_head).where(where).values(**cut))
            await service.signer.sign_grown()
            refused = await service.client.post("/v1/opt-outs", json=OPT_OUT, headers=headers)
            assert refused.status_code == 503
            assert "it was put back while the service ran" in refused.json()["detail"]
            assert (await service.client.get("/health/ready")).status_code == 503

    asyncio.run(scenario())


def _inspect(installation: Installation) -> list[Damage]:
    with inspection(installation.settings) as look:
        return list(look.damages(lambda _: None))


def _fork(installation: Installation) -> list[Forked]:
    return fork_ledger(installation.settings, reason="r", now=LATER)
