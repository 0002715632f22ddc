"""Every decision on record, in its own log, with all that it rested on.

A decision is sealed under the organisation's decision key of its month, and names no address: a
person on record stands by their id, a stranger by a token of that month. When the month's key is
destroyed, the entry still verifies and says nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from audit import tables
from audit.decision_records import (
    Circumstances,
    DecisionWriter,
    OpenedDecision,
    Read,
    open_payload_of,
)
from audit.errors import DecisionExpiredError, DecisionSealedError, UnknownDecisionError
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
from consent.ledger.entries import (
    Entry,
    StoredPayload,
    find_entries,
    read_entries,
    read_payloads,
)
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.log import Receipt, SealedEntry, append_many
from consent.ledger.tables import log_entry
from rules.decision import Decision
from rules.errors import ComplianceError
from rules.facts import Facts

ENTRY_TYPE = "check"
SCHEMA_VERSION = 1
DECISIONS_AT_ONCE = 256

# One nonce for all tokens, so that equal persons give equal tokens within a month. GCM-SIV is
# made for that: it then tells that two values are equal, and nothing else.
_TOKEN_NONCE = bytes(12)
_TOKEN_USE = b"cleartosend/decision_alias"

_ADD_ALIAS = insert(tables.decision_alias)
_FIND_ALIASES = select(
    tables.decision_alias.c.decision,
    tables.decision_alias.c.key_version,
    tables.decision_alias.c.token,
).where(
    tables.decision_alias.c.organisation == bindparam("organisation"),
    tables.decision_alias.c.decision.in_(bindparam("ids", expanding=True)),
)
_FIND_STRANGERS = select(tables.decision_alias.c.decision).where(
    tables.decision_alias.c.organisation == bindparam("organisation"),
    tables.decision_alias.c.token.in_(bindparam("tokens", expanding=True)),
)
_FORGET = delete(tables.decision_alias).where(
    tables.decision_alias.c.organisation == bindparam("its_organisation"),
    tables.decision_alias.c.token.in_(bindparam("tokens", expanding=True)),
)
_FORGET_MONTH = delete(tables.decision_alias).where(
    tables.decision_alias.c.organisation == bindparam("its_organisation"),
    tables.decision_alias.c.key_version == bindparam("version"),
)

_SPAN = select(func.min(log_entry.c.idx), func.max(log_entry.c.idx)).where(
    log_entry.c.organisation == bindparam("organisation"),
    log_entry.c.log == Log.DECISIONS.value,
    log_entry.c.recorded_at >= bindparam("since"),
    log_entry.c.recorded_at < bindparam("until"),
)


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A decision just made, and what is needed to put it on record.

    ``subject`` is the recipient's id if they are on record, ``blind_index`` their address's.
    ``actor``: the key that asked. ``release``: its digest.
    """

    id: bytes
    facts: Facts
    decision: Decision
    subject: bytes | None
    blind_index: bytes
    actor: str
    release: str
    read: Read
    around: Circumstances


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision as it is found again. ``subject`` or, of a stranger, ``blind_index`` says of whom.

    Both are None where the alias has been deleted.
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
    strangers = [one for one in decided if one.subject is None]
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
    found = find_many(connection, organisation, [id_], keys=keys)[id_]
    if isinstance(found, ComplianceError):
        raise found
    return found


def find_many(
    connection: Connection, organisation: str, ids: Collection[bytes], *, keys: KeyRing
) -> dict[bytes, RecordedDecision | ComplianceError]:
    """Give each of these decisions, or why not, by id; in three statements."""
    if not ids:
        return {}
    entries = find_entries(connection, organisation, ids)
    payloads = read_payloads(connection, organisation, ids)
    strangers = [id_ for id_, entry in entries.items() if entry.subject is None]
    blind_indexes = _blind_indexes_of(connection, organisation, strangers, keys)
    found: dict[bytes, RecordedDecision | ComplianceError] = {}
    for id_ in ids:
        entry = entries.get(id_)
        if entry is None or not is_decision(entry):
            found[id_] = UnknownDecisionError("there is no decision of that id")
            continue
        try:
            opened = _open(organisation, entry, payloads.get(id_), keys)
        except DecisionSealedError as sealed:
            found[id_] = sealed
        else:
            found[id_] = RecordedDecision(id_, entry, opened, entry.subject, blind_indexes.get(id_))
    return found


def is_decision(entry: Entry) -> bool:
    """Tell a decision from what else stands in its log."""
    return entry.log is Log.DECISIONS and decode_leaf(entry.leaf).type == ENTRY_TYPE


def span_of(
    connection: Connection, organisation: str, *, since: datetime, until: datetime | None = None
) -> tuple[int, int]:
    """The part of the log, as ``[first, end)``, that holds all entries recorded in that time."""
    latest = until or datetime.max.replace(tzinfo=UTC)
    wanted = {"organisation": organisation, "since": since, "until": latest}
    first, last = connection.execute(_SPAN, wanted).one()
    return (0, 0) if first is None else (first, last + 1)


def walk(
    connection: Connection, organisation: str, first: int, end: int, *, keys: KeyRing
) -> Iterator[list[tuple[Entry, RecordedDecision | ComplianceError]]]:
    """The decisions of ``[first, end)`` in order, some hundred at once; or why one is not read."""
    for start in range(first, end, DECISIONS_AT_ONCE):
        stop = min(start + DECISIONS_AT_ONCE, end)
        entries = read_entries(connection, organisation, Log.DECISIONS, start, stop)
        made = [entry for entry in entries if is_decision(entry)]
        found = find_many(connection, organisation, [one.event_id for one in made], keys=keys)
        yield [(entry, found[entry.event_id]) for entry in made]


def token_of(key: SealingKey, organisation: str, blind_index: bytes) -> bytes:
    """Give the token by which a stranger's decisions of one month are found: equal, or nothing."""
    return key.cipher.encrypt(_TOKEN_NONCE, blind_index, _token_use(key, organisation))


def find_strangers(
    connection: Connection, organisation: str, blind_indexes: Collection[bytes], *, keys: KeyRing
) -> set[bytes]:
    """The ids of decisions about these blind indexes while nobody was on record under them."""
    tokens = _tokens_of(organisation, blind_indexes, keys)
    if not tokens:
        return set()
    wanted = {"organisation": organisation, "tokens": tokens}
    return set(connection.execute(_FIND_STRANGERS, wanted).scalars())


def forget_strangers(
    connection: Connection, organisation: str, blind_indexes: Collection[bytes], *, keys: KeyRing
) -> int:
    """Delete what leads from these blind indexes to decisions, of every month; say how much."""
    tokens = _tokens_of(organisation, blind_indexes, keys)
    if not tokens:
        return 0
    wanted = {"its_organisation": organisation, "tokens": tokens}
    return connection.execute(_FORGET, wanted).rowcount


def forget_month(connection: Connection, organisation: str, version: int) -> int:
    """Delete what leads to the decisions of a month whose key is destroyed; say how much."""
    wanted = {"its_organisation": organisation, "version": version}
    return connection.execute(_FORGET_MONTH, wanted).rowcount


def _tokens_of(organisation: str, blind_indexes: Collection[bytes], keys: KeyRing) -> list[bytes]:
    """The tokens of these blind indexes in every month whose key is still there."""
    return [
        token_of(keys.opening_key(organisation, KeyKind.DECISION, version), organisation, index)
        for version in keys.versions_of(organisation, KeyKind.DECISION)
        for index in blind_indexes
    ]


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
    return {
        "organisation": organisation,
        "decision": one.id,
        "key_version": key.version,
        "token": token_of(key, organisation, one.blind_index),
    }


def _open(
    organisation: str, entry: Entry, stored: StoredPayload | None, keys: KeyRing
) -> OpenedDecision:
    if stored is None:
        raise DecisionSealedError("what this decision rested on is not in the database any more")
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
            commit=leaf.commitment,
        )
        return open_payload_of(payload.canonical)
    except UnknownKeyError:
        raise DecisionExpiredError("the key of this decision's month was destroyed") from None
    except (BrokenSealError, msgspec.MsgspecError):
        raise DecisionSealedError("what is stored is not what was recorded") from None


def _blind_indexes_of(
    connection: Connection, organisation: str, ids: Collection[bytes], keys: KeyRing
) -> dict[bytes, bytes]:
    """The blind indexes of strangers, by decision, from the tokens of their months."""
    if not ids:
        return {}
    rows = connection.execute(_FIND_ALIASES, {"organisation": organisation, "ids": list(ids)})
    found: dict[bytes, bytes] = {}
    for decision, version, token in rows:
        try:
            key = keys.opening_key(organisation, KeyKind.DECISION, version)
            found[decision] = key.cipher.decrypt(_TOKEN_NONCE, token, _token_use(key, organisation))
        except (UnknownKeyError, InvalidTag):
            continue  # Destroyed with its month, or no token of ours: nobody knows who it was.
    return found


def _token_use(key: SealingKey, organisation: str) -> bytes:
    return framed(_TOKEN_USE, organisation.encode(), key.version.to_bytes(4, "big"))
