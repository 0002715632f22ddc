"""What a bundle discloses: payloads in the clear, each with the salt of its leaf's commitment."""

import base64
from collections.abc import Collection, Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import (
    KeyKind,
    OpenedPayload,
    PayloadContext,
    SealingKey,
    open_payload,
)
from consent.ledger.canonical import canonical
from consent.ledger.entries import Entry, StoredPayload, read_payloads
from consent.ledger.leaf import Leaf, decode_leaf
from consent.ledger.tables import subject_key

ROWS_AT_ONCE = 500

_KEYS = sa.select(subject_key.c.subject, subject_key.c.version, subject_key.c.wrapped).where(
    subject_key.c.organisation == bindparam("organisation"),
    subject_key.c.subject.in_(bindparam("subjects", expanding=True)),
)


class Discloser:
    """Opens the payloads of these subjects. Their keys are gone with it."""

    def __init__(
        self, connection: Connection, organisation: str, subjects: Collection[bytes], keys: KeyRing
    ) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._subject_keys: dict[tuple[bytes, int], SealingKey] = {}
        wanted = {"organisation": organisation, "subjects": list(subjects)}
        for subject, version, wrapped in connection.execute(_KEYS, wanted):
            try:
                key = keys.unwrap_subject_key(organisation, subject, version, wrapped)
            except UnknownKeyError:
                continue  # What wrapped it was destroyed: nobody opens it any more.
            self._subject_keys[subject, version] = key

    def lines_of(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """A line of JSON for each entry that has a payload: the payload, or why it is withheld."""
        waiting: list[Entry] = []
        for entry in entries:
            waiting.append(entry)
            if len(waiting) == ROWS_AT_ONCE:
                yield from self._lines_of(waiting)
                waiting = []
        yield from self._lines_of(waiting)

    def _lines_of(self, entries: Collection[Entry]) -> Iterator[bytes]:
        ids = [entry.event_id for entry in entries]
        stored = read_payloads(self._connection, self._organisation, ids)
        for entry in entries:
            leaf = decode_leaf(entry.leaf)
            if leaf.commit is not None:
                said = self._open(entry, leaf, stored.get(entry.event_id))
                yield canonical({"index": entry.index, **said}) + b"\n"

    def _open(self, entry: Entry, leaf: Leaf, stored: StoredPayload | None) -> dict[str, str]:
        if stored is None:
            return {"withheld": "erased"}
        kind = KeyKind(stored.key_kind)
        try:
            if kind is KeyKind.SUBJECT:
                key = self._subject_keys.get((entry.subject or b"", stored.key_version))
            elif kind is KeyKind.DECISION:
                key = self._keys.opening_key(self._organisation, kind, stored.key_version)
            else:
                # An erasure's own payload holds the tokens by which the person stays suppressed.
                return {"withheld": "confidential"}
        except UnknownKeyError:
            key = None
        if key is None:
            return {"withheld": "key_destroyed"}
        context = PayloadContext(
            self._organisation, entry.event_id, leaf.type, entry.subject, stored.schema_version
        )
        commit = leaf.commitment
        try:
            opened = open_payload(
                key, context, nonce=stored.nonce, ciphertext=stored.ciphertext, commit=commit
            )
        except BrokenSealError:
            return {"withheld": "damaged"}
        return _told(opened)


def _told(opened: OpenedPayload) -> dict[str, str]:
    salt = opened.salt.hex()
    try:
        return {"payload": opened.canonical.decode(), "salt": salt}
    except UnicodeDecodeError:
        return {"payload_base64": base64.b64encode(opened.canonical).decode(), "salt": salt}
