"""The root key under a real Transit engine: OpenBao's, which speaks as Vault does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consent.keys.errors import KeyStoreError
from consent.keys.key_ring import KeyRing
from consent.keys.providers import RootKeyPlace
from consent.keys.rotate_root import rotate_root
from consent.keys.sealing import KeyKind
from consent.keys.vault_transit import VaultTransitKey
from tests.support.openbao import TOKEN, OpenBao, openbao

pytestmark = pytest.mark.slow

NOVEMBER = datetime(2026, 11, 21, tzinfo=UTC)
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with openbao(tmp_path_factory.mktemp("openbao"), "cleartosend", "other") as running:
        yield running


def key_at(server: OpenBao, name: str = "cleartosend", token: str = TOKEN) -> VaultTransitKey:
    return VaultTransitKey(f"{server.mount}/{name}", token=token)


def test_what_was_wrapped_opens_in_its_own_context_only(server: OpenBao) -> None:
    wrapped = key_at(server).wrap(KEY, b"root")
    assert wrapped.startswith(b"vault:v1:")
    assert KEY not in wrapped
    assert key_at(server).unwrap(wrapped, b"root") == KEY
    assert key_at(server).unwrap(wrapped, b"toor") is None
    assert key_at(server, "other").unwrap(wrapped, b"root") is None
    assert key_at(server).unwrap(b"vault:v1:" + bytes(8), b"root") is None


def test_a_key_rotated_there_still_opens_what_it_wrapped(server: OpenBao) -> None:
    wrapped = key_at(server).wrap(KEY, b"root")
    server.write("transit/keys/cleartosend/rotate")
    assert key_at(server).unwrap(wrapped, b"root") == KEY
    assert key_at(server).wrap(KEY, b"root").startswith(b"vault:v2:")


def test_a_token_that_may_not_is_named(server: OpenBao) -> None:
    with pytest.raises(KeyStoreError, match="cannot be used: Vault answers 403"):
        key_at(server, token="s.nobody").wrap(KEY, b"root")
    nobody = server.write("auth/token/create", {"policies": ["default"], "ttl": "1h"})
    token = str(nobody["auth"]["client_token"])
    with pytest.raises(KeyStoreError, match="Vault answers 403"):
        key_at(server, token=token).unwrap(b"vault:v1:AAAA", b"root")


def test_a_ledger_whose_root_key_lies_there_opens_again(server: OpenBao, tmp_path: Path) -> None:
    environ = {"VAULT_TOKEN": TOKEN}
    there = RootKeyPlace(f"vault:{server.mount}/cleartosend", tmp_path, environ)
    made = KeyRing.create(tmp_path, at=NOVEMBER, root=there)
    made.add_organisation("org_a", at=NOVEMBER)
    sealed = made.seal("org_a", KeyKind.STANDING, b"history", at=NOVEMBER)
    again = KeyRing.open(tmp_path, root=there)
    assert again.open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"

    setting = f"vault:{server.mount}/other"
    rotate_root(there, RootKeyPlace(setting, tmp_path, environ, is_next=True), tmp_path)
    moved = KeyRing.open(tmp_path, root=RootKeyPlace(setting, tmp_path, environ))
    assert moved.open_sealed("org_a", KeyKind.STANDING, sealed) == b"history"
    with pytest.raises(KeyStoreError, match="is wrapped by vault:"):
        KeyRing.open(tmp_path, root=there)
