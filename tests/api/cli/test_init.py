"""``init``: all of it, or nothing, and never over another."""

from pathlib import Path

import pytest

from tests.support.commands import command
from tests.support.databases import PostgresServer


def test_it_makes_a_folder_for_its_owner_and_prints_the_admin_key_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    made = command("init", "--data", folder).record
    assert list(made) == ["organisation", "admin_key"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [path for path in folder.rglob("*") if path.stat().st_mode & 0o077]
    assert command("organisations", "list", "--data", folder).record["id"] == made["organisation"]
    key = command("keys", "list", "--data", folder).record
    assert key["roles"] == ["admin"]
    assert made["admin_key"].startswith(key["prefix"])


def test_it_takes_an_empty_folder_and_closes_it_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert command("init", "--data", tmp_path).code == 0
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_it_refuses_a_folder_that_is_there_and_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert command("init", "--data", folder).code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    refused = command("init", "--data", folder)
    assert refused.code == 3
    assert refused.out == ""
    assert refused.err == (f"cleartosend: {folder} is a data folder already; nothing was changed\n")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_it_refuses_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("Dear Ada")
    refused = command("init", "--data", tmp_path)
    assert refused.code == 3
    assert "something else" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_what_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    nobody = f"postgresql://nobody@/none?host={tmp_path}"
    refused = command("init", "--data", folder, "--database-url", nobody)
    assert refused.code == 3
    assert "database" in refused.err
    assert not folder.exists()
    # The name is refused by the route, after folder, keys and database were made.
    refused = command("init", "--data", folder, "--person", "ada@example.com")
    assert refused.code == 2
    assert not folder.exists()


@pytest.mark.slow
def test_what_a_database_rests_on_is_never_removed(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    folder = tmp_path / "data"
    with postgres_server.database("template0") as url:
        where = ("--data", folder, "--database-url", url)
        # The name is refused by the route, after the organisation was committed.
        refused = command("init", *where, "--person", "ada@example.com")
        assert refused.code == 2
        assert f"{folder} is kept" in refused.err
        assert command("organisations", "list", *where).record["name"] == "First organisation"
        made = command("keys", "create", "--role", "admin", "--person", "Ada", *where)
        assert made.code == 0
        assert command("ledger", "fsck", *where).record["damages"] == 0


def test_what_a_vault_elsewhere_rests_on_is_never_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    monkeypatch.setenv("CLEARTOSEND_VAULT", str(tmp_path / "vault"))
    refused = command("init", "--data", folder, "--person", "ada@example.com")
    assert refused.code == 2
    assert f"{folder} is kept" in refused.err
    made = command("keys", "create", "--role", "admin", "--person", "Ada", "--data", folder)
    assert made.code == 0
    other = command("init", "--data", tmp_path / "other")
    assert other.code == 3
    assert "is of a ledger whose keys are not in" in other.err
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_on_postgresql_and_never_over_another_ledger(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with postgres_server.database("template0") as url:
        where = ("--data", tmp_path / "data", "--database-url", url)
        made = command("init", *where).record
        assert command("organisations", "list", *where).record["id"] == made["organisation"]
        assert not (tmp_path / "data" / "cleartosend.sqlite3").exists()
        refused = command("init", "--data", tmp_path / "other", "--database-url", url)
        assert refused.code == 3
        assert "holds a ledger" in refused.err
        assert not (tmp_path / "other").exists()
