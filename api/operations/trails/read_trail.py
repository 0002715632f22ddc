"""Read a person's trail, a page at a time: events and decisions as they were recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from api.errors import InvalidRequestError
from api.operations.check_messages import ID_PREFIX as CHECK_PREFIX
from api.operations.read_check import reasons_of
from api.operations.record_events import ID_PREFIX as EVENT_PREFIX
from audit import trail
from audit.decision_records import OpenedDecision
from audit.opened import Opened, Withheld
from audit.trail import Places, TrailEntry
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import label_of
from consent.ledger.leaf import Log
from consent.propagation import deliveries
from consent.propagation.reached import ids_told
from consent.propagation.words import State
from jurisdictions.addresses import Address
from rules.vocabulary import Verdict


class DecisionTold(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, with what it rested on in words; ``GET /v1/checks/{id}`` has every fact."""

    verdict: Verdict
    sender: str
    reference: str | None
    not_before: datetime | None
    reasons: list[dict[str, Any]]
    obligations: list[dict[str, Any]]
    evidence: list[int]


class DeliveryTold(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event was sent, and what came of it. No log holds this, so no bundle proves it."""

    webhook: str
    state: State
    deadline_at: datetime | None
    delivered_at: datetime | None
    applied_at: datetime | None


class EntryTold(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a trail. Either ``event``, as it was recorded, or ``decision`` is told.

    ``withheld`` says why neither is: erased, its time over, or confidential. ``release`` is the
    digest of the rules in force.
    """

    log: Log
    index: int
    id: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    channel: str | None
    purpose: str | None
    level: str | None
    release: str | None
    actor: str | None
    leaf_hash: str
    event: msgspec.Raw | None
    decision: DecisionTold | None
    withheld: Withheld | None
    deliveries: list[DeliveryTold]


class TrailPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a trail. ``subjects`` are those on record under the address, today's first, and
    ``erased_at`` when the last of them was erased."""

    subjects: list[str]
    erased_at: datetime | None
    items: list[EntryTold]
    next_cursor: str | None


class TrailRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for: whose, from where on, and how much of it."""

    address: Address
    start: Places
    limit: int


def read_trail(
    connection: Connection, organisation: str, wanted: TrailRead, *, keys: KeyRing
) -> TrailPage:
    """Give a page of what is on record of an address."""
    person = trail.find_person(connection, organisation, wanted.address, keys=keys)
    found = trail.read_trail(
        connection, organisation, person, keys=keys, start=wanted.start, count=wanted.limit + 1
    )
    shown = found[: wanted.limit]
    more = len(found) > wanted.limit
    sent = _deliveries_of(connection, organisation, shown)
    return TrailPage(
        subjects=[id_.hex() for id_ in person.subjects],
        erased_at=max(person.erased.values(), default=None),
        items=[_told(entry, sent.get(entry.id, [])) for entry in shown],
        next_cursor=cursor_at(trail.next_places(shown, wanted.start)) if more else None,
    )


def cursor_at(places: Places) -> str:
    """The cursor of a page that begins there."""
    return "t" + ".".join(str(places[log]) for log in trail.LOGS)


def places_of(cursor: str | None) -> Places:
    """Where a cursor leads; the beginning without one."""
    if cursor is None:
        return trail.START
    numbers = cursor.removeprefix("t").split(".")
    if len(numbers) != len(trail.LOGS) or not all(
        number.isascii() and number.isdigit() and len(number) < 16 for number in numbers
    ):
        raise InvalidRequestError(
            "the cursor is not one of ours", (("/cursor", "take it from next_cursor"),)
        )
    return dict(zip(trail.LOGS, map(int, numbers), strict=True))


def _deliveries_of(
    connection: Connection, organisation: str, shown: Sequence[TrailEntry]
) -> dict[bytes, list[DeliveryTold]]:
    entry_of = {entry.id: entry.id for entry in shown if entry.log is Log.CONSENT}
    for entry in shown:
        if entry.told is not None:
            entry_of |= dict.fromkeys(ids_told(entry.id, entry.told[0]), entry.id)
    told: dict[bytes, list[DeliveryTold]] = {}
    for sent in deliveries.of_events(connection, organisation, list(entry_of)):
        told.setdefault(entry_of[sent.event_id], []).append(
            DeliveryTold(
                webhook=sent.endpoint,
                state=sent.state,
                deadline_at=sent.deadline_at,
                delivered_at=sent.delivered_at,
                applied_at=sent.applied_at,
            )
        )
    return told


def _told(entry: TrailEntry, sent: list[DeliveryTold]) -> EntryTold:
    leaf = entry.leaf
    is_event = entry.log is Log.CONSENT and isinstance(entry.opened, Opened)
    return EntryTold(
        log=entry.log,
        index=entry.index,
        id=label_of(EVENT_PREFIX if entry.log is Log.CONSENT else CHECK_PREFIX, entry.id),
        type=leaf.type,
        occurred_at=leaf.occurred_at,
        recorded_at=leaf.recorded_at,
        channel=leaf.channel,
        purpose=leaf.purpose,
        level=leaf.level,
        release=leaf.release,
        actor=leaf.actor,
        leaf_hash=entry.leaf_hash.hex(),
        event=msgspec.Raw(entry.opened.canonical)
        if is_event and isinstance(entry.opened, Opened)
        else None,
        decision=None if entry.decision is None else _decision(entry.decision),
        withheld=entry.withheld,
        deliveries=sent,
    )


def _decision(opened: OpenedDecision) -> DecisionTold:
    decision, around = opened.decision, opened.circumstances
    reasons, obligations = reasons_of(decision)
    return DecisionTold(
        verdict=decision.verdict,
        sender=around.sender,
        reference=around.reference,
        not_before=decision.not_before,
        reasons=reasons,
        obligations=obligations,
        evidence=list(decision.rests_on),
    )
