"""What an endpoint was told to stop, as its deliveries have it, and telling it again.

The set at an index never changes: it is every opt-out and erasure that was queued for the
endpoint and stands at or before that index in the consent log, arrived or not.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.events import ConsentEvent, decode_payload
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, open_payload
from consent.ledger.columns import Instant
from consent.ledger.entries import (
    Entry,
    StoredPayload,
    find_entries,
    read_entries,
    read_payloads,
)
from consent.ledger.identifiers import label_of
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.tables import subject_key
from consent.own_addresses import in_parts
from consent.propagation import endpoints, outbox
from consent.propagation.cloud_events import EVENT_PREFIX, Told
from consent.propagation.outbox import Happened
from consent.propagation.ranges import Entries, Sum
from consent.propagation.reached import Reached, stops_reached
from consent.propagation.tables import webhook_delivery, webhook_endpoint
from consent.propagation.words import OWED, State, WebhookEvent
from consent.subjects import KnownSubject, Whom
from jurisdictions.addresses import parse_address

SETTLED_AFTER: Final = timedelta(hours=1)
"""A summary leaves out what was recorded later than so long ago: it may be on its way."""

_C = webhook_delivery.c
_E = webhook_endpoint.c
_OWED_TO = (
    _C.endpoint == bindparam("endpoint"),
    _C.event.in_(sorted(event.value for event in OWED)),
    _C.log == Log.CONSENT.value,
)
_HELD = sa.select(_C.event_id).where(*_OWED_TO, _C.sequence <= bindparam("at")).distinct()
_LAST = sa.select(sa.func.max(_C.sequence)).where(
    *_OWED_TO, _C.recorded_at <= bindparam("before", type_=Instant)
)
_TOLD = sa.select(_C.event_id, _C.sequence, _C.state).where(
    *_OWED_TO, _C.event_id.in_(bindparam("event_ids", expanding=True))
)
_ASKING = (
    sa.select(_E.organisation, _E.id, _E.events)
    .where(_E.disabled_at.is_(None), _E.deleted_at.is_(None))
    .order_by(_E.organisation, _E.id)
)
_TOLD_ALREADY = sa.select(_C.event_id).where(
    _C.event_id.in_(bindparam("event_ids", expanding=True))
)
_KEY = sa.select(subject_key.c.wrapped).where(
    subject_key.c.organisation == bindparam("organisation"),
    subject_key.c.subject == bindparam("person"),
    subject_key.c.version == bindparam("version"),
)


@dataclass(frozen=True, slots=True)
class Wanting:
    """An endpoint that is to be told a summary, under this event id."""

    organisation: str
    endpoint: str
    event_id: bytes


@dataclass(frozen=True, slots=True)
class Summary:
    """What an endpoint should hold of the opt-outs and erasures up to index ``at``."""

    of: Wanting
    at: int
    sum: Sum


@dataclass(frozen=True, slots=True)
class ToldAgain:
    """What became of events that an endpoint lacks.

    ``under_way`` has not arrived yet, and comes anyway. ``lost`` cannot be read here any more: the
    person was erased since, and nobody knows their address. ``unknown`` was never told to this
    endpoint.
    """

    sent_again: Sequence[bytes]
    under_way: Sequence[bytes]
    lost: Sequence[bytes]
    unknown: Sequence[bytes]


def held_by(connection: Connection, endpoint: str, *, at: int) -> Entries:
    """What the endpoint should hold of what stands in the consent log up to index ``at``."""
    ids = connection.execute(_HELD, {"endpoint": endpoint, "at": at}).scalars()
    return Entries(label_of(EVENT_PREFIX, id_) for id_ in ids)


def wanting(connection: Connection, *, now: datetime) -> list[Wanting]:
    """The endpoints that ask for summaries and have not been told today's (UTC)."""
    asking = [
        Wanting(organisation, id_, _id_of(id_, now))
        for organisation, id_, events in connection.execute(_ASKING)
        if WebhookEvent.SUMMARY in events.split()
    ]
    if not asking:
        return []
    asked = {"event_ids": [one.event_id for one in asking]}
    told = set(connection.execute(_TOLD_ALREADY, asked).scalars())
    return [one for one in asking if one.event_id not in told]


def sum_up(connection: Connection, one: Wanting, *, now: datetime) -> Summary | None:
    """Sum up what it should hold by now; None where it was told of no opt-out yet."""
    asked = {"endpoint": one.endpoint, "before": now - SETTLED_AFTER}
    at = connection.execute(_LAST, asked).scalar()
    return (
        None if at is None else Summary(one, at, held_by(connection, one.endpoint, at=at).sum_of())
    )


def tell_summary(connection: Connection, summary: Summary, *, keys: KeyRing, now: datetime) -> int:
    """Queue it for its endpoint, once a day; give how many rows were made."""
    of = summary.of
    told = Told(
        event=WebhookEvent.SUMMARY,
        event_id=of.event_id,
        at=now,
        data={
            "webhook": of.endpoint,
            "at": str(summary.at),
            "count": summary.sum.count,
            "root": summary.sum.root,
        },
    )
    listening = [
        by for by in endpoints.listening(connection, of.organisation) if by.id == of.endpoint
    ]
    return outbox.tell(
        connection, of.organisation, [told], keys=keys, now=now, listening=listening, once=True
    )


def tell_again(
    connection: Connection,
    organisation: str,
    endpoint: str,
    event_ids: Collection[bytes],
    *,
    keys: KeyRing,
    now: datetime,
) -> ToldAgain:
    """Queue anew, for this endpoint alone, what it was told before and has lost.

    The bodies of what arrived are gone, so each is written again from the log.
    """
    asked = {"endpoint": endpoint, "event_ids": list(event_ids)}
    rows = connection.execute(_TOLD, asked).all()
    known = {row.event_id: row for row in rows}
    under_way = {row.event_id for row in rows if row.state == State.PENDING}
    wanted = [id_ for id_ in known if id_ not in under_way]
    happened = _happened(connection, organisation, wanted, keys)
    found = {one.event_id for one in happened}
    elsewhere = {id_: known[id_].sequence for id_ in wanted if id_ not in found}
    happened += _reached(connection, organisation, elsewhere, keys)
    # A person's events go out in the order of the log.
    happened.sort(key=lambda one: one.receipt.index)
    listening = [by for by in endpoints.listening(connection, organisation) if by.id == endpoint]
    outbox.tell_recorded(
        connection, organisation, happened, keys=keys, now=now, listening=listening
    )
    sent = {one.event_id for one in happened}
    return ToldAgain(
        sent_again=[id_ for id_ in event_ids if id_ in sent],
        under_way=[id_ for id_ in event_ids if id_ in under_way],
        lost=[id_ for id_ in event_ids if id_ in known and id_ not in sent | under_way],
        unknown=[id_ for id_ in event_ids if id_ not in known],
    )


def _happened(
    connection: Connection, organisation: str, event_ids: Sequence[bytes], keys: KeyRing
) -> list[Happened | Reached]:
    """The events that can still be read; those of an erased person cannot."""
    entries = find_entries(connection, organisation, event_ids)
    return [
        Happened(whom, event, subject, entry.receipt)
        for entry, subject, event, whom in _read(connection, list(entries.values()), keys)
    ]


def _reached(
    connection: Connection, organisation: str, places: Mapping[bytes, int], keys: KeyRing
) -> Iterator[Reached]:
    """Of events at these places of the log, those that the entry of a link there tells."""
    entries = [
        entry
        for index in sorted(set(places.values()))
        for entry in read_entries(connection, organisation, Log.CONSENT, index, index + 1)
    ]
    for entry, subject, event, whom in _read(connection, entries, keys):
        for stop in stops_reached(event):
            reached = Reached(whom, stop, subject, entry.receipt)
            if reached.event_id in places:
                yield reached


def _read(
    connection: Connection, entries: Sequence[Entry], keys: KeyRing
) -> Iterator[tuple[Entry, bytes, ConsentEvent, Whom]]:
    """Those of persons' entries that open: whose each is, what it says, and whom it concerns."""
    for some in in_parts(entries):
        ids = [entry.event_id for entry in some]
        payloads = read_payloads(connection, some[0].organisation, ids)
        for entry in some:
            stored = payloads.get(entry.event_id)
            if entry.subject is None or stored is None or stored.key_kind != KeyKind.SUBJECT:
                continue
            opened = _opened(connection, entry, stored, keys)
            if opened is not None:
                event, address = decode_payload(opened)
                whom = KnownSubject(entry.subject) if address is None else parse_address(address)
                yield entry, entry.subject, event, whom


def _opened(
    connection: Connection, entry: Entry, stored: StoredPayload, keys: KeyRing
) -> bytes | None:
    person = entry.subject
    assert person is not None, "only a person's entries lie under a person's key"
    asked = {"organisation": entry.organisation, "person": person, "version": stored.key_version}
    wrapped = connection.execute(_KEY, asked).scalar()
    if wrapped is None:
        return None
    leaf = decode_leaf(entry.leaf)
    context = PayloadContext(
        entry.organisation, entry.event_id, leaf.type, person, stored.schema_version
    )
    try:
        key = keys.unwrap_subject_key(entry.organisation, person, stored.key_version, wrapped)
        return open_payload(
            key,
            context,
            nonce=stored.nonce,
            ciphertext=stored.ciphertext,
            commit=bytes.fromhex(leaf.commit or ""),
        ).canonical
    except (BrokenSealError, UnknownKeyError):
        return None


def _id_of(endpoint: str, now: datetime) -> bytes:
    """The same for every process that looks on this day."""
    return sha256(f"{endpoint} {now.date()}".encode()).digest()[:16]
