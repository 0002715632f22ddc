"""A person's addresses, as their own sealed entries tell them: they stand nowhere else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.events import MEMBERSHIPS, ConsentEvent
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, SealingKey, open_payload
from consent.ledger.entries import Entry, StoredPayload, read_payloads, read_subject
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.tables import subject_alias, subject_key
from jurisdictions.addresses import Address, parse_address

IDS_AT_ONCE = 500

T = TypeVar("T")

_KEYS_OF_ONE = sa.select(subject_key.c.version, subject_key.c.wrapped).where(
    subject_key.c.organisation == bindparam("organisation"),
    subject_key.c.subject == bindparam("person"),
)
_ALIASES_OF_ONE = sa.select(subject_alias.c.blind_index).where(
    subject_alias.c.organisation == bindparam("organisation"),
    subject_alias.c.subject == bindparam("person"),
)


def addresses_of(
    connection: Connection, organisation: str, person: bytes, keys: KeyRing
) -> tuple[dict[str, Address], set[bytes], int]:
    """A person's addresses as their own entries tell them, all their blind indexes, and how many
    of their keys and entries do not open."""
    one = {"organisation": organisation, "person": person}
    data_keys: dict[int, SealingKey] = {}
    unreadable = 0
    for version, wrapped in connection.execute(_KEYS_OF_ONE, one):
        try:
            data_keys[version] = keys.unwrap_subject_key(organisation, person, version, wrapped)
        except (BrokenSealError, UnknownKeyError):
            unreadable += 1
    told: set[str] = set()
    for entry, stored in _payloads_of(connection, organisation, person):
        payload = _opened(organisation, entry, stored, data_keys)
        if payload is None:
            unreadable += 1
        elif isinstance(payload.get("address"), str):
            told.add(payload["address"])
    aliases = set(connection.execute(_ALIASES_OF_ONE, one).scalars())
    return {text: parse_address(text) for text in told}, aliases, unreadable


def linked_of(
    connection: Connection, organisation: str, person: bytes, keys: KeyRing
) -> set[bytes]:
    """Who else is this person, as the last link or unlink among their entries says.

    ``BrokenSealError``: that one does not open.
    """
    last = _memberships_of(connection, organisation, person)[-1:]
    for _, event in _opened_memberships(connection, organisation, person, last, keys):
        return {bytes.fromhex(id_) for id_ in event.linked}
    return set()


def memberships_of(
    connection: Connection, organisation: str, person: bytes, keys: KeyRing
) -> list[tuple[Entry, ConsentEvent]]:
    """Every link and unlink of a person, in order. ``BrokenSealError``: one does not open."""
    entries = _memberships_of(connection, organisation, person)
    return list(_opened_memberships(connection, organisation, person, entries, keys))


def _memberships_of(connection: Connection, organisation: str, person: bytes) -> list[Entry]:
    entries = read_subject(connection, organisation, Log.CONSENT, person)
    return [entry for entry in entries if decode_leaf(entry.leaf).type in MEMBERSHIPS]


def _opened_memberships(
    connection: Connection,
    organisation: str,
    person: bytes,
    entries: Sequence[Entry],
    keys: KeyRing,
) -> Iterator[tuple[Entry, ConsentEvent]]:
    if not entries:
        return
    one = {"organisation": organisation, "person": person}
    data_keys = {
        version: keys.unwrap_subject_key(organisation, person, version, wrapped)
        for version, wrapped in connection.execute(_KEYS_OF_ONE, one)
    }
    stored = read_payloads(connection, organisation, [entry.event_id for entry in entries])
    for entry in entries:
        sealed = stored.get(entry.event_id)
        payload = None if sealed is None else _opened(organisation, entry, sealed, data_keys)
        if payload is None:
            raise BrokenSealError("an entry that says who else is this person does not open")
        payload.pop("address", None)
        yield entry, msgspec.convert(payload, ConsentEvent)


def _payloads_of(
    connection: Connection, organisation: str, person: bytes
) -> Iterable[tuple[Entry, StoredPayload]]:
    entries = read_subject(connection, organisation, Log.CONSENT, person)
    for some in in_parts(entries):
        stored = read_payloads(connection, organisation, [entry.event_id for entry in some])
        for entry in some:
            payload = stored.get(entry.event_id)
            if payload is not None and payload.key_kind == KeyKind.SUBJECT:
                yield entry, payload


def _opened(
    organisation: str, entry: Entry, stored: StoredPayload, data_keys: dict[int, SealingKey]
) -> dict[str, Any] | None:
    key = data_keys.get(stored.key_version)
    if key is None:
        return None
    leaf = decode_leaf(entry.leaf)
    context = PayloadContext(
        organisation, entry.event_id, leaf.type, entry.subject, stored.schema_version
    )
    try:
        opened = open_payload(
            key,
            context,
            nonce=stored.nonce,
            ciphertext=stored.ciphertext,
            commit=leaf.commitment,
        )
        return msgspec.json.decode(opened.canonical, type=dict[str, Any])
    except (BrokenSealError, msgspec.MsgspecError):
        return None


def in_parts(all_: Sequence[T]) -> Iterable[Sequence[T]]:
    """Cut a list into parts of a length that every database takes in one statement."""
    return (all_[start : start + IDS_AT_ONCE] for start in range(0, len(all_), IDS_AT_ONCE))
