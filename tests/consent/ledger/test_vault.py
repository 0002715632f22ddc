"""The vault: what it keeps, and how it names what is wrong with it."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.ledger import checkpoints
from consent.ledger.checkpoints import Checkpoint, SignedCheckpoint
from consent.ledger.errors import VaultError
from consent.ledger.leaf import Log
from consent.ledger.vault import Vault
from tests.support.ledgers import NOW

KEY = Ed25519PrivateKey.generate()
PLACE = ("org_a", Log.CONSENT)


def signed(size: int, *, log: Log = Log.CONSENT, origin: str = "example.com/a") -> SignedCheckpoint:
    note = checkpoints.sign(Checkpoint(origin, size, bytes(32)), [KEY])
    return SignedCheckpoint("org_a", log, size, note, NOW + timedelta(seconds=size))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "vault", "l" * 32)


def test_the_last_checkpoint_of_each_log_is_kept(vault: Vault) -> None:
    put = [signed(1), signed(1, log=Log.RULES)]
    assert vault.put_many(put) == put
    assert vault.put_many([signed(7)]) == [signed(7)]
    again = Vault.open(vault.root)
    assert again.ledger_id == "l" * 32
    assert again.last() == {PLACE: signed(7).note, ("org_a", Log.RULES): put[1].note}
    assert again.last_of("org_a", Log.ACCESS) is None
    assert [one.size for one in again.history()] == [1, 1, 7]


def test_it_never_goes_back_but_for_a_fork(vault: Vault) -> None:
    vault.put_many([signed(7)])
    assert vault.put_many([signed(6), signed(7), signed(9, origin="example.com/b")]) == []
    fork = signed(3, origin="example.com/a/fork-1")
    assert vault.put_many([fork], fork=True) == [fork]
    assert vault.last() == {PLACE: fork.note}
    assert [one.note for one in vault.history()] == [signed(7).note, fork.note]


def test_what_the_ledger_goes_on_without_is_set_aside(vault: Vault) -> None:
    vault.put_many([signed(7)])
    vault.retire("org_a", Log.CONSENT, at=NOW)
    assert vault.last() == {}
    assert [one.size for one in vault.history()] == [7]


def test_a_line_that_a_crash_cut_swallows_no_other(vault: Vault) -> None:
    vault.put_many([signed(1)])
    (history,) = vault.root.glob("history-*")
    whole = history.read_bytes()
    history.write_bytes(whole + whole[:40])
    vault.put_many([signed(2)])
    assert [one.size for one in vault.history()] == [1, 2]


def test_everything_is_for_its_owner_only(vault: Vault) -> None:
    vault.put_many([signed(1)])
    for path in (vault.root, *vault.root.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_is_wrong_is_named(vault: Vault, tmp_path: Path) -> None:
    vault.put_many([signed(1)])
    mark, note = vault.root / "vault.json", vault.root / "last" / "org_a-consent"
    kept = mark.read_bytes()
    wrong: list[tuple[Path, Callable[[], object], Callable[[], object], str]] = [
        (note, lambda: note.chmod(0o644), lambda: note.chmod(0o600), "open to other users"),
        (note, lambda: note.write_text("no"), lambda: note.write_text(signed(1).note), "damaged"),
        (mark, lambda: mark.chmod(0o640), lambda: mark.chmod(0o600), "open to other users"),
        (mark, lambda: mark.write_text("{}"), lambda: mark.write_bytes(kept), "damaged"),
        (mark, lambda: mark.rename(tmp_path / "m"), lambda: None, "is missing"),
    ]
    for path, break_it, mend, why in wrong:
        break_it()
        with pytest.raises(VaultError, match=why) as refused:
            Vault.open(vault.root).last()
        assert str(path) in refused.value.detail
        mend()


def test_one_is_never_made_over_another(vault: Vault) -> None:
    assert Vault.exists(vault.root)
    assert not Vault.exists(vault.root / "nothing")
    with pytest.raises(VaultError, match="not empty"):
        Vault.create(vault.root, "m" * 32)


def test_a_folder_that_cannot_be_written_is_named(vault: Vault) -> None:
    # A file in its place, since root may write into any folder.
    shutil.rmtree(vault.root)
    vault.root.write_text("", encoding="utf-8")
    with pytest.raises(VaultError, match="cannot be written"):
        vault.put_many([signed(1)])
