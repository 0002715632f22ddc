"""Opening payloads by the thousand, each with the key that its row names."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, SealingKey, open_payload
from consent.ledger.leaf import Leaf
from consent.ledger.tables import log_payload, subject_key

_SUBJECT = KeyKind.SUBJECT.value
COLUMNS = (
    log_payload.c.schema_version,
    log_payload.c.key_kind,
    log_payload.c.key_version,
    log_payload.c.algorithm,
    log_payload.c.nonce,
    log_payload.c.ciphertext,
    log_payload.c.subject.label("sealed_for"),
    log_payload.c.organisation.label("filed_under"),
)
"""What ``Payloads.open`` wants of a payload's row."""

_KEYS = ByMany(
    lambda among: sa.select(
        subject_key.c.subject,
        subject_key.c.version,
        subject_key.c.wrapping_key_version,
        subject_key.c.wrapped,
    ).where(
        subject_key.c.organisation == bindparam("organisation"),
        among(subject_key.c.subject, "ids"),
    )
)


class Payloads:
    """Opens the payloads of one organisation. Keeps the keys of those prepared, and no more."""

    def __init__(self, connection: Connection, organisation: str, keys: KeyRing) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._wrapped: dict[tuple[bytes, int], bytes] = {}
        self._damaged_keys: dict[bytes, list[str]] = {}
        self._subject_keys: dict[tuple[bytes, int], SealingKey] = {}

    def prepare(self, subjects: Iterable[bytes]) -> None:
        """Read the wrapped keys of these subjects, in one statement; earlier ones are dropped."""
        wanted = {"organisation": self._organisation, "ids": list(set(subjects))}
        rows = _KEYS.fetch(self._connection, wanted) if wanted["ids"] else ()
        self._wrapped = {}
        self._damaged_keys = {}
        self._subject_keys = {}
        for id_, version, under, wrapped in rows:
            self._wrapped[id_, version] = wrapped
            if under != int.from_bytes(wrapped[1:5], "big"):
                self._damaged_keys.setdefault(id_, []).append(
                    f"the person's key of version {version} lies under another key than its row"
                    " says: a rotation would destroy that one"
                )

    def damaged_keys(self, subject: bytes) -> Sequence[str]:
        """What is wrong with the rows of the keys of a person who was prepared."""
        return self._damaged_keys.get(subject, ())

    def open(self, leaf: Leaf, event_id: bytes, subject: bytes | None, row: Any) -> bytes:
        """Give the canonical payload of an entry.

        ``BrokenSealError`` or ``UnknownKeyError``: it does not open, or is not the one that the
        leaf commits to.
        """
        if row.filed_under != self._organisation:
            raise BrokenSealError("a payload is filed under another organisation than its entry")
        if row.key_kind == _SUBJECT:
            if row.sealed_for is None or row.sealed_for != subject:
                raise BrokenSealError("a payload is filed under another person than its entry")
            key = self._subject_key(row.sealed_for, row.key_version)
        else:
            kind = _kind_of(row.key_kind)
            key = self._keys.opening_key(self._organisation, kind, row.key_version)
        if key.algorithm != row.algorithm:
            raise BrokenSealError("a payload is filed under another algorithm than its key's")
        context = PayloadContext(
            self._organisation, event_id, leaf.type, subject, row.schema_version
        )
        opened = open_payload(
            key,
            context,
            nonce=row.nonce,
            ciphertext=row.ciphertext,
            commit=leaf.commitment,
        )
        return opened.canonical

    def _subject_key(self, subject: bytes, version: int) -> SealingKey:
        name = (subject, version)
        known = self._subject_keys.get(name)
        if known is not None:
            return known
        wrapped = self._wrapped.get(name)
        if wrapped is None:
            raise UnknownKeyError(f"the person's key of version {version} is not there")
        key = self._keys.unwrap_subject_key(self._organisation, subject, version, wrapped)
        self._subject_keys[name] = key
        return key


def _kind_of(word: str) -> KeyKind:
    try:
        return KeyKind(word)
    except ValueError:
        raise BrokenSealError("a payload is filed under a kind of key that there is not") from None
