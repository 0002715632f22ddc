"""What becomes of an error, whichever command it ends."""

import subprocess
from pathlib import Path

import pytest

from tests.support.commands import COMMAND, command
from tests.support.project import PROJECT


def test_a_command_that_is_not_there_is_2() -> None:
    ran = command("frobnicate")
    assert (ran.code, ran.out) == (2, "")
    assert "frobnicate" in ran.err
    assert command().code == 2
    assert command("--help").code == 0
    assert command("check", "--help").code == 0


def test_a_setting_that_is_not_one_is_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = command("keys", "list", "--data", tmp_path, "--database-url", "mysql://x")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    monkeypatch.setenv("CLEARTOSEND_COLOUR", "red")
    ran = command("keys", "list")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "CLEARTOSEND_COLOUR" in ran.err


def test_the_folder_is_a_variable_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLEARTOSEND_DATA", str(tmp_path / "data"))
    assert command("init").code == 0
    assert (tmp_path / "data" / "root.key").exists()
    assert command("keys", "list").code == 0
    # What a command is told comes before the variable.
    assert command("keys", "list", "--data", tmp_path / "none").code == 3


@pytest.mark.parametrize("name", ["root.key", "keys.json"])
def test_keys_that_cannot_be_used_are_3_in_one_line(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    assert command("init", "--data", folder).code == 0
    (folder / name).chmod(0o644)
    ran = command("keys", "list", "--data", folder)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == f"cleartosend: {folder / name} is open to other users: chmod 600 {name}\n"


def test_a_bug_of_ours_is_3_and_never_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("jurisdictions.releases.load_regulations", broken)
    assert command("rules", "check").code == 3


def test_who_stops_reading_gets_no_noise() -> None:
    """More is written than a pipe holds, and nobody reads it."""
    process = subprocess.Popen(
        [*COMMAND, "rules", "show", "us-tcpa"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert err == ""


@pytest.mark.slow
def test_a_process_that_read_the_law_ends_with_its_own_exit_code() -> None:
    """It does not end in a segmentation fault while Python takes its types apart."""
    ends = [
        subprocess.run([*COMMAND, "rules", "show", "us-tcpa"], capture_output=True, check=False)
        for _ in range(10)
    ]
    assert {end.returncode for end in ends} == {0}
