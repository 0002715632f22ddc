"""Every decision on record, in its own log, with all that it rested on.

A decision is sealed under the organisation's decision key of its month, and names no address: a
person on record stands by their id, a stranger by a token of that month. When the month's key is
destroyed, the entry still verifies and says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, insert, select

from audit import tables
from audit.decision_records import (
    Circumstances,
    DecisionWriter,
    OpenedDecision,
    Read,
    open_payload_of,
)
from audit.errors import DecisionSealedError, UnknownDecisionError
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import (
    KeyKind,
    PayloadContext,
    SealingKey,
    framed,
    open_payload,
    seal_payload,
)
from consent.ledger.entries import Entry, StoredPayload, find_entries, read_payloads
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.log import Receipt, SealedEntry, append_many
from rules.decision import Decision
from rules.facts import Facts

ENTRY_TYPE = "check"
SCHEMA_VERSION = 1

# One nonce for all tokens, so that equal persons give equal tokens within a month. GCM-SIV is
# made for that: it then tells that two values are equal, and nothing else.
_TOKEN_NONCE = bytes(12)
_TOKEN_USE = b"cleartosend/decision_alias"

_ADD_ALIAS = insert(tables.decision_alias)
_FIND_ALIAS = select(tables.decision_alias.c.key_version, tables.decision_alias.c.token).where(
    tables.decision_alias.c.organisation == bindparam("organisation"),
    tables.decision_alias.c.decision == bindparam("decision"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision just made, and what is needed to put it on record.

    ``subject`` is the recipient's id if they are on record, and ``blind_index`` their address's,
    or None where the address cannot be one. ``actor``: the key that asked. ``release``: its digest.
    """

    id: bytes
    facts: Facts
    decision: Decision
    subject: bytes | None
    blind_index: bytes | None
    actor: str
    release: str
    read: Read
    around: Circumstances


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision as it is found again. One of ``subject`` and ``blind_index`` names the person.

    Both are None where the address could not be one, or the alias has been deleted.
    """

    id: bytes
    entry: Entry
    opened: OpenedDecision
    subject: bytes | None
    blind_index: bytes | None


def record_many(
    connection: Connection,
    organisation: str,
    decided: Sequence[Decided],
    *,
    keys: KeyRing,
    versions: Mapping[str, str],
    recorded_at: datetime,
) -> list[Receipt]:
    """Put decisions on record, in order, in a number of statements that does not grow with them.

    Runs in the writer's transaction; before its commit neither receipts nor verdicts may leave.
    """
    if not decided:
        return []
    key = keys.sealing_key(organisation, KeyKind.DECISION, at=recorded_at)
    writer = DecisionWriter(versions)
    entries = [_entry_of(one, organisation, key, writer) for one in decided]
    receipts = append_many(
        connection, organisation, Log.DECISIONS, entries, recorded_at=recorded_at
    )
    strangers = [one for one in decided if one.subject is None and one.blind_index is not None]
    if strangers:
        rows = [_alias_of(one, organisation, key) for one in strangers]
        connection.execute(_ADD_ALIAS, rows)
    return receipts


def find(
    connection: Connection, organisation: str, id_: bytes, *, keys: KeyRing
) -> RecordedDecision:
    """Give a decision and everything that it rested on.

    ``UnknownDecisionError``: the organisation has none of that id. ``DecisionSealedError``: its
    month's key was destroyed, or what is stored is not what was recorded.
    """
    entry = find_entries(connection, organisation, [id_]).get(id_)
    if entry is None or entry.log is not Log.DECISIONS:
        raise UnknownDecisionError("there is no decision of that id")
    stored = read_payloads(connection, organisation, [id_]).get(id_)
    if stored is None:
        raise DecisionSealedError("what this decision rested on is not in the database any more")
    opened = _open(organisation, entry, stored, keys)
    blind_index = None
    if entry.subject is None:
        blind_index = _stranger_of(connection, organisation, id_, keys)
    return RecordedDecision(id_, entry, opened, entry.subject, blind_index)


def token_of(key: SealingKey, organisation: str, blind_index: bytes) -> bytes:
    """Give the token by which a stranger's decisions of one month are found: equal, or nothing."""
    bound_to = framed(_TOKEN_USE, organisation.encode(), key.version.to_bytes(4, "big"))
    return key.cipher.encrypt(_TOKEN_NONCE, blind_index, bound_to)


def _entry_of(
    one: Decided, organisation: str, key: SealingKey, writer: DecisionWriter
) -> SealedEntry:
    message = one.facts.message
    payload = writer.payload(
        one.facts, one.decision, release=one.release, read=one.read, around=one.around
    )
    context = PayloadContext(organisation, one.id, ENTRY_TYPE, one.subject, SCHEMA_VERSION)
    return SealedEntry(
        event_id=one.id,
        type=ENTRY_TYPE,
        occurred_at=one.around.decided_at,
        subject=one.subject,
        channel=message.channel.value,
        purpose=message.purpose.value,
        release=one.release,
        actor=one.actor,
        payload=seal_payload(key, context, payload),
    )


def _alias_of(one: Decided, organisation: str, key: SealingKey) -> dict[str, object]:
    assert one.blind_index is not None, "only strangers with an address have a token"
    return {
        "organisation": organisation,
        "decision": one.id,
        "key_version": key.version,
        "token": token_of(key, organisation, one.blind_index),
    }


def _open(
    organisation: str, entry: Entry, stored: StoredPayload, keys: KeyRing
) -> OpenedDecision:
    leaf = decode_leaf(entry.leaf)
    context = PayloadContext(
        organisation, entry.event_id, leaf.type, entry.subject, stored.schema_version
    )
    try:
        payload = open_payload(
            keys.opening_key(organisation, KeyKind(stored.key_kind), stored.key_version),
            context,
            nonce=stored.nonce,
            ciphertext=stored.ciphertext,
            commit=bytes.fromhex(leaf.commit or ""),
        )
        return open_payload_of(payload.canonical)
    except UnknownKeyError:
        raise DecisionSealedError("the key of this decision's month was destroyed") from None
    except (BrokenSealError, msgspec.MsgspecError):
        raise DecisionSealedError("what is stored is not what was recorded") from None


def _stranger_of(
    connection: Connection, organisation: str, id_: bytes, keys: KeyRing
) -> bytes | None:
    row = connection.execute(_FIND_ALIAS, {"organisation": organisation, "decision": id_}).first()
    if row is None:
        return None
    try:
        key = keys.opening_key(organisation, KeyKind.DECISION, row.key_version)
    except UnknownKeyError:
        return None
    bound_to = framed(_TOKEN_USE, organisation.encode(), key.version.to_bytes(4, "big"))
    return key.cipher.decrypt(_TOKEN_NONCE, row.token, bound_to)
