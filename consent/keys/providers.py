"""Where the root key is kept, as the setting ``root_key`` says, and how it is made and opened.

``file:`` (in the data folder) or ``file:<path>``, ``env:<VARIABLE>``, ``aws-kms:<key id>`` and
``vault:<url>/<name>``. With the last two the data folder holds the root key wrapped by a key that
never leaves the service; it is unwrapped once at each start.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from consent.keys.aws_kms import AwsKmsKey
from consent.keys.errors import KeyStoreError
from consent.keys.root_key import RootKey, WrappingKey, read_private, write_private
from consent.keys.sealing import KEY_SIZE
from consent.keys.vault_transit import VaultTransitKey

ROOT_KEY_FILE = "root.key"
WRAPPED_FILE = "root.wrapped"
IN_FOLDER = "file:"
"""The setting's default: a file of its own in the data folder."""

_CONTEXT = b"cleartosend/root-key"


class _Wrapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root key as it lies in the data folder, and which key opens it."""

    v: int
    key_id: str
    wrapped: str


class RootKeyPlace:
    """One place where a root key is, or is to be. ``environ``: variables that may hold secrets.

    ``is_next``: a new key in the same place, for now in a file beside the old one's.
    """

    def __init__(
        self, setting: str, folder: Path, environ: Mapping[str, str], *, is_next: bool = False
    ) -> None:
        self._kind, _, self._rest = setting.partition(":")
        if self._kind not in ("file", "env", "aws-kms", "vault") or (
            self._kind != "file" and not self._rest
        ):
            raise KeyStoreError(
                "root_key is file:, file:<path>, env:<VARIABLE>, aws-kms:<key id> or"
                " vault:<url>/<name>"
            )
        self._environ = environ
        name = WRAPPED_FILE if self._kind in ("aws-kms", "vault") else ROOT_KEY_FILE
        here = Path(self._rest) if self._kind == "file" and self._rest else folder / name
        self.beside = here.with_name(f"{here.name}.next")
        self.path = self.beside if is_next else here

    @property
    def is_filed(self) -> bool:
        """Whether it stands in a file of ours, wrapped or as it is."""
        return self._kind != "env"

    def create(self) -> RootKey:
        """Make a root key there. Never over another; one in a variable is made by who sets it."""
        if self._kind == "file":
            return RootKey.create(self.path)
        if self._kind == "env":
            return self.open()
        wrapping = self._wrapping_key()
        key = os.urandom(KEY_SIZE)
        wrapped = base64.b64encode(wrapping.wrap(key, _CONTEXT)).decode()
        content = msgspec.json.encode(_Wrapped(1, wrapping.key_id, wrapped))
        write_private(self.path, msgspec.json.format(content) + b"\n")
        return RootKey(key)

    def exists(self) -> bool:
        """Whether there is anything; one in a variable is nobody's business until it is read."""
        return self.is_filed and self.path.exists()

    def open(self) -> RootKey:
        """Open it. ``KeyStoreError`` says what is missing, or cannot be reached."""
        if self._kind == "file":
            return RootKey.read(self.path)
        if self._kind == "env":
            text = self._environ.get(self._rest)
            if text is None:
                raise KeyStoreError(f"the variable {self._rest} is missing: it holds the root key")
            return RootKey.parse(text.strip(), where=f"the variable {self._rest}")
        return self._unwrapped()

    def _unwrapped(self) -> RootKey:
        content = read_private(self.path)
        try:
            stored = msgspec.json.decode(content, type=_Wrapped)
            wrapped = base64.b64decode(stored.wrapped, validate=True)
        except (msgspec.DecodeError, ValueError):
            raise KeyStoreError(f"{self.path} is no wrapped root key, or is damaged") from None
        wrapping = self._wrapping_key()
        if stored.key_id != wrapping.key_id:
            raise KeyStoreError(
                f"{self.path} is wrapped by {stored.key_id}, and root_key names {wrapping.key_id}"
            )
        key = wrapping.unwrap(wrapped, _CONTEXT)
        if key is None or len(key) != KEY_SIZE:
            raise KeyStoreError(
                f"{self.path} does not open under {stored.key_id}: it is damaged, or that key is"
                " another one"
            )
        return RootKey(key)

    def _wrapping_key(self) -> WrappingKey:
        if self._kind == "aws-kms":
            return AwsKmsKey(self._rest)
        return VaultTransitKey(
            self._rest,
            token=self._environ.get("VAULT_TOKEN"),
            namespace=self._environ.get("VAULT_NAMESPACE"),
        )
