"""Decide on held replies: a person says whether it was a stop, and that is an event as well."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from api.errors import NotFoundError, ReviewDecidedError
from api.operations.record_events import EventAnswer
from api.work import Priority
from consent import parted_doubts, reviews
from consent.events import STOPS, ConsentEvent, RecordedKind
from consent.keys.errors import BrokenSealError
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.recording import EventInput, record_events
from consent.reviews import HeldReply, Outcome, Review
from consent.subjects import KnownSubject, Whom
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Via


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecision:
    """What the person behind the key ``actor`` decided on the reply of that hold, and why."""

    organisation: str
    actor: str
    event_id: bytes
    revoke: bool
    why: str


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A reply to decide on. ``reply`` is None where it does not open."""

    review: Review
    reply: HeldReply | None


class DecideReviews:
    """The work. A revoke takes effect from when the reply was sent, and reaches what it reached."""

    name = "decide_review"
    priority = Priority.OPT_OUT

    def __init__(self, keys: KeyRing, *, release: str) -> None:
        self._keys = keys
        self._release = release

    def run_many(
        self, connection: Connection, requests: Sequence[ReviewDecision], *, now: datetime
    ) -> list[EventAnswer]:
        """Record each decision; the second on one reply finds it decided."""
        return [self._decide(connection, request, now) for request in requests]

    def _decide(
        self, connection: Connection, request: ReviewDecision, now: datetime
    ) -> EventAnswer:
        found = reviews.find(connection, request.organisation, request.event_id)
        if found is None:
            return NotFoundError("the organisation has no review of that id")
        if found.outcome is not None:
            return ReviewDecidedError(_ENDED[found.outcome])
        held = reviews.read_replies(connection, request.organisation, [found], keys=self._keys)
        reply = held.get(found.event_id)
        given = (
            self._revoke(request, found, reply, now)
            if request.revoke
            else self._release_of(request, found, now)
        )
        if isinstance(given, ComplianceError):
            return given
        answer, *_ = record_events(
            connection,
            request.organisation,
            [given, *self._for_others(connection, request.organisation, found, given, now)],
            keys=self._keys,
            now=now,
            release=self._release,
        )
        return answer

    def _for_others(
        self,
        connection: Connection,
        organisation: str,
        found: Review,
        given: EventInput,
        now: datetime,
    ) -> Iterator[EventInput]:
        """The same decision for whoever is held for this reply since they parted. What was written
        stays with whoever wrote it."""
        event = msgspec.structs.replace(given.event, text=None)
        people = parted_doubts.held_since_parting(
            connection, organisation, found.subject, found.idx, keys=self._keys
        )
        for person in people:
            whoms: Sequence[Whom] = [KnownSubject(person)]
            if event.event in STOPS:
                whoms = parted_doubts.addresses_of(
                    connection, organisation, person, keys=self._keys
                )
            for whom in whoms:
                yield EventInput(whom, event, uuid7(now), given.actor)

    def _revoke(
        self, request: ReviewDecision, found: Review, reply: HeldReply | None, now: datetime
    ) -> EventInput | ComplianceError:
        if reply is None or reply.address is None:
            return BrokenSealError("the reply does not open, so that it goes on being held")
        event = ConsentEvent(
            event=RecordedKind.REVOKE,
            at=found.occurred_at,
            sender=found.sender,
            channel=found.channel,
            purpose=found.purpose,
            brand=found.brand,
            via=reply.event.via or Via.KEYWORD,
            text=reply.event.text,
            why=request.why,
            answers=found.idx,
        )
        return EventInput(parse_address(reply.address), event, uuid7(now), request.actor)

    def _release_of(self, request: ReviewDecision, found: Review, now: datetime) -> EventInput:
        event = ConsentEvent(
            event=RecordedKind.RELEASE,
            at=now,
            sender=found.sender,
            channel=found.channel,
            purpose=found.purpose,
            brand=found.brand,
            why=request.why,
            answers=found.idx,
        )
        return EventInput(KnownSubject(found.subject), event, uuid7(now), request.actor)


def list_reviews(
    connection: Connection, organisation: str, *, after: int, count: int, keys: KeyRing
) -> list[OpenReview]:
    """What waits for a decision, oldest first, with what was written."""
    waiting = reviews.list_open(connection, organisation, after=after, count=count)
    replies = reviews.read_replies(connection, organisation, waiting, keys=keys)
    return [OpenReview(one, replies.get(one.event_id)) for one in waiting]


_ENDED = {
    Outcome.REVOKE: "it has been decided already: the reply was a stop",
    Outcome.RELEASE: "it has been decided already: the reply was no stop",
    Outcome.ERASED: "the person was erased with the reply; it goes on being a doubt",
}
