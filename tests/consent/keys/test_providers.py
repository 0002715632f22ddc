"""Root keys in every place: the same promises, and a clear word when one cannot be had."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consent.keys.errors import KeyStoreError
from consent.keys.key_ring import KeyRing
from consent.keys.providers import RootKeyPlace
from consent.keys.rotate_root import rotate_root
from consent.keys.sealing import KeyKind
from tests.support.full_disk import files_up_to
from tests.support.transit import TOKEN, Transit, transit

NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC)
ENVIRON = {"ROOT": "5e" * 32, "OTHER": "0f" * 32, "VAULT_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def kms() -> Iterator[Any]:
    """Moto's server speaks the protocol of KMS on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("AWS_ENDPOINT_URL_KMS", f"http://{host}:{port}")
        variables.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        variables.setenv("AWS_ACCESS_KEY_ID", "testing")
        variables.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        variables.setenv("AWS_EC2_METADATA_DISABLED", "true")
        import boto3

        yield boto3.client("kms")
    server.stop()


@pytest.fixture
def vault() -> Iterator[Transit]:
    with transit("cleartosend", "other") as server:
        yield server


def a_key_of(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


@pytest.fixture(params=["file", "file elsewhere", "env", "aws-kms", "vault"])
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file elsewhere":
        (tmp_path / "apart").mkdir()
        return f"file:{tmp_path / 'apart' / 'key'}"
    if request.param == "aws-kms":
        return f"aws-kms:{a_key_of(request.getfixturevalue('kms'))}"
    if request.param == "vault":
        return f"vault:{request.getfixturevalue('vault').mount}/cleartosend"
    return "file:" if request.param == "file" else "env:ROOT"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


def place(
    setting: str, folder: Path, *, environ: Mapping[str, str] = ENVIRON, is_next: bool = False
) -> RootKeyPlace:
    return RootKeyPlace(setting, folder, environ, is_next=is_next)


def test_what_was_sealed_opens_after_a_restart(setting: str, folder: Path) -> None:
    before = KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    before.add_organisation("org_a", at=NOVEMBER)
    sealed = before.seal("org_a", KeyKind.STANDING, b"history", at=NOVEMBER)
    after = KeyRing.open(folder, root=place(setting, folder))
    assert after.open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"


def test_no_file_in_the_folder_holds_a_key_that_is_kept_elsewhere(
    setting: str, folder: Path
) -> None:
    KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    assert (folder / "root.key").exists() is (setting == "file:")
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert ENVIRON["ROOT"].encode() not in path.read_bytes()


def test_a_root_key_is_never_made_over_another(setting: str, folder: Path) -> None:
    KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyStoreError, match="never overwritten"):
        KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("to", ["file:", "env:OTHER", "aws-kms", "vault"])
def test_another_root_key_rewraps_and_the_old_one_is_gone(
    setting: str, to: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    if to == "aws-kms":
        to = f"aws-kms:{a_key_of(request.getfixturevalue('kms'))}"
    if to == "vault":
        to = f"vault:{request.getfixturevalue('vault').mount}/other"
    old = place(setting, folder)
    ring = KeyRing.create(folder, at=NOVEMBER, root=old)
    ring.add_organisation("org_a", at=NOVEMBER)
    sealed = ring.seal("org_a", KeyKind.STANDING, b"history", at=NOVEMBER)
    same_place = place(to, folder).path == old.path
    rotate_root(old, place(to, folder, is_next=same_place), folder)
    after = KeyRing.open(folder, root=place(to, folder))
    assert after.open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"
    assert not list(folder.glob("*.next"))
    if setting != to:
        with pytest.raises(KeyStoreError):
            KeyRing.open(folder, root=place(setting, folder))


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_rotation_that_was_broken_off_is_ended_by_doing_it_again(folder: Path, done: int) -> None:
    from consent.keys.key_ring import KEY_STORE_FILE, LOG_KEY_FILE
    from consent.keys.key_store import KeyStore

    old, new = place("file:", folder), place("file:", folder, is_next=True)
    ring = KeyRing.create(folder, at=NOVEMBER)
    ring.add_organisation("org_a", at=NOVEMBER)
    sealed = ring.seal("org_a", KeyKind.STANDING, b"history", at=NOVEMBER)
    made = new.create()
    for name in (KEY_STORE_FILE, LOG_KEY_FILE)[:done]:
        KeyStore.open(folder / name, old.open()).rewrap(made)
    with pytest.raises(KeyStoreError, match="keys rotate --root"):
        KeyRing.open(folder)
    assert rotate_root(old, new, folder) == made.key_id
    assert KeyRing.open(folder).open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"


@pytest.mark.parametrize("room", [0, 10, 64, 70, 500])
def test_a_rotation_on_a_full_disk_is_not_begun(folder: Path, room: int) -> None:
    old, new = place("file:", folder), place("file:", folder, is_next=True)
    KeyRing.create(folder, at=NOVEMBER).add_organisation("org_a", at=NOVEMBER)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with files_up_to(room), pytest.raises(KeyStoreError, match="cannot be written: File too large"):
        rotate_root(old, new, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert KeyRing.open(folder).organisations == {"org_a"}
    rotate_root(old, new, folder)
    assert KeyRing.open(folder).organisations == {"org_a"}


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("env:NOWHERE", "the variable NOWHERE is missing"),
        ("env:VAULT_TOKEN", "64 hexadecimal digits"),
        ("env:", "root_key is"),
        ("safe:deposit", "root_key is"),
        ("vault:cleartosend", "url of the Transit mount"),
        ("vault:http://127.0.0.1:1/v1/transit/cleartosend", "cannot be used"),
    ],
)
def test_what_cannot_be_had_is_named(setting: str, says: str, folder: Path) -> None:
    with pytest.raises(KeyStoreError, match=says):
        KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    assert list(folder.iterdir()) == []


def test_a_wrong_token_an_unknown_key_and_a_lost_key_open_nothing(
    vault: Transit, folder: Path
) -> None:
    setting = f"vault:{vault.mount}/cleartosend"
    KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    for environ, says in (({"VAULT_TOKEN": "s.wrong"}, "answers 403"), ({}, "needs VAULT_TOKEN")):
        with pytest.raises(KeyStoreError, match=says):
            KeyRing.open(folder, root=place(setting, folder, environ=environ))
    with pytest.raises(KeyStoreError, match="is wrapped by"):
        KeyRing.open(folder, root=place(f"vault:{vault.mount}/other", folder))
    vault.keys["cleartosend"] = bytes(32)
    with pytest.raises(KeyStoreError, match="does not open"):
        KeyRing.open(folder, root=place(setting, folder))


def test_vault_is_asked_once_a_start(vault: Transit, folder: Path) -> None:
    setting = f"vault:{vault.mount}/cleartosend"
    ring = KeyRing.create(folder, at=NOVEMBER, root=place(setting, folder))
    ring.add_organisation("org_a", at=NOVEMBER)
    vault.asked.clear()
    KeyRing.open(folder, root=place(setting, folder)).seal(
        "org_a", KeyKind.DECISION, b"text", at=NOVEMBER
    )
    assert vault.asked == ["/v1/transit/decrypt/cleartosend"]


def test_a_key_that_kms_has_disabled_opens_nothing(kms: Any, folder: Path) -> None:
    key = a_key_of(kms)
    KeyRing.create(folder, at=NOVEMBER, root=place(f"aws-kms:{key}", folder))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    wrapped = folder / "root.wrapped"
    with pytest.raises(KeyStoreError, match="aws-kms"):
        KeyRing.open(folder, root=place("aws-kms:00000000-0000-0000-0000-000000000000", folder))
    damaged = wrapped.read_bytes().replace(b'"wrapped": "', b'"wrapped": "AAAA')
    wrapped.write_bytes(damaged)
    with pytest.raises(KeyStoreError, match=r"does not open|cannot be used"):
        KeyRing.open(folder, root=place(f"aws-kms:{key}", folder))
