"""``ledger``, with a service running and without."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consent.ledger.checkpoints import read_unverified
from tests.support.commands import command


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder that nobody serves."""
    made = tmp_path / "data"
    assert command("init", "--data", made).code == 0
    return made


def test_a_whole_ledger_is_looked_through(folder: Path) -> None:
    for tail in ((), ("--tail", 5)):
        record = command("ledger", "fsck", *tail, "--data", folder).record
        assert record["damages"] == 0
        assert record["done"] >= 1
    shown = command("ledger", "fsck", "--data", folder, on_terminal=True)
    assert shown.code == 0
    assert "damages: none" in shown.out


def test_checkpoints_are_printed(folder: Path) -> None:
    (rules,) = command("ledger", "checkpoint", "--data", folder).records
    assert (rules["log"], rules["size"]) == ("rules", 1)
    assert read_unverified(rules["note"]).size == 1
    assert rules["verifier_keys"][0].startswith(read_unverified(rules["note"]).origin)
    shown = command("ledger", "checkpoint", "--data", folder, on_terminal=True).out
    assert rules["note"] in shown


def test_damage_is_named_and_is_1(alone: Path) -> None:
    with closing(sqlite3.connect(alone / "cleartosend.sqlite3")) as database, database:
        database.execute("DROP TRIGGER log_entry_refuses_update")
        database.execute("UPDATE log_entry SET leaf = x'7b7d'")
    ran = command("ledger", "fsck", "--data", alone)
    assert ran.code == 1
    guard, damage, *_, summary = ran.records
    assert guard["kind"] == "guard"
    assert (damage["log"], damage["index"], damage["kind"]) == ("rules", 0, "leaf")
    assert summary["damages"] == len(ran.records) - 1
    shown = command("ledger", "fsck", "--data", alone, on_terminal=True)
    assert "rules at 0: leaf" in shown.out
    refused = command("organisations", "create", "Beta", "--data", alone)
    assert refused.code == 3
    assert "open for reading only" in refused.err


@pytest.mark.parametrize("act", ["fsck", "rebuild", "fork --reason why", "checkpoint"])
def test_what_cannot_be_looked_at_is_3(alone: Path, act: str) -> None:
    before = contents(alone)
    for name in ("vault", "root.key"):
        away = alone.parent / name
        shutil.move(alone / name, away)
        ran = command("ledger", *act.split(" ", 2), "--data", alone)
        assert (ran.code, ran.out) == (3, "")
        assert f"{alone / name}" in ran.err
        assert "is missing" in ran.err
        shutil.move(away, alone / name)
    assert contents(alone) == before


def test_nothing_is_rebuilt_under_a_running_service(folder: Path) -> None:
    ran = command("ledger", "rebuild", "--data", folder)
    if ran.code == 0:
        assert ran.record["unreadable"] == 0
    else:
        assert ran.code == 3
        assert "held by a running service" in ran.err


def test_a_fork_needs_a_reason_and_a_need(alone: Path) -> None:
    assert command("ledger", "fork", "--data", alone).code == 2
    ran = command("ledger", "fork", "--reason", "why not", "--data", alone)
    assert ran.code == 3
    assert "no need" in ran.err


def contents(folder: Path) -> list[str]:
    """What lies in a folder, but for its lock and what SQLite puts beside a file that it reads."""
    return sorted(
        path.name
        for path in folder.rglob("*")
        if path.name != "lock" and not path.name.endswith(("-shm", "-wal"))
    )
