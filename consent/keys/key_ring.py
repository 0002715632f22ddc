"""The key ring: every key of the installation, in memory, opened once at start.

What is monthly is named by its month (``202611``) and made when the month's first value is
sealed; it is on disk, fsynced, before anything lies under it. Older months open what they
sealed for as long as they are kept.
"""

import hmac
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.keys import sealing
from consent.keys.errors import UnknownKeyError
from consent.keys.key_store import KeyName, Keys, KeyStore
from consent.keys.passing_keys import PassingKeyStore
from consent.keys.root_key import RootKey
from consent.keys.sealing import KEY_SIZE, KeyKind, SealingKey, framed
from consent.ledger.leaf import Log

ROOT_KEY_FILE = "root.key"
KEY_STORE_FILE = "keys.json"
LOG_KEY_FILE = "log_keys.json"

MONTHLY = frozenset(
    {
        KeyKind.STANDING,
        KeyKind.DECISION,
        KeyKind.SUPPRESSION_PAYLOAD,
        KeyKind.RECORD,
        KeyKind.DELIVERY,
        KeyKind.IDEMPOTENCY,
    }
)
NUMBERED = (KeyKind.ORGANISATION, KeyKind.INDEX, KeyKind.SUPPRESSION_TOKEN)

_KINDS = frozenset(kind.value for kind in KeyKind)

LOOKUP_SIZE = 16
NORMALISATION_VERSION = 1
"""Of ``jurisdictions/addresses.py``: other spellings need another index and other tokens."""

_INSTALLATION = ""
_PERMIT = "permit"


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A new subject key: for use, and wrapped for ``subject_key``."""

    key: SealingKey
    wrapping_key_version: int
    wrapped: bytes


class KeyRing:
    """All keys. Safe to use from several threads; passed to those who need it."""

    def __init__(self, keys: KeyStore, log_keys: KeyStore) -> None:
        self._keys = keys
        self._log_keys = log_keys
        self._lock = threading.Lock()
        self._raw: dict[KeyName, bytes] = {}
        self._sealing: dict[tuple[str, KeyKind, int], SealingKey] = {}
        self._newest: dict[tuple[str, str], int] = {}
        self._lookup: dict[tuple[str, KeyKind, int], bytes] = {}
        self._load(keys.read())
        self._load(log_keys.read())

    @classmethod
    def create(cls, folder: Path, *, at: datetime) -> "KeyRing":
        """Make root key, key store and log keys of a new ledger in ``folder``.

        ``KeyStoreError``: there is one already; nothing is ever overwritten.
        """
        root = RootKey.create(folder / ROOT_KEY_FILE)
        ledger_id = os.urandom(16).hex()
        keys = KeyStore.create(folder / KEY_STORE_FILE, root, ledger_id)
        log_keys = KeyStore.create(folder / LOG_KEY_FILE, root, ledger_id)
        keys.change(lambda before: _with_new(before, [KeyName(_INSTALLATION, _PERMIT, _month(at))]))
        return cls(keys, log_keys)

    @classmethod
    def passing(cls, *, at: datetime) -> "KeyRing":
        """Make the keys of a ledger that ends with this process; they are written nowhere."""
        ledger_id = os.urandom(16).hex()
        keys = PassingKeyStore(ledger_id)
        keys.change(lambda before: _with_new(before, [KeyName(_INSTALLATION, _PERMIT, _month(at))]))
        return cls(keys, PassingKeyStore(ledger_id))

    @classmethod
    def open(cls, folder: Path) -> "KeyRing":
        """Open the keys in ``folder``. ``KeyStoreError`` says what is wrong with which file."""
        root = RootKey.read(folder / ROOT_KEY_FILE)
        keys = KeyStore.open(folder / KEY_STORE_FILE, root)
        log_keys = KeyStore.open(folder / LOG_KEY_FILE, root, ledger_id=keys.ledger_id)
        return cls(keys, log_keys)

    @property
    def ledger_id(self) -> str:
        """32 hexadecimal digits, drawn when the ledger was made: a part of each log's origin."""
        return self._keys.ledger_id

    @property
    def organisations(self) -> frozenset[str]:
        """Everybody who has keys here."""
        return frozenset(name.organisation for name in self._raw) - {_INSTALLATION}

    def add_organisation(self, organisation: str, *, at: datetime) -> None:
        """Make the keys of a new organisation. Does nothing where they are there already."""
        assert organisation, "the empty name is the installation's own"
        logs = [KeyName(organisation, _log_kind(log), 1) for log in Log]
        numbered = [KeyName(organisation, kind.value, 1) for kind in NUMBERED]
        monthly = [KeyName(organisation, kind.value, _month(at)) for kind in MONTHLY]
        with self._lock:
            self._load(self._log_keys.change(lambda before: _with_new(before, logs)))
            self._load(self._keys.change(lambda before: _with_new(before, numbered + monthly)))

    def sealing_key(self, organisation: str, kind: KeyKind, *, at: datetime) -> SealingKey:
        """The key to seal with: for a monthly kind that of ``at``'s month, else the newest."""
        if kind not in MONTHLY:
            return self.opening_key(organisation, kind, self._newest_of(organisation, kind.value))
        month = _month(at)
        ready = self._sealing.get((organisation, kind, month))
        if ready is not None:
            return ready
        self._newest_of(organisation, kind.value)  # An unknown organisation gets no keys this way.
        name = KeyName(organisation, kind.value, month)
        with self._lock:
            self._load(self._keys.change(lambda before: _with_new(before, [name])))
        return self._sealing[organisation, kind, month]

    def opening_key(self, organisation: str, kind: KeyKind, version: int) -> SealingKey:
        """The key of that version. ``UnknownKeyError``: never made, or destroyed."""
        ready = self._sealing.get((organisation, kind, version))
        if ready is not None:
            return ready
        with self._lock:  # Another process may have made it since.
            self._load(self._keys.read())
        ready = self._sealing.get((organisation, kind, version))
        if ready is None:
            raise UnknownKeyError(f"{organisation} has no {kind} key of version {version}")
        return ready

    def seal(
        self, organisation: str, kind: KeyKind, plaintext: bytes, *context: bytes, at: datetime
    ) -> bytes:
        """Seal a value of the organisation's, bound to ``context``. See ``sealing.seal``."""
        key = self.sealing_key(organisation, kind, at=at)
        return sealing.seal(key, organisation, plaintext, *context)

    def open_sealed(
        self, organisation: str, kind: KeyKind, sealed: bytes, *context: bytes
    ) -> bytes:
        """Open what ``seal`` made, with the key version that it names."""
        key = self.opening_key(organisation, kind, sealing.key_version_of(sealed))
        return sealing.open_sealed(key, organisation, sealed, *context)

    def new_subject_key(self, organisation: str, subject: bytes, version: int) -> SubjectKey:
        """Make a person's data key, wrapped under the newest organisation key."""
        newest = self._newest_of(organisation, KeyKind.ORGANISATION.value)
        wrapping = self.opening_key(organisation, KeyKind.ORGANISATION, newest)
        key = os.urandom(KEY_SIZE)
        wrapped = sealing.seal(wrapping, organisation, key, subject, version.to_bytes(4, "big"))
        return SubjectKey(SealingKey.of(KeyKind.SUBJECT, version, key), newest, wrapped)

    def unwrap_subject_key(
        self, organisation: str, subject: bytes, version: int, wrapped: bytes
    ) -> SealingKey:
        """Unwrap a person's data key. It is not kept: erasing must leave none behind."""
        bound_to = (subject, version.to_bytes(4, "big"))
        key = self.open_sealed(organisation, KeyKind.ORGANISATION, wrapped, *bound_to)
        return SealingKey.of(KeyKind.SUBJECT, version, key)

    def index_version(self, organisation: str) -> int:
        """The newest version of the blind index, under which aliases are made."""
        return self._newest_of(organisation, KeyKind.INDEX.value)

    def blind_index(self, organisation: str, spelling: str, *, version: int | None = None) -> bytes:
        """16 bytes by which an address is looked up. ``spelling`` is normalised already."""
        return self._token(organisation, KeyKind.INDEX, spelling, version)

    def token_version(self, organisation: str) -> int:
        """The newest version of the suppression key, under which tokens are made."""
        return self._newest_of(organisation, KeyKind.SUPPRESSION_TOKEN.value)

    def token_versions(self, organisation: str) -> tuple[int, ...]:
        """Every version whose tokens may be on record, oldest first."""
        kind = KeyKind.SUPPRESSION_TOKEN.value
        names = [name for name in self._raw if name.organisation == organisation]
        return tuple(sorted(name.version for name in names if name.kind == kind))

    def suppression_token(
        self, organisation: str, spelling: str, *, version: int | None = None
    ) -> bytes:
        """16 bytes that stand for an address that must not be messaged, also after erasure."""
        return self._token(organisation, KeyKind.SUPPRESSION_TOKEN, spelling, version)

    def log_key(self, organisation: str, log: Log) -> Ed25519PrivateKey:
        """The newest key that signs this log's checkpoints."""
        kind = _log_kind(log)
        version = self._newest_of(organisation, kind)
        return Ed25519PrivateKey.from_private_bytes(self._raw[KeyName(organisation, kind, version)])

    def log_public_keys(self, organisation: str, log: Log) -> list[Ed25519PublicKey]:
        """Every key that has signed this log's checkpoints; none where the log is not known."""
        kind = _log_kind(log)
        names = sorted(name for name in self._raw if name.kind == kind)
        return [
            Ed25519PrivateKey.from_private_bytes(self._raw[name]).public_key()
            for name in names
            if name.organisation == organisation
        ]

    def permit_key(self) -> tuple[str, Ed25519PrivateKey]:
        """The id (``kid``) and the key that sign permits."""
        newest = KeyName(_INSTALLATION, _PERMIT, self._newest_of(_INSTALLATION, _PERMIT))
        key = Ed25519PrivateKey.from_private_bytes(self._raw[newest])
        return _kid_of(key.public_key()), key

    def permit_public_keys(self) -> dict[str, Ed25519PublicKey]:
        """Every key under which a permit may still be out, by its id, oldest first."""
        names = sorted(name for name in self._raw if name.kind == _PERMIT)
        keys = [
            Ed25519PrivateKey.from_private_bytes(self._raw[name]).public_key() for name in names
        ]
        return {_kid_of(key): key for key in keys}

    def _load(self, keys: Keys) -> None:
        """Take keys into memory, their ciphers set up: a cipher costs more than its use."""
        for name, key in keys.items():
            if name in self._raw:
                continue
            if name.kind in (KeyKind.INDEX, KeyKind.SUPPRESSION_TOKEN):
                kind = KeyKind(name.kind)
                self._lookup[name.organisation, kind, name.version] = _lookup_key(name, key)
            elif name.kind in _KINDS:
                kind = KeyKind(name.kind)
                ready = SealingKey.of(kind, name.version, key)
                self._sealing[name.organisation, kind, name.version] = ready
            self._raw[name] = key
            of_kind = (name.organisation, name.kind)
            self._newest[of_kind] = max(name.version, self._newest.get(of_kind, 0))

    def _newest_of(self, organisation: str, kind: str) -> int:
        newest = self._newest.get((organisation, kind))
        if newest is None:
            with self._lock:
                self._load(self._keys.read())
                self._load(self._log_keys.read())
            newest = self._newest.get((organisation, kind))
        if newest is None:
            raise UnknownKeyError(f"{organisation or 'the installation'} has no {kind} key")
        return newest

    def _token(self, organisation: str, kind: KeyKind, spelling: str, version: int | None) -> bytes:
        if version is None:
            version = self._newest_of(organisation, kind.value)
        key = self._lookup.get((organisation, kind, version))
        if key is None:
            raise UnknownKeyError(f"{organisation} has no {kind} key of version {version}")
        return hmac.digest(key, spelling.encode(), "sha256")[:LOOKUP_SIZE]


def _with_new(before: Keys, names: Iterable[KeyName]) -> Keys:
    return {name: os.urandom(KEY_SIZE) for name in names} | dict(before)


def _lookup_key(name: KeyName, seed: bytes) -> bytes:
    """Derive what looks addresses up; it is in memory only, and another one for each use."""
    info = framed(
        b"cleartosend/lookup",
        name.kind.encode(),
        name.organisation.encode(),
        name.version.to_bytes(4, "big"),
        NORMALISATION_VERSION.to_bytes(4, "big"),
    )
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=info).derive(seed)


def _log_kind(log: Log) -> str:
    return f"log_{log}"


def _kid_of(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def _month(at: datetime) -> int:
    """The month of an instant, in UTC, as a key's version: 202611."""
    in_utc = at.astimezone(UTC)
    return in_utc.year * 100 + in_utc.month
