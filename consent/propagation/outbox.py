"""A row for each event and each endpoint that wants it, in the transaction of the event itself.

What is told goes out sealed under the organisation's delivery key, bound to its row, and only
once the transaction has committed; so nothing is told that did not happen, and nothing that
happened is forgotten.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from consent import own_addresses, standing
from consent.among import ByMany
from consent.events import STOPS, CarriedStop, ConsentEvent
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.columns import microseconds_of
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt
from consent.propagation import endpoints, lines
from consent.propagation.cloud_events import Told, body_of, source_of
from consent.propagation.endpoints import Listening
from consent.propagation.reached import Reached
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import EVENT_OF_KIND, OWED, State, Urgency, WebhookEvent
from consent.rows import Rows
from consent.subjects import Whom
from jurisdictions.addresses import Address

_CONTEXT: Final = b"webhook delivery"
_C = webhook_delivery.c
_ROWS = Rows(
    webhook_delivery,
    "id",
    "organisation",
    "endpoint",
    "position",
    "event_id",
    "event",
    "log",
    "sequence",
    "subject",
    "urgency",
    "state",
    "due_at",
    "attempt_count",
    "recorded_at",
    "sealed_body",
)
_LAST_POSITION = ByMany(
    lambda among: (
        sa.select(_C.endpoint, sa.func.max(_C.position))
        .where(among(_C.endpoint, "ids"))
        .group_by(_C.endpoint)
    )
)
_IN_LINE = ByMany(
    lambda among: (
        sa.select(_C.subject, _C.endpoint)
        .where(among(_C.subject, "subjects"), _C.state == sa.literal_column("'pending'"))
        .distinct()
    )
)
_KNOWN = ByMany(
    lambda among: sa.select(_C.event_id, _C.endpoint).where(among(_C.event_id, "event_ids"))
)


class Happened(msgspec.Struct, frozen=True):
    """A consent event that was put on record in this transaction."""

    whom: Whom
    event: ConsentEvent
    subject: bytes
    receipt: Receipt

    @property
    def event_id(self) -> bytes:
        """The id of the event that is told of it."""
        return self.receipt.event_id


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Who was erased: ids of one person, or nobody on record; all addresses, and a token of each of
    their spellings."""

    people: Sequence[bytes]
    addresses: Collection[str]
    tokens: Sequence[bytes]


def tell_recorded(
    connection: Connection,
    organisation: str,
    happened: Sequence[Happened | Reached],
    *,
    keys: KeyRing,
    now: datetime,
    listening: Sequence[Listening] | None = None,
) -> int:
    """Queue what endpoints want to know of events just recorded; give how many rows.

    The body of an opt-out names every address of the person: it holds for all of them.
    ``listening``: only these, of what was recorded long ago and is told them again.
    """
    told = [(one, event) for one in happened if (event := _event_of(one)) is not None]
    if not told:
        return 0
    if listening is None:
        listening = endpoints.listening(connection, organisation)
    told = [(one, event) for one, event in told if any(by.wants(event) for by in listening)]
    if not told:
        return 0
    linked = _linked_with(connection, organisation, {one.subject for one, _ in told}, keys)

    @cache
    def own_of(person: bytes) -> frozenset[str]:
        found, _, _ = own_addresses.addresses_of(connection, organisation, person, keys)
        return frozenset(found)

    return tell(
        connection,
        organisation,
        [
            Told(
                event=event,
                event_id=one.event_id,
                at=one.receipt.recorded_at,
                subject=one.subject,
                line=min(one.subject, *others) if others else one.subject,
                log=Log.CONSENT.value,
                index=one.receipt.index,
                data=_data_of(one, _addresses_of(one, others, own_of)),
            )
            for one, event in told
            for others in (linked.get(one.subject, ()),)
        ],
        listening=listening,
        keys=keys,
        now=now,
    )


def tell(
    connection: Connection,
    organisation: str,
    told: Sequence[Told],
    *,
    keys: KeyRing,
    now: datetime,
    listening: Sequence[Listening] | None = None,
    once: bool = False,
) -> int:
    """Queue each for every endpoint that wants it, in order; give how many rows were made.

    Runs under the lock of the organisation's logs. ``once``: what was queued under this event
    id before is left out, for events that are no entry of a log.
    """
    if listening is None:
        listening = endpoints.listening(connection, organisation)
    wanted = [(one, by) for one in told for by in listening if by.wants(one.event)]
    if once and wanted:
        known = set(map(tuple, _known(connection, [one.event_id for one, _ in wanted])))
        wanted = [(one, by) for one, by in wanted if (one.event_id, by.id) not in known]
    if not wanted:
        return 0
    source = source_of(keys.ledger_id, organisation)
    bodies = {id(one): body_of(one, source) for one in {id(one): one for one, _ in wanted}.values()}
    positions = _last_positions(connection, {by.id for _, by in wanted})
    usual = {one.whose: one.place for one, _ in wanted if one.whose and one.place}
    line_of = lines.lines_of(connection, organisation, usual)
    in_line = _in_line(connection, set(line_of.values()))
    at = microseconds_of(now)
    rows: list[tuple[Any, ...]] = []
    for one, by in wanted:
        id_ = uuid7(now)
        place = positions[by.id] = positions.get(by.id, -1) + 1
        line = None if one.whose is None else line_of[one.whose]
        waits = line is not None and (line, by.id) in in_line
        in_line.add((line, by.id))
        rows.append(
            (
                id_,
                organisation,
                by.id,
                place,
                one.event_id,
                one.event.value,
                one.log,
                one.index,
                line,
                int(Urgency.FIRST if one.event in OWED else Urgency.OTHER),
                State.PENDING.value,
                None if waits else at,
                0,
                at,
                seal_body(organisation, id_, bodies[id(one)], keys=keys, now=now),
            )
        )
    _ROWS.insert(connection, rows)
    return len(rows)


def seal_body(organisation: str, id_: bytes, body: bytes, *, keys: KeyRing, now: datetime) -> bytes:
    """Seal the body of the delivery ``id_``."""
    return keys.seal(organisation, KeyKind.DELIVERY, body, _CONTEXT, id_, at=now)


def open_body(organisation: str, id_: bytes, sealed: bytes, *, keys: KeyRing) -> bytes:
    """Open it again. ``BrokenSealError``: it was changed, or belongs to another row."""
    return keys.open_sealed(organisation, KeyKind.DELIVERY, sealed, _CONTEXT, id_)


def tell_erased(
    connection: Connection,
    organisation: str,
    receipt: Receipt,
    forgotten: Forgotten,
    *,
    keys: KeyRing,
    now: datetime,
) -> None:
    """Queue whom to forget, which only their addresses say, for who wants to know.

    It goes behind what was told of them, and before what will be.
    """
    people, tokens = forgotten.people, forgotten.tokens
    # The address of a stranger has a line as well: it may come yet.
    whose = people or tokens[:1]
    told = Told(
        event=WebhookEvent.ERASED,
        event_id=receipt.event_id,
        at=now,
        subject=people[0] if people else None,
        line=min(whose),
        log=Log.CONSENT.value,
        index=receipt.index,
        data={"addresses": sorted(forgotten.addresses), "occurred_at": now},
    )
    tell(connection, organisation, [told], keys=keys, now=now)
    lines.leave(connection, organisation, whose, tokens)


def _event_of(one: Happened | Reached) -> WebhookEvent | None:
    if isinstance(one, Reached):
        return WebhookEvent.REVOKED
    return EVENT_OF_KIND.get(one.event.event)


def _data_of(one: Happened | Reached, addresses: Sequence[str]) -> dict[str, Any]:
    """What a receiver acts on. What is null was not said: of an opt-out, that it covers all.

    ``stop_sequence``: where the stop itself stands in the log, when a link brought it here.
    """
    said = one.stop if isinstance(one, Reached) else one.event
    data: dict[str, Any] = {
        "event": said.event.value,
        "address": addresses[0] if addresses else None,
        "addresses": list(addresses),
        "sender": said.sender,
        "channel": said.channel,
        "purpose": said.purpose,
        "topic": None if isinstance(said, CarriedStop) else said.topic,
        "brand": said.brand,
        "occurred_at": said.at,
    }
    if said.via is not None:
        data["via"] = said.via
    if isinstance(one, Reached):
        data["stop_sequence"] = str(one.stop.index)
        return data
    if one.event.level is not None:
        data["level"] = one.event.level.word
    if one.event.flags:
        data["flags"] = list(one.event.flags)
    return data


def _linked_with(
    connection: Connection, organisation: str, people: Collection[bytes], keys: KeyRing
) -> dict[bytes, tuple[bytes, ...]]:
    """Who else is each of these persons, as their standings say, which this turn has just written.

    Of one that does not open nobody knows; its person's checks are refused meanwhile.
    """
    rows = standing.load_rows(connection, organisation, list(people))
    opened = {
        id_: standing.open_row(keys, organisation, id_, row[0], row) for id_, row in rows.items()
    }
    return {
        id_: one.linked
        for id_, one in opened.items()
        if isinstance(one, standing.Standing) and one.linked
    }


def _addresses_of(
    one: Happened | Reached, linked: Sequence[bytes], own_of: Callable[[bytes], Collection[str]]
) -> list[str]:
    """The address that an event came for first, and then all others that it holds for. What a link
    brought is told of each address by itself.

    Addresses are told by their persons' own entries only (``own_of``: those of one of them).
    """
    own = [one.whom] if isinstance(one.whom, Address) else []
    spelt = {spelling for address in own for spelling in address.spellings}
    if isinstance(one, Reached) or (own and one.event.event not in STOPS):
        linked = ()
    others: set[str] = set()
    for person in (*linked, *(() if own else (one.subject,))):
        others.update(own_of(person))
    return [address.normalised for address in own] + sorted(others - spelt)


def _last_positions(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    return dict(map(tuple, _LAST_POSITION.fetch(connection, {"ids": sorted(ids)})))


def _in_line(connection: Connection, subjects: Collection[bytes]) -> set[tuple[bytes | None, str]]:
    if not subjects:
        return set()
    rows = _IN_LINE.fetch(connection, {"subjects": sorted(subjects)})
    return {(subject, endpoint) for subject, endpoint in rows}


def _known(connection: Connection, event_ids: Collection[bytes]) -> Sequence[Sequence[Any]]:
    return _KNOWN.fetch(connection, {"event_ids": sorted(event_ids)})
