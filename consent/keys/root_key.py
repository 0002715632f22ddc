"""The root key: it wraps what the key store holds.

It is 256 bits in memory. Where they come from is a provider's business: a file or a variable
holds them, or a key service outside this machine unwraps them, once at each start.
"""

import hmac
import os
import re
import stat
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from consent.keys.errors import KeyStoreError
from consent.keys.sealing import KEY_SIZE, NONCE_SIZE

_DIGITS = re.compile(r"[0-9a-f]{64}")


class WrappingKey(Protocol):
    """A key that wraps another one and never leaves where it is kept."""

    @property
    def key_id(self) -> str:
        """Which key it is; no secret."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Wrap ``key``, bound to ``context``. ``KeyStoreError``: it cannot be had, or will not."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes | None:
        """Unwrap what ``wrap`` made. None: it was changed, is bound to something else, or is
        another key's. ``KeyStoreError``: the key cannot be had, or will not."""


class RootKey:
    """Wraps and unwraps, and tells by ``key_id`` which root key it is, without showing it."""

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_SIZE, "a root key has 256 bits"
        self.key_id = hmac.digest(key, b"cleartosend/root-key-id", "sha256")[:8].hex()
        self._cipher = AESGCMSIV(key)

    @classmethod
    def create(cls, path: Path) -> "RootKey":
        """Draw a root key and write it, readable by its owner only. Never over another."""
        key = os.urandom(KEY_SIZE)
        write_private(path, key.hex().encode() + b"\n")
        return cls(key)

    @classmethod
    def read(cls, path: Path) -> "RootKey":
        """Read a root key. ``KeyStoreError``: missing, unreadable, open to others, or malformed."""
        content = read_private(path).decode("ascii", "replace")
        return cls.parse(content.removesuffix("\n"), where=str(path))

    @classmethod
    def parse(cls, text: str, *, where: str) -> "RootKey":
        """Read the 64 hexadecimal digits of a root key; ``where`` names their place in errors."""
        if not _DIGITS.fullmatch(text):
            raise KeyStoreError(
                f"{where} is no root key: it holds one line of 64 hexadecimal digits"
            )
        return cls(bytes.fromhex(text))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Wrap ``key``, bound to ``context``."""
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes | None:
        """Unwrap what ``wrap`` made. None: it was changed, or is bound to something else."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], context)
        except (InvalidTag, ValueError):
            return None


def write_private(path: Path, content: bytes) -> None:
    """Write a new file that only its owner may read, whole and on disk before this returns."""
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        write_whole(beside, content)
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            raise
        except OSError:  # Not every file system has hard links.
            write_whole(path, content)
        finally:
            beside.unlink()
        sync_folder(path.parent)
    except FileExistsError:
        raise KeyStoreError(f"{path} is there already: it is never overwritten") from None
    except OSError as error:
        raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a new file for its owner only, and have it on disk. What cannot be whole is not there.

    ``FileExistsError``: something is there, be it a link; it stays as it is.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """Have the folder's entries on disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: Path) -> bytes:
    """Read a file that only its owner may read, and refuse it where others may as well."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyStoreError(f"{path} is not a file")
            if mode & 0o077:
                raise KeyStoreError(f"{path} is open to other users: chmod 600 {path.name}")
            return file.read()
    except FileNotFoundError:
        raise KeyStoreError(f"{path} is missing: without it nothing can be read") from None
    except OSError as error:
        raise KeyStoreError(f"{path} cannot be read: {error.strerror}") from None
