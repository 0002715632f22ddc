"""The root key: a file that nobody but its owner may read. It wraps what the key store holds."""

import hmac
import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from consent.keys.errors import KeyStoreError
from consent.keys.sealing import KEY_SIZE, NONCE_SIZE

_LINE = re.compile(rb"[0-9a-f]{64}\n?")


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
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeyStoreError(f"{path} is there already: it is never overwritten") from None
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    @classmethod
    def read(cls, path: Path) -> "RootKey":
        """Read a root key. ``KeyStoreError``: missing, unreadable, open to others, or malformed."""
        content = read_private(path)
        if not _LINE.fullmatch(content):
            raise KeyStoreError(
                f"{path} is no root key: it holds one line of 64 hexadecimal digits"
            )
        return cls(bytes.fromhex(content.decode()))

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
