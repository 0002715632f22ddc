"""Entries opened for whoever may read them: the payload with its salt, or why it is withheld."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, SealingKey, open_payload
from consent.ledger.entries import Entry, StoredPayload, read_payloads
from consent.ledger.leaf import Leaf
from consent.ledger.tables import subject, subject_key


class Withheld(StrEnum):
    """Why a payload is not told."""

    ERASED = "erased"
    """The person's data was destroyed."""
    KEY_DESTROYED = "key_destroyed"
    """Its retention has ended."""
    CONFIDENTIAL = "confidential"
    """It holds the tokens by which an erased person stays suppressed."""
    DAMAGED = "damaged"
    """What is stored is not what was recorded."""
    NOT_ASKED = "not_asked"
    """It concerns another sender than the one asked for."""


class Opened(msgspec.Struct, frozen=True):
    """A payload: its canonical bytes, and the salt under which its leaf commits to them."""

    canonical: bytes
    salt: bytes


_KEYS = ByMany(
    lambda among: sa.select(
        subject_key.c.subject, subject_key.c.version, subject_key.c.wrapped
    ).where(
        subject_key.c.organisation == bindparam("organisation"),
        among(subject_key.c.subject, "subjects"),
    )
)


_ERASED = ByMany(
    lambda among: sa.select(subject.c.id, subject.c.erased_at).where(
        subject.c.organisation == bindparam("organisation"),
        among(subject.c.id, "ids"),
        subject.c.erased_at.is_not(None),
    )
)


def find_erased(
    connection: Connection, organisation: str, people: Collection[bytes]
) -> dict[bytes, datetime]:
    """Which of these persons were erased, and when."""
    if not people:
        return {}
    rows = _ERASED.execute(connection, {"organisation": organisation, "ids": list(people)})
    return {row.id: row.erased_at for row in rows}


class EntryOpener:
    """Opens payloads, a handful at a time; each person's keys are gone again after it.

    Of an erased person nothing is told any more, decisions neither, though these lie under
    another key than theirs.
    """

    def __init__(self, organisation: str, keys: KeyRing) -> None:
        self._organisation = organisation
        self._keys = keys

    def open_many(
        self, connection: Connection, entries: Sequence[Entry], leaves: Sequence[Leaf]
    ) -> list[Opened | Withheld | None]:
        """Open these entries, in their order; None for one that never had a payload.

        The number of statements does not grow with them.
        """
        ids = [entry.event_id for entry in entries]
        stored = read_payloads(connection, self._organisation, ids)
        sealed_for = {
            one.subject
            for one in stored.values()
            if one.subject is not None and one.key_kind == KeyKind.SUBJECT
        }
        keys = self._keys_of(connection, sealed_for)
        named = {entry.subject for entry in entries if entry.subject is not None}
        erased = find_erased(connection, self._organisation, named)
        opened: list[Opened | Withheld | None] = []
        for entry, leaf in zip(entries, leaves, strict=True):
            one = stored.get(entry.event_id)
            if leaf.commit is None:
                opened.append(None)
            elif one is None:
                opened.append(Withheld.ERASED)
            elif one.key_kind == KeyKind.SUPPRESSION_PAYLOAD:
                opened.append(Withheld.CONFIDENTIAL)
            elif entry.subject in erased:
                opened.append(Withheld.ERASED)
            else:
                opened.append(self._open(entry, leaf, one, keys))
        return opened

    def _keys_of(
        self, connection: Connection, people: Collection[bytes]
    ) -> dict[tuple[bytes, int], SealingKey]:
        if not people:
            return {}
        found: dict[tuple[bytes, int], SealingKey] = {}
        wanted = {"organisation": self._organisation, "subjects": list(people)}
        for person, version, wrapped in _KEYS.execute(connection, wanted):
            try:
                key = self._keys.unwrap_subject_key(self._organisation, person, version, wrapped)
            except (UnknownKeyError, BrokenSealError):
                continue  # What wrapped it was destroyed: nobody opens it any more.
            found[person, version] = key
        return found

    def _open(
        self,
        entry: Entry,
        leaf: Leaf,
        stored: StoredPayload,
        keys: dict[tuple[bytes, int], SealingKey],
    ) -> Opened | Withheld:
        kind = KeyKind(stored.key_kind)
        try:
            if kind is KeyKind.SUBJECT:
                key = keys.get((entry.subject or b"", stored.key_version))
            else:
                key = self._keys.opening_key(self._organisation, kind, stored.key_version)
        except UnknownKeyError:
            key = None
        if key is None:
            return Withheld.KEY_DESTROYED
        context = PayloadContext(
            self._organisation, entry.event_id, leaf.type, entry.subject, stored.schema_version
        )
        try:
            opened = open_payload(
                key,
                context,
                nonce=stored.nonce,
                ciphertext=stored.ciphertext,
                commit=leaf.commitment,
            )
        except BrokenSealError:
            return Withheld.DAMAGED
        return Opened(opened.canonical, opened.salt)
