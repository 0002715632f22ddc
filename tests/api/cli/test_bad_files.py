"""Files of keys and of the vault that are not as they were: each is named, and nothing written."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.commands import Ran, command

pytestmark = pytest.mark.slow

KEYS = ("root.key", "keys.json", "log_keys.json")
JOURNAL = ("vault/erasures", "erasures.head")
CONSENT, RULES = "vault/last/{}-consent", "vault/last/{}-rules"
MARK, HISTORY = "vault/vault.json", "vault/history"
DATABASE = "cleartosend.sqlite3"
DAMAGED, UNREADABLE = 1, 3


class Folders(NamedTuple):
    """A data folder in which somebody was erased, and that of another ledger."""

    ours: Path
    theirs: Path

    def names(self, folder: Path) -> dict[str, Path]:
        """The files of a folder, by the same name in each."""
        organisation = next((folder / "vault" / "last").iterdir()).name.partition("-")[0]
        history = next(folder.glob("vault/history-*"))
        last = {name: folder / name.format(organisation) for name in (CONSENT, RULES)}
        plain = {name: folder / name for name in (*KEYS, *JOURNAL, MARK, DATABASE)}
        return {**plain, **last, HISTORY: history}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    folders = Folders(*(tmp_path_factory.mktemp("made") / name for name in ("ours", "theirs")))
    for folder in folders:
        assert command("init", "--data", folder).code == 0
        assert erase(folder).code == 0
        assert fsck(folder).record["damages"] == 0
    return folders


@pytest.fixture
def folders(made: Folders, tmp_path: Path) -> Folders:
    shutil.copytree(made.ours, tmp_path / "ours")
    return Folders(tmp_path / "ours", made.theirs)


def erase(folder: Path, address: str = "+12125550101") -> Ran:
    return command("erase", "--address", address, "--why", "request 117", "--data", folder)


def fsck(folder: Path) -> Ran:
    return command("ledger", "fsck", "--data", folder)


def contents(folder: Path) -> Mapping[Path, tuple[str, int]]:
    """Every file by its digest and mode, but for locks and what SQLite puts beside its file."""
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("lock", "-shm", "-wal"))
    }


def refused(folders: Folders, code: int, *told: str) -> None:
    """``fsck`` ends with that code, an erasure is not done, both say why, and nothing changes."""
    before = contents(folders.ours)
    looked, asked = fsck(folders.ours), erase(folders.ours)
    assert (looked.code, asked.code) == (code, UNREADABLE)
    for ran in (looked, asked):
        for part in told:
            assert part in ran.err + ran.out, (part, ran)
    assert contents(folders.ours) == before


def be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", [*KEYS, MARK])
def test_what_is_missing_is_named(folders: Folders, name: str) -> None:
    path = folders.names(folders.ours)[name]
    path.unlink()
    refused(folders, UNREADABLE, f"{path} is missing")


def test_a_checkpoint_of_the_vault_that_is_missing_is_named(folders: Folders) -> None:
    folders.names(folders.ours)[CONSENT].unlink()
    refused(folders, DAMAGED, "the vault has log consent of", "at size 0")


def test_a_journal_that_is_missing_is_named(folders: Folders) -> None:
    path = folders.names(folders.ours)["vault/erasures"]
    path.unlink()
    refused(folders, DAMAGED, str(path))


def test_a_head_of_the_journal_that_is_missing_is_named(folders: Folders) -> None:
    path = folders.names(folders.ours)["erasures.head"]
    path.unlink()
    looked = fsck(folders.ours)
    assert looked.code == DAMAGED
    assert f"{path} is missing" in looked.out
    # It only counts: nobody is kept from being erased by it.
    assert erase(folders.ours, "+12125550102").code == 0
    assert fsck(folders.ours).code == 0


@pytest.mark.parametrize("name", [*KEYS, *JOURNAL, MARK, CONSENT, RULES])
@pytest.mark.parametrize(
    ("spoil", "why"),
    [(be_a_folder, "Is a directory"), (lambda path: path.chmod(0o644), "is open to other users")],
)
def test_what_cannot_be_read_or_may_be_by_others_is_named(
    folders: Folders, name: str, spoil: Callable[[Path], object], why: str
) -> None:
    path = folders.names(folders.ours)[name]
    spoil(path)
    refused(folders, UNREADABLE, str(path), why)


@pytest.mark.parametrize("name", [*KEYS, *JOURNAL, MARK, CONSENT, RULES])
@pytest.mark.parametrize("content", [b"", b"\xff\x00 nothing of ours"])
def test_what_is_no_file_of_ours_is_named(folders: Folders, name: str, content: bytes) -> None:
    path = folders.names(folders.ours)[name]
    path.write_bytes(content)
    refused(folders, DAMAGED if name in JOURNAL else UNREADABLE, str(path))


@pytest.mark.parametrize(
    ("names", "code", "why"),
    [
        *(((name,), UNREADABLE, "the root key is of another ledger") for name in KEYS),
        (KEYS, DAMAGED, "is of another ledger"),
        ((DATABASE,), DAMAGED, "the database is of another ledger"),
        ((DATABASE, *KEYS), DAMAGED, "is of another ledger"),
        ((MARK,), DAMAGED, "is of another ledger"),
        ((CONSENT,), DAMAGED, "was not signed by this ledger"),
        *(((name,), DAMAGED, "is of another ledger") for name in JOURNAL),
    ],
)
def test_what_is_of_another_ledger_is_named(
    folders: Folders, names: tuple[str, ...], code: int, why: str
) -> None:
    ours, theirs = folders.names(folders.ours), folders.names(folders.theirs)
    for name in names:
        shutil.copyfile(theirs[name], ours[name])
    refused(folders, code, why)


def test_a_history_that_is_not_of_this_ledger_is_named(folders: Folders) -> None:
    ours, theirs = folders.names(folders.ours), folders.names(folders.theirs)
    for spoil, code, why in (
        (lambda path: path.write_bytes(b"nothing of ours\n"), DAMAGED, "is no checkpoint"),
        (lambda path: shutil.copyfile(theirs[HISTORY], path), DAMAGED, "was not signed by this"),
        (lambda path: path.chmod(0o644), UNREADABLE, "is open to other users"),
        (be_a_folder, UNREADABLE, "Is a directory"),
    ):
        spoil(ours[HISTORY])
        before = contents(folders.ours)
        looked = fsck(folders.ours)
        assert looked.code == code, looked
        assert why in looked.out + looked.err
        assert contents(folders.ours) == before
