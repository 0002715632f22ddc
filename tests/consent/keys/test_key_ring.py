"""The key ring: what it makes, keeps, finds again and refuses."""

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent.keys.errors import BrokenSealError, KeyStoreError, UnknownKeyError
from consent.keys.key_ring import KEY_STORE_FILE, LOG_KEY_FILE, ROOT_KEY_FILE, KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.leaf import Log

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
ADDRESS = "+12125550123"
FILES = (ROOT_KEY_FILE, KEY_STORE_FILE, LOG_KEY_FILE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    KeyRing.create(tmp_path, at=NOVEMBER).add_organisation("org_a", at=NOVEMBER)
    return tmp_path


def test_everything_is_found_again_after_a_restart(folder: Path) -> None:
    before = KeyRing.open(folder)
    subject_key = before.new_subject_key("org_a", b"s" * 16, 1)
    sealed = before.seal("org_a", KeyKind.STANDING, b"history", b"s", at=NOVEMBER)
    after = KeyRing.open(folder)
    assert after.ledger_id == before.ledger_id
    assert after.open_sealed("org_a", KeyKind.STANDING, sealed, b"s") == b"history"
    assert after.blind_index("org_a", ADDRESS) == before.blind_index("org_a", ADDRESS)
    assert after.suppression_token("org_a", ADDRESS) == before.suppression_token("org_a", ADDRESS)
    assert after.permit_key()[0] == before.permit_key()[0]
    unwrapped = after.unwrap_subject_key("org_a", b"s" * 16, 1, subject_key.wrapped)
    ciphertext = subject_key.key.cipher.encrypt(b"n" * 12, b"text", None)
    assert unwrapped.cipher.decrypt(b"n" * 12, ciphertext, None) == b"text"
    for log in Log:
        public = [ring.log_key("org_a", log).public_key() for ring in (before, after)]
        assert public[0] == public[1]


def test_only_the_owner_may_read_the_files(folder: Path) -> None:
    for name in FILES:
        assert (folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_file_that_others_may_touch_is_refused(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(KeyStoreError, match=f"{name} is open to other users"):
        KeyRing.open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(KeyStoreError, match=f"{name} is missing"):
        KeyRing.open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir(mode=0o700)
    with pytest.raises(KeyStoreError, match=name):
        KeyRing.open(folder)


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_file_is_named(folder: Path, name: str) -> None:
    """A link to itself cannot be read by anybody, not even by root."""
    (folder / name).unlink()
    (folder / name).symlink_to(name)
    with pytest.raises(KeyStoreError, match=f"{name} cannot be read"):
        KeyRing.open(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"00" * 31, b"00" * 33, b"zz" * 32, b"00" * 32 + b"\n\n", os.urandom(32)],
    ids=["empty", "short", "long", "no digits", "lines", "raw"],
)
def test_a_root_key_of_the_wrong_form_is_refused(folder: Path, content: bytes) -> None:
    (folder / ROOT_KEY_FILE).write_bytes(content)
    with pytest.raises(KeyStoreError, match=r"root\.key is no root key"):
        KeyRing.open(folder)


def test_the_root_key_of_another_ledger_is_refused(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    KeyRing.create(other, at=NOVEMBER)
    (folder / ROOT_KEY_FILE).write_bytes((other / ROOT_KEY_FILE).read_bytes())
    with pytest.raises(KeyStoreError, match="of another ledger"):
        KeyRing.open(folder)


@pytest.mark.parametrize("name", [KEY_STORE_FILE, LOG_KEY_FILE])
def test_a_store_of_another_ledger_is_refused(
    folder: Path, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    KeyRing.create(other, at=NOVEMBER)
    (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(KeyStoreError, match="of another ledger"):
        KeyRing.open(folder)


@pytest.mark.parametrize("name", [KEY_STORE_FILE, LOG_KEY_FILE])
@pytest.mark.parametrize("change", [(b'"wrapped": "', b'"wrapped": "AAAA'), (b"_", b"-")])
def test_a_damaged_store_is_named(folder: Path, name: str, change: tuple[bytes, bytes]) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes().replace(*change))
    with pytest.raises(KeyStoreError, match=name):
        KeyRing.open(folder)


def test_a_key_under_another_name_does_not_open(folder: Path) -> None:
    path = folder / KEY_STORE_FILE
    path.write_bytes(path.read_bytes().replace(b'"standing"', b'"decision_"', 1))
    with pytest.raises(KeyStoreError, match="is damaged"):
        KeyRing.open(folder)


def test_a_cut_store_is_named_and_not_written_over(folder: Path) -> None:
    path = folder / KEY_STORE_FILE
    path.write_bytes(path.read_bytes()[:-20])
    before = path.read_bytes()
    with pytest.raises(KeyStoreError, match="damaged"):
        KeyRing.open(folder)
    assert path.read_bytes() == before


def test_no_ledger_is_made_over_another(folder: Path) -> None:
    before = [(folder / name).read_bytes() for name in FILES]
    with pytest.raises(KeyStoreError, match="never overwritten"):
        KeyRing.create(folder, at=NOVEMBER)
    assert [(folder / name).read_bytes() for name in FILES] == before


def test_a_months_first_value_makes_the_months_key_and_keeps_the_old(folder: Path) -> None:
    ring = KeyRing.open(folder)
    old = ring.seal("org_a", KeyKind.DECISION, b"old", at=NOVEMBER)
    new = ring.seal("org_a", KeyKind.DECISION, b"new", at=DECEMBER)
    assert ring.sealing_key("org_a", KeyKind.DECISION, at=NOVEMBER).version == 202611
    assert ring.sealing_key("org_a", KeyKind.DECISION, at=DECEMBER).version == 202612
    again = KeyRing.open(folder)
    assert again.open_sealed("org_a", KeyKind.DECISION, old) == b"old"
    assert again.open_sealed("org_a", KeyKind.DECISION, new) == b"new"


def test_two_processes_agree_on_the_months_key(folder: Path) -> None:
    one, other = KeyRing.open(folder), KeyRing.open(folder)
    sealed = one.seal("org_a", KeyKind.STANDING, b"history", at=DECEMBER)
    theirs = other.seal("org_a", KeyKind.STANDING, b"theirs", at=DECEMBER)
    assert other.open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"
    assert one.open_sealed("org_a", KeyKind.STANDING, theirs) == b"theirs"
    assert KeyRing.open(folder).open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"


def test_threads_agree_on_the_months_key(folder: Path) -> None:
    rings = [KeyRing.open(folder) for _ in range(2)]
    sealed: list[bytes] = []

    def work(ring: KeyRing) -> None:
        sealed.append(ring.seal("org_a", KeyKind.DECISION, b"text", at=DECEMBER))

    threads = [threading.Thread(target=work, args=(ring,)) for ring in rings * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = KeyRing.open(folder)
    assert [again.open_sealed("org_a", KeyKind.DECISION, value) for value in sealed] == [
        b"text"
    ] * 8


def test_another_process_finds_an_organisation_that_was_added_since(folder: Path) -> None:
    ring = KeyRing.open(folder)
    KeyRing.open(folder).add_organisation("org_b", at=NOVEMBER)
    assert len(ring.blind_index("org_b", ADDRESS)) == 16
    assert ring.log_key("org_b", Log.CONSENT).sign(b"checkpoint")


def test_adding_an_organisation_again_changes_nothing(folder: Path) -> None:
    before = [(folder / name).read_bytes() for name in FILES]
    KeyRing.open(folder).add_organisation("org_a", at=NOVEMBER)
    assert [(folder / name).read_bytes() for name in FILES] == before


def test_an_unknown_organisation_has_no_keys_and_gets_none(folder: Path) -> None:
    ring = KeyRing.open(folder)
    before = (folder / KEY_STORE_FILE).read_bytes()
    with pytest.raises(UnknownKeyError):
        ring.seal("org_of_nobody", KeyKind.DECISION, b"text", at=NOVEMBER)
    with pytest.raises(UnknownKeyError):
        ring.blind_index("org_of_nobody", ADDRESS)
    assert (folder / KEY_STORE_FILE).read_bytes() == before


def test_a_destroyed_key_is_named_and_opens_nothing(folder: Path) -> None:
    sealed = KeyRing.open(folder).seal("org_a", KeyKind.DECISION, b"text", at=DECEMBER)
    other = folder / "other"
    other.mkdir()
    KeyRing.create(other, at=NOVEMBER).add_organisation("org_a", at=NOVEMBER)
    ring = KeyRing.open(other)
    with pytest.raises(UnknownKeyError, match="202612"):
        ring.open_sealed("org_a", KeyKind.DECISION, sealed)


def test_a_subject_key_opens_for_its_subject_and_version_only(folder: Path) -> None:
    ring = KeyRing.open(folder)
    ring.add_organisation("org_b", at=NOVEMBER)
    wrapped = ring.new_subject_key("org_a", b"s" * 16, 1).wrapped
    ring.unwrap_subject_key("org_a", b"s" * 16, 1, wrapped)
    for organisation, subject, version in (
        ("org_a", b"t" * 16, 1),
        ("org_a", b"s" * 16, 2),
        ("org_b", b"s" * 16, 1),
    ):
        with pytest.raises(BrokenSealError):
            ring.unwrap_subject_key(organisation, subject, version, wrapped)


def test_an_address_has_unlike_tokens_for_each_use_and_organisation(folder: Path) -> None:
    ring = KeyRing.open(folder)
    ring.add_organisation("org_b", at=NOVEMBER)
    tokens = [
        make(organisation, ADDRESS)
        for make in (ring.blind_index, ring.suppression_token)
        for organisation in ("org_a", "org_b")
    ]
    assert len(set(tokens)) == 4
    assert {len(token) for token in tokens} == {16}
    assert ring.token_versions("org_a") == (1,)
    with pytest.raises(UnknownKeyError):
        ring.blind_index("org_a", ADDRESS, version=2)


def test_a_log_has_a_key_of_its_own_in_each_organisation(folder: Path) -> None:
    ring = KeyRing.open(folder)
    ring.add_organisation("org_b", at=NOVEMBER)
    keys = {
        ring.log_key(organisation, log).public_key().public_bytes_raw()
        for organisation in ("org_a", "org_b")
        for log in Log
    }
    assert len(keys) == 8


def test_a_permits_signature_verifies_by_its_key_id(folder: Path) -> None:
    ring = KeyRing.open(folder)
    kid, key = ring.permit_key()
    ring.permit_public_keys()[kid].verify(key.sign(b"permit"), b"permit")


def test_the_files_hold_no_key_in_the_clear(folder: Path) -> None:
    ring = KeyRing.open(folder)
    stored = b"".join((folder / name).read_bytes() for name in (KEY_STORE_FILE, LOG_KEY_FILE))
    _, key = ring.permit_key()
    raw = key.private_bytes_raw()
    assert raw.hex().encode() not in stored
    assert raw not in stored
    assert (folder / ROOT_KEY_FILE).read_bytes().strip() not in stored
