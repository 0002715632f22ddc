"""Replies that may have meant stop, until somebody has decided on them: a projection.

A row follows from each ``hold`` of the consent log, and from the revoke or release that answers
it. It holds no text and no address: those lie sealed in the entry.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.events import ConsentEvent, RecordedKind, decode_payload
from consent.fsck.payloads import COLUMNS, Payloads
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.leaf import Leaf, decode_leaf
from consent.ledger.tables import log_entry, log_payload
from consent.standing import KeptEvent
from consent.suppression import Suppressed, Token
from consent.tables import review
from rules.vocabulary import Channel, Purpose

HOLD: Final = RecordedKind.HOLD.value


class Outcome(StrEnum):
    """How a review ended. Who was erased has no reply left that anybody could read."""

    REVOKE = "revoke"
    RELEASE = "release"
    ERASED = "erased"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that was held, at ``idx`` of the consent log; open while ``outcome`` is None.

    ``sender``, ``channel``, ``purpose`` and ``brand`` are the scope that the hold was given.
    """

    event_id: bytes
    idx: int
    subject: bytes
    occurred_at: datetime
    recorded_at: datetime
    sender: str | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    brand: str | None = None
    outcome: Outcome | None = None


class HeldReply(msgspec.Struct, frozen=True, kw_only=True):
    """What was held: the event as it was recorded, and the address that it came from."""

    event: ConsentEvent
    address: str | None


def open_many(connection: Connection, organisation: str, reviews: Iterable[Review]) -> None:
    """Put new ones before the reviewers, in one statement."""
    rows = [row_of(organisation, one) for one in reviews]
    if rows:
        connection.execute(sa.insert(review), rows)


def settle_many(connection: Connection, organisation: str, events: Iterable[KeptEvent]) -> None:
    """Close those that these events answer."""
    for event in events:
        if event.answers is not None:
            connection.execute(
                _SETTLE,
                {
                    "of_organisation": organisation,
                    "at": event.answers,
                    "how": Outcome(event.event.value).value,
                },
            )


def find(connection: Connection, organisation: str, event_id: bytes) -> Review | None:
    """The review of this hold, decided or not."""
    wanted = {"organisation": organisation, "event_id": event_id}
    row = connection.execute(_BY_ID, wanted).one_or_none()
    return None if row is None else review_of(row)


def list_open(connection: Connection, organisation: str, *, after: int, count: int) -> list[Review]:
    """Those still open, oldest entry first, behind the entry at ``after``."""
    wanted = {"organisation": organisation, "after": after, "count": count}
    return [review_of(row) for row in connection.execute(_OPEN, wanted)]


def load_of(
    connection: Connection, organisation: str, people: Sequence[bytes]
) -> dict[bytes, list[Review]]:
    """Every review of these persons, in one statement."""
    found: dict[bytes, list[Review]] = {}
    if people:
        wanted = {"organisation": organisation, "people": list(people)}
        for row in connection.execute(_ALL_OF, wanted):
            found.setdefault(row.subject, []).append(review_of(row))
    return found


def write_anew(connection: Connection, organisation: str, reviews: Sequence[Review]) -> None:
    """Put these rows in place of whatever stands for their holds."""
    for one in reviews:
        wanted = {"of_organisation": organisation, "at": one.idx, "id": one.event_id}
        connection.execute(_DELETE, wanted)
    open_many(connection, organisation, reviews)


def close_erased(
    connection: Connection, organisation: str, people: Sequence[bytes]
) -> list[Review]:
    """Close what is open of persons about to be erased, and say what it was."""
    if not people:
        return []
    wanted = {"of_organisation": organisation, "people": list(people)}
    found = [review_of(row) for row in connection.execute(_OPEN_OF, wanted)]
    if found:
        connection.execute(_CLOSE_ERASED, wanted)
    return found


def still_doubted(reviews: Iterable[Review], tokens: Iterable[Token]) -> list[Suppressed]:
    """What keeps these replies a doubt once nothing else of the person is left."""
    return [
        Suppressed(
            token=token.token,
            token_version=token.version,
            kind=HOLD,
            idx=one.idx,
            at=one.occurred_at,
            sender=one.sender,
            channel=one.channel,
            purpose=one.purpose,
            brand=one.brand,
        )
        for one in reviews
        for token in tokens
    ]


def read_replies(
    connection: Connection, organisation: str, reviews: Sequence[Review], *, keys: KeyRing
) -> dict[bytes, HeldReply]:
    """What was held, by its event's id; what does not open is absent."""
    if not reviews:
        return {}
    ids = [one.event_id for one in reviews]
    entries = _ENTRIES.execute(connection, {"ids": ids, "organisation": organisation}).all()
    payloads = Payloads(connection, organisation, keys)
    payloads.prepare(entry.subject for entry in entries if entry.subject is not None)
    found = {}
    for entry in entries:
        try:
            opened = payloads.open(decode_leaf(entry.leaf), entry.event_id, entry.subject, entry)
            event, address = decode_payload(opened)
        except (BrokenSealError, UnknownKeyError, msgspec.MsgspecError):
            continue  # The reviewer sees that it cannot be read; ``ledger fsck`` says why.
        found[entry.event_id] = HeldReply(event=event, address=address)
    return found


def opened_by(event: KeptEvent, event_id: bytes, subject: bytes, recorded_at: datetime) -> Review:
    """The review that a hold opens."""
    assert event.event is RecordedKind.HOLD, "only a hold waits for a decision"
    return Review(
        event_id=event_id,
        idx=event.index,
        subject=subject,
        occurred_at=event.at,
        recorded_at=recorded_at,
        sender=event.sender,
        channel=event.channel,
        purpose=event.purpose,
        brand=event.brand,
    )


def opened_by_leaf(leaf: Leaf, index: int, event_id: bytes, subject: bytes) -> Review:
    """The review of somebody erased, as far as the leaf of the hold still tells it."""
    return Review(
        event_id=event_id,
        idx=index,
        subject=subject,
        occurred_at=leaf.occurred_at,
        recorded_at=leaf.recorded_at,
        channel=Channel(leaf.channel) if leaf.channel else None,
        purpose=Purpose(leaf.purpose) if leaf.purpose else None,
        outcome=Outcome.ERASED,
    )


def row_of(organisation: str, one: Review) -> dict[str, Any]:
    """The row that stands for a review."""
    return {"organisation": organisation, **msgspec.structs.asdict(one)}


def review_of(row: Any) -> Review:
    """A row as it is read."""
    return Review(
        event_id=row.event_id,
        idx=row.idx,
        subject=row.subject,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        sender=row.sender,
        channel=Channel(row.channel) if row.channel else None,
        purpose=Purpose(row.purpose) if row.purpose else None,
        brand=row.brand,
        outcome=Outcome(row.outcome) if row.outcome else None,
    )


_R = review.c
_BY_ID = sa.select(review).where(
    _R.organisation == bindparam("organisation"), _R.event_id == bindparam("event_id")
)
_OPEN = (
    sa.select(review)
    .where(
        _R.organisation == bindparam("organisation"),
        _R.outcome.is_(None),
        _R.idx > bindparam("after"),
    )
    .order_by(_R.idx)
    .limit(bindparam("count"))
)
# Written so that no index serves the organisation: SQLite would take that of the places, and read
# all of an organisation's reviews for every few people.
_ALL_OF = (
    sa.select(review)
    .where(
        _R.organisation.concat("") == bindparam("organisation"),
        _R.subject.in_(bindparam("people", expanding=True)),
    )
    .order_by(_R.idx)
)
_DELETE = sa.delete(review).where(
    sa.or_(
        sa.and_(_R.organisation == bindparam("of_organisation"), _R.idx == bindparam("at")),
        _R.event_id == bindparam("id"),
    )
)
_OF_PEOPLE = (
    _R.organisation.concat("") == bindparam("of_organisation"),
    _R.subject.in_(bindparam("people", expanding=True)),
    _R.outcome.is_(None),
)
_OPEN_OF = sa.select(review).where(*_OF_PEOPLE).order_by(_R.idx)
_CLOSE_ERASED = sa.update(review).where(*_OF_PEOPLE).values(outcome=Outcome.ERASED.value)
_SETTLE = (
    sa.update(review)
    .where(
        _R.organisation == bindparam("of_organisation"),
        _R.idx == bindparam("at"),
        _R.outcome.is_(None),
    )
    .values(outcome=bindparam("how"))
)
_E = log_entry.c
_ENTRIES = ByMany(
    lambda among: (
        sa.select(_E.event_id, _E.subject, _E.leaf, *COLUMNS)
        .select_from(log_entry.join(log_payload, log_payload.c.event_id == _E.event_id))
        .where(among(_E.event_id, "ids"), _E.organisation == bindparam("organisation"))
    )
)
