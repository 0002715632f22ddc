"""On a disk that takes no more a command ends in one line and 3, and leaves what there is."""

import hashlib
from pathlib import Path

import pytest

from tests.support.commands import command
from tests.support.full_disk import files_up_to

pytestmark = pytest.mark.slow

ROOM = 64
"""A lock fits; neither a root key does, nor anything else."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "data"
    assert command("init", "--data", folder).code == 0
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        "keys rotate",
        "keys rotate --index",
        "keys rotate --log",
        "keys rotate --root",
        "keys create --role sender --person Ada",
        "erase --address +12125550101 --why request",
        "ledger rebuild",
        "organisations create Beta",
    ],
)
def test_what_finds_no_room_changes_nothing(made: Path, arguments: str) -> None:
    before = contents(made)
    with files_up_to(ROOM):
        ran = command(*arguments.split(), "--data", made)
    assert ran.code == 3, ran
    assert "Traceback" not in ran.err
    assert ran.err.splitlines()[-1].startswith("cleartosend: ")
    assert contents(made) == before
    assert command("ledger", "fsck", "--data", made).record["damages"] == 0


def test_nothing_is_left_of_a_folder_that_found_no_room(tmp_path: Path) -> None:
    with files_up_to(ROOM):
        ran = command("init", "--data", tmp_path / "data")
    assert ran.code == 3
    assert "cannot be written" in ran.err
    assert not (tmp_path / "data").exists()


def contents(folder: Path) -> dict[Path, str]:
    """Every file by its digest, but for locks and what SQLite puts beside its file."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("lock", "-shm", "-wal"))
    }
