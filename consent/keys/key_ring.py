"""The key ring: every key of the installation, in memory, opened once at start.

What is monthly is named by its month (``202611``) and made when the month's first value is
sealed; it is on disk, fsynced, before anything lies under it. Older months open what they
sealed for as long as they are kept.
"""

import hmac
import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.keys import sealing
from consent.keys.errors import KeyStoreError, UnknownKeyError
from consent.keys.key_store import KeyName, Keys, KeyStore
from consent.keys.passing_keys import PassingKeyStore
from consent.keys.providers import IN_FOLDER, ROOT_KEY_FILE, RootKeyPlace
from consent.keys.sealing import KEY_SIZE, KeyKind, SealingKey, framed
from consent.ledger.leaf import Log

__all__ = ["KEY_STORE_FILE", "LOG_KEY_FILE", "ROOT_KEY_FILE", "KeyRing", "SubjectKey"]

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
        KeyKind.LINK,
    }
)
NUMBERED = (KeyKind.ORGANISATION, KeyKind.INDEX, KeyKind.SUPPRESSION_TOKEN)

_KINDS = frozenset(kind.value for kind in KeyKind)

LOOKUP_SIZE = 16
NORMALISATION_VERSION = 1
"""Of ``jurisdictions/addresses.py``: other spellings need another index and other tokens."""

_INSTALLATION = ""
_PERMIT = "permit"
_LOG_KIND = "log_"


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
        self._versions: dict[tuple[str, str], tuple[int, ...]] = {}
        self._stamp: object = None
        self._lookup: dict[tuple[str, KeyKind, int], bytes] = {}
        self._stamp = keys.stamp()
        self._log_stamp = log_keys.stamp()
        self._load(keys.read())
        self._load(log_keys.read())

    @classmethod
    def create(cls, folder: Path, *, at: datetime, root: RootKeyPlace | None = None) -> "KeyRing":
        """Make root key, key store and log keys of a new ledger in ``folder``.

        ``KeyStoreError``: there is one already; nothing is ever overwritten.
        """
        for name in (KEY_STORE_FILE, LOG_KEY_FILE):
            if (folder / name).exists():
                raise KeyStoreError(f"{folder / name} is there already: it is never overwritten")
        root_key = (root or _place_in(folder)).create()
        ledger_id = os.urandom(16).hex()
        keys = KeyStore.create(folder / KEY_STORE_FILE, root_key, ledger_id)
        log_keys = KeyStore.create(folder / LOG_KEY_FILE, root_key, ledger_id)
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
    def open(cls, folder: Path, *, root: RootKeyPlace | None = None) -> "KeyRing":
        """Open the keys in ``folder``. ``KeyStoreError`` says what is wrong with which file."""
        place = root or _place_in(folder)
        root_key = place.open()
        if place.beside.exists():
            raise KeyStoreError(
                "putting another root key in place was broken off; end it with:"
                " cleartosend keys rotate --root"
            )
        keys = KeyStore.open(folder / KEY_STORE_FILE, root_key)
        log_keys = KeyStore.open(folder / LOG_KEY_FILE, root_key, ledger_id=keys.ledger_id)
        return cls(keys, log_keys)

    @property
    def ledger_id(self) -> str:
        """32 hexadecimal digits, drawn when the ledger was made: a part of each log's origin."""
        return self._keys.ledger_id

    @property
    def folder(self) -> Path:
        """Where the keys lie: outside the database, and apart from the vault where that is."""
        return self._keys.path.parent

    @property
    def organisations(self) -> frozenset[str]:
        """Everybody who has keys here."""
        return frozenset(name.organisation for name in self._raw) - {_INSTALLATION}

    def add_organisation(self, organisation: str, *, at: datetime) -> None:
        """Make the keys of a new organisation. Does nothing where they are there already."""
        assert organisation, "the empty name is the installation's own"
        logs = [KeyName(organisation, _log_kind(log), 1) for log in Log]
        monthly = [KeyName(organisation, kind.value, _month(at)) for kind in MONTHLY]

        def with_all(before: Keys) -> Keys:
            has = {name.kind for name in before if name.organisation == organisation}
            first = [
                KeyName(organisation, kind.value, _next_version(kind, 0, at))
                for kind in NUMBERED
                if kind.value not in has
            ]
            return _with_new(before, first + monthly)

        with self._lock:
            self._load(self._log_keys.change(lambda before: _with_new(before, logs)))
            self._load(self._keys.change(with_all))

    def versions_of(self, organisation: str, kind: KeyKind) -> tuple[int, ...]:
        """Every version that there is, oldest first. Of monthly keys there may be none left."""
        if kind in MONTHLY:
            self._look_again()
            return self._versions.get((organisation, kind.value), ())
        return self._versions_of(organisation, kind.value)

    def is_due(self, organisation: str, *, at: datetime) -> bool:
        """Whether the newest organisation key is of an earlier month than ``at``."""
        self._look_again()
        newest = self._newest_of(organisation, KeyKind.ORGANISATION.value)
        return newest < _next_version(KeyKind.ORGANISATION, 0, at)

    def renew(self, organisation: str, kind: KeyKind, *, at: datetime) -> int:
        """Make a new version of a key that is not monthly, on disk before this returns.

        From now on it is the one that seals. The old ones open what they sealed until they are
        destroyed.
        """
        assert kind in NUMBERED, "a monthly key is made by its month"
        made: list[KeyName] = []

        def with_next(before: Keys) -> Keys:
            versions = [
                name.version
                for name in before
                if (name.organisation, name.kind) == (organisation, kind.value)
            ]
            if not versions:
                raise UnknownKeyError(f"{organisation} has no {kind} key")
            next_version = _next_version(kind, max(versions), at)
            made.append(KeyName(organisation, kind.value, next_version))
            return _with_new(before, made)

        with self._lock:
            self._load(self._keys.change(with_next))
        return made[-1].version

    def destroy(self, organisation: str, kind: KeyKind, versions: Collection[int]) -> list[int]:
        """Remove these versions from the key store, on disk before this returns; give which.

        What lies under them is gone for good, also in every backup of the database. The newest
        organisation, index or token key is never among them.
        """
        assert kind not in NUMBERED or self._newest_of(organisation, kind.value) not in versions
        gone = {KeyName(organisation, kind.value, version) for version in versions}
        with self._lock:
            there = gone & self._keys.read().keys()
            self._keys.change(lambda before: {n: k for n, k in before.items() if n not in gone})
            self._forget(gone)
        return sorted(name.version for name in there)

    def sealing_key(self, organisation: str, kind: KeyKind, *, at: datetime) -> SealingKey:
        """The key to seal with: for a monthly kind that of ``at``'s month, else the newest."""
        if kind not in MONTHLY:
            return self.opening_key(organisation, kind, self._newest_of(organisation, kind.value))
        month = _month(at)
        if kind is KeyKind.STANDING:  # What is sealed under a destroyed one would be lost.
            self._look_again()
        ready = self._sealing.get((organisation, kind, month))
        if ready is not None:
            return ready
        # An unknown organisation gets no keys this way.
        self._newest_of(organisation, KeyKind.ORGANISATION.value)
        name = KeyName(organisation, kind.value, month)
        with self._lock:
            self._load(self._keys.change(lambda before: _with_new(before, [name])))
        ready = self._sealing.get((organisation, kind, month))
        if ready is None:
            raise UnknownKeyError(f"the {kind} key {month} of {organisation} was destroyed")
        return ready

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
        # Another process may have made a newer one, and destroyed this one, a moment ago.
        self._look_again()
        newest = self._newest_of(organisation, KeyKind.ORGANISATION.value)
        wrapping = self.opening_key(organisation, KeyKind.ORGANISATION, newest)
        key = os.urandom(KEY_SIZE)
        wrapped = sealing.seal(wrapping, organisation, key, subject, version.to_bytes(4, "big"))
        return SubjectKey(SealingKey.of(KeyKind.SUBJECT, version, key), newest, wrapped)

    def rewrap_subject_key(
        self, organisation: str, subject: bytes, version: int, wrapped: bytes
    ) -> bytes:
        """Wrap a person's data key under the newest organisation key."""
        bound_to = (subject, version.to_bytes(4, "big"))
        key = self.open_sealed(organisation, KeyKind.ORGANISATION, wrapped, *bound_to)
        newest = self._newest_of(organisation, KeyKind.ORGANISATION.value)
        wrapping = self.opening_key(organisation, KeyKind.ORGANISATION, newest)
        return sealing.seal(wrapping, organisation, key, *bound_to)

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

    def index_versions(self, organisation: str) -> tuple[int, ...]:
        """Every version under which aliases may still stand, newest first."""
        return self.versions_of(organisation, KeyKind.INDEX)[::-1]

    def blind_index(self, organisation: str, spelling: str, *, version: int | None = None) -> bytes:
        """16 bytes by which an address is looked up. ``spelling`` is normalised already."""
        return self._token(organisation, KeyKind.INDEX, spelling, version)

    def token_version(self, organisation: str) -> int:
        """The newest version of the suppression key, under which tokens are made."""
        return self._newest_of(organisation, KeyKind.SUPPRESSION_TOKEN.value)

    def token_versions(self, organisation: str) -> tuple[int, ...]:
        """Every version whose tokens may be on record, oldest first."""
        return self.versions_of(organisation, KeyKind.SUPPRESSION_TOKEN)

    def suppression_token(
        self, organisation: str, spelling: str, *, version: int | None = None
    ) -> bytes:
        """16 bytes that stand for an address that must not be messaged, also after erasure."""
        return self._token(organisation, KeyKind.SUPPRESSION_TOKEN, spelling, version)

    def log_key(self, organisation: str, log: Log) -> Ed25519PrivateKey:
        """The newest key that signs this log's checkpoints."""
        return self.log_signing_keys(organisation, log)[0]

    def log_signing_keys(self, organisation: str, log: Log) -> list[Ed25519PrivateKey]:
        """The newest key of a log, and the one before it, which signs too until the next one.

        So whoever still knows the older one only goes on verifying, and learns of the newer.
        """
        kind = _log_kind(log)
        self._look_at_log_keys()
        newest_first = self._versions_of(organisation, kind)[::-1]
        return [
            Ed25519PrivateKey.from_private_bytes(self._raw[KeyName(organisation, kind, version)])
            for version in newest_first[:2]
        ]

    def renew_log_keys(self, organisation: str) -> int:
        """Make the next key of each of the organisation's logs, on disk before this returns."""
        newest = max(self._newest_of(organisation, _log_kind(log)) for log in Log)
        made = [KeyName(organisation, _log_kind(log), newest + 1) for log in Log]
        with self._lock:
            self._load(self._log_keys.change(lambda before: _with_new(before, made)))
            self._log_stamp = self._log_keys.stamp()
        return newest + 1

    def log_public_keys(self, organisation: str, log: Log) -> list[Ed25519PublicKey]:
        """Every key that has signed this log's checkpoints; none where the log is not known."""
        kind = _log_kind(log)
        self._look_at_log_keys()
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
            self._versions[of_kind] = tuple(
                sorted((*self._versions.get(of_kind, ()), name.version))
            )

    def _newest_of(self, organisation: str, kind: str) -> int:
        return self._versions_of(organisation, kind)[-1]

    def _versions_of(self, organisation: str, kind: str) -> tuple[int, ...]:
        known = self._versions.get((organisation, kind))
        if not known:
            with self._lock:
                self._load(self._keys.read())
                self._load(self._log_keys.read())
            known = self._versions.get((organisation, kind))
        if not known:
            raise UnknownKeyError(f"{organisation or 'the installation'} has no {kind} key")
        return known

    def _forget(self, names: Iterable[KeyName]) -> None:
        """Drop keys from memory; Python cannot wipe them there."""
        for name in names:
            self._raw.pop(name, None)
            if name.kind in _KINDS:
                kind = KeyKind(name.kind)
                self._sealing.pop((name.organisation, kind, name.version), None)
                self._lookup.pop((name.organisation, kind, name.version), None)
            of_kind = (name.organisation, name.kind)
            self._versions[of_kind] = tuple(
                version for version in self._versions.get(of_kind, ()) if version != name.version
            )

    def _look_again(self) -> None:
        """Take in what another process has changed since: new keys, and destroyed ones."""
        stamp = self._keys.stamp()
        if stamp == self._stamp:
            return
        with self._lock:
            stored = self._keys.read()
            kept = {name for name in self._raw if name.kind.startswith(_LOG_KIND)}
            self._forget(set(self._raw) - stored.keys() - kept)
            self._load(stored)
            self._stamp = stamp

    def _look_at_log_keys(self) -> None:
        """Take in the log keys that another process has made since."""
        stamp = self._log_keys.stamp()
        if stamp == self._log_stamp:
            return
        with self._lock:
            self._load(self._log_keys.read())
            self._log_stamp = stamp

    def _token(self, organisation: str, kind: KeyKind, spelling: str, version: int | None) -> bytes:
        if version is None:
            version = self._newest_of(organisation, kind.value)
        key = self._lookup.get((organisation, kind, version))
        if key is None:
            raise UnknownKeyError(f"{organisation} has no {kind} key of version {version}")
        return hmac.digest(key, spelling.encode(), "sha256")[:LOOKUP_SIZE]


def _place_in(folder: Path) -> RootKeyPlace:
    return RootKeyPlace(IN_FOLDER, folder, {})


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


def _next_version(kind: KeyKind, newest: int, at: datetime) -> int:
    """Count on; an organisation key's version begins with the month that it was made in."""
    return max(newest + 1, _month(at) * 100 if kind is KeyKind.ORGANISATION else 1)


def _log_kind(log: Log) -> str:
    return f"{_LOG_KIND}{log}"


def _kid_of(key: Ed25519PublicKey) -> str:
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def _month(at: datetime) -> int:
    """The month of an instant, in UTC, as a key's version: 202611."""
    in_utc = at.astimezone(UTC)
    return in_utc.year * 100 + in_utc.month
