"""The key store: a file of wrapped keys in the data folder, outside the database.

An old backup of the database holds wrapped subject keys. What opened them lies here, so that
destroying a key here reaches into every backup of the database.
"""

import base64
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from consent.keys.errors import KeyStoreError
from consent.keys.root_key import RootKey, read_private, sync_folder, write_whole
from consent.keys.sealing import framed

FORMAT_VERSION = 1


class KeyName(msgspec.Struct, frozen=True, order=True):
    """Which key: whose (empty: the installation's), what for, and which version."""

    organisation: str
    kind: str
    version: int


Keys = Mapping[KeyName, bytes]


class _WrappedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    organisation: str
    kind: str
    version: int
    wrapped: str


class _StoreFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    ledger: str
    root_key_id: str
    keys: list[_WrappedKey]
    destroyed: list[KeyName] = []


class KeyStore:
    """One file of wrapped keys. Every write is whole and on disk before it returns."""

    def __init__(self, path: Path, root: RootKey, ledger_id: str) -> None:
        self.path = path
        self.ledger_id = ledger_id
        self._root = root

    @classmethod
    def create(cls, path: Path, root: RootKey, ledger_id: str) -> "KeyStore":
        """Make an empty store. ``KeyStoreError``: there is one already."""
        store = cls(path, root, ledger_id)
        with store._locked():
            if path.exists():
                raise KeyStoreError(f"{path} is there already: it is never overwritten")
            store._write({}, ())
        return store

    @classmethod
    def open(cls, path: Path, root: RootKey, *, ledger_id: str | None = None) -> "KeyStore":
        """Open a store. ``KeyStoreError``: unreadable, or of another ledger than the rest."""
        found = _decode(path)
        if found.root_key_id != root.key_id:
            raise KeyStoreError(
                f"the root key is of another ledger: {path} asks for {found.root_key_id},"
                f" and this one is {root.key_id}"
            )
        store = cls(path, root, ledger_id or found.ledger)
        store._refuse_another_ledger(found)
        return store

    @staticmethod
    def root_key_id_of(path: Path) -> str:
        """Which root key the store at ``path`` asks for."""
        return _decode(path).root_key_id

    def read(self) -> dict[KeyName, bytes]:
        """Unwrap every key of the store."""
        found = _decode(self.path)
        self._refuse_another_ledger(found)
        return {
            (name := KeyName(key.organisation, key.kind, key.version)): self._unwrap(name, key)
            for key in found.keys
        }

    def change(self, make: Callable[[Keys], Keys]) -> dict[KeyName, bytes]:
        """Replace the keys by ``make(keys)``, alone among all processes; give what is there now.

        The old file stays until the new one is on disk, so a crash leaves the one or the other.
        What ``make`` leaves out is destroyed, and no key of that name is ever made again.
        """
        with self._locked():
            before = self.read()
            destroyed = set(_decode(self.path).destroyed)
            after = {name: key for name, key in make(before).items() if name not in destroyed}
            if after != before:
                self._write(after, destroyed | (before.keys() - after.keys()))
            return after

    def stamp(self) -> object:
        """What differs after any process has changed the store."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise KeyStoreError(f"{self.path} cannot be read: {error.strerror}") from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def rewrap(self, root: RootKey) -> None:
        """Wrap every key under another root key, whole or not at all."""
        with self._locked():
            keys, destroyed = self.read(), set(_decode(self.path).destroyed)
            self._root = root
            self._write(keys, destroyed)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out: two that make the same month's key must agree on one."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeyStoreError(f"{lock} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _refuse_another_ledger(self, found: _StoreFile) -> None:
        if found.ledger != self.ledger_id:
            raise KeyStoreError(
                f"{self.path} is of another ledger: {found.ledger}, and here it is {self.ledger_id}"
            )

    def _write(self, keys: Keys, destroyed: Iterable[KeyName]) -> None:
        wrapped = [
            _WrappedKey(name.organisation, name.kind, name.version, self._wrap(name, key))
            for name, key in sorted(keys.items())
        ]
        content = _StoreFile(
            FORMAT_VERSION, self.ledger_id, self._root.key_id, wrapped, sorted(destroyed)
        )
        replace_file(self.path, msgspec.json.format(msgspec.json.encode(content)) + b"\n")

    def _wrap(self, name: KeyName, key: bytes) -> str:
        return base64.b64encode(self._root.wrap(key, self._context(name))).decode()

    def _unwrap(self, name: KeyName, stored: _WrappedKey) -> bytes:
        try:
            wrapped = base64.b64decode(stored.wrapped, validate=True)
        except ValueError:
            wrapped = b""
        key = self._root.unwrap(wrapped, self._context(name))
        if key is None:
            raise KeyStoreError(
                f"{self.path} is damaged: the {name.kind} key {name.version} of"
                f" {name.organisation or 'the installation'} does not open"
            )
        return key

    def _context(self, name: KeyName) -> bytes:
        version = name.version.to_bytes(4, "big")
        return framed(
            b"cleartosend/key",
            self.ledger_id.encode(),
            name.organisation.encode(),
            name.kind.encode(),
            version,
        )


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole and fsynced, readable by its owner only."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)  # A crash may have left it.
        write_whole(beside, content)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from None


def _decode(path: Path) -> _StoreFile:
    content = read_private(path)
    try:
        found = msgspec.json.decode(content, type=_StoreFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyStoreError(f"{path} is no key store, or is damaged: {error}") from None
    if found.v != FORMAT_VERSION:
        raise KeyStoreError(
            f"{path} is of format {found.v}, and this release reads {FORMAT_VERSION}"
        )
    return found
