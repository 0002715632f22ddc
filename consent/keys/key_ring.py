"""The key ring: every key of the installation, in memory, opened once at start.

What is monthly is named by its month (``202611``) and made when the month's first value is
sealed; it is on disk, fsynced, before anything lies under it. Older months open what they
sealed for as long as they are kept.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.keys.sealing import KeyKind, SealingKey
from consent.ledger.leaf import Log


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A new subject key: for use, and wrapped for ``subject_key``."""

    key: SealingKey
    wrapping_key_version: int
    wrapped: bytes


class KeyRing:
    """All keys. Safe to use from several threads; passed to those who need it."""

    @classmethod
    def create(cls, folder: Path, *, at: datetime) -> "KeyRing":
        """Make root key, key store and log keys of a new ledger in ``folder``.

        ``KeyStoreError``: there is one already; nothing is ever overwritten.
        """

    @classmethod
    def open(cls, folder: Path) -> "KeyRing":
        """Open the keys in ``folder``. ``KeyStoreError`` says what is wrong with which file."""

    @property
    def ledger_id(self) -> str:
        """32 hexadecimal digits, drawn when the ledger was made: a part of each log's origin."""

    def add_organisation(self, organisation: str, *, at: datetime) -> None:
        """Make the keys of a new organisation. Does nothing where they are there already."""

    def sealing_key(self, organisation: str, kind: KeyKind, *, at: datetime) -> SealingKey:
        """The key to seal with: for a monthly kind that of ``at``'s month, else the newest."""

    def opening_key(self, organisation: str, kind: KeyKind, version: int) -> SealingKey:
        """The key of that version. ``UnknownKeyError``: never made, or destroyed."""

    def seal(
        self, organisation: str, kind: KeyKind, plaintext: bytes, *context: bytes, at: datetime
    ) -> bytes:
        """Seal a value of the organisation's, bound to ``context``. See ``sealing.seal``."""

    def open_sealed(
        self, organisation: str, kind: KeyKind, sealed: bytes, *context: bytes
    ) -> bytes:
        """Open what ``seal`` made, with the key version that it names."""

    def new_subject_key(self, organisation: str, subject: bytes, version: int) -> SubjectKey:
        """Make a person's data key, wrapped under the newest organisation key."""

    def unwrap_subject_key(
        self, organisation: str, subject: bytes, version: int, wrapped: bytes
    ) -> SealingKey:
        """Unwrap a person's data key. It is not kept: erasing must leave none behind."""

    def index_version(self, organisation: str) -> int:
        """The newest version of the blind index, under which aliases are made."""

    def blind_index(
        self, organisation: str, spelling: str, *, version: int | None = None
    ) -> bytes:
        """16 bytes by which an address is looked up. ``spelling`` is normalised already."""

    def token_version(self, organisation: str) -> int:
        """The newest version of the suppression key, under which tokens are made."""

    def token_versions(self, organisation: str) -> tuple[int, ...]:
        """Every version whose tokens may be on record, oldest first."""

    def suppression_token(
        self, organisation: str, spelling: str, *, version: int | None = None
    ) -> bytes:
        """16 bytes that stand for an address that must not be messaged, also after erasure."""

    def log_key(self, organisation: str, log: Log) -> Ed25519PrivateKey:
        """The newest key that signs this log's checkpoints."""

    def permit_key(self) -> tuple[str, Ed25519PrivateKey]:
        """The id (``kid``) and the key that sign permits."""

    def permit_public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Every key under which a permit may still be out, by its id."""
