"""Replies that may have meant stop: read by a person, and decided on."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter

from api.call import Answer, Call, unchanged
from api.errors import InvalidRequestError
from api.openapi import shown
from api.operations.decide_reviews import DecideReviews, OpenReview, ReviewDecision, list_reviews
from api.operations.record_access import Access, AccessKind, RecordAccess
from api.operations.record_events import ID_PREFIX
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to
from api.v1.receipts import ReceiptShape
from consent.events import Flag
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import id_of, label_of
from rules.vocabulary import Channel, Purpose, Via

EXAMPLE_DECISION = {"decision": "revoke", "why": "she asks not to be written to again"}

ReviewId = Annotated[str, PathParameter(description="Of the hold.", max_length=64)]


class ReviewShape(msgspec.Struct, frozen=True, kw_only=True):
    """A held reply. ``text`` is null where it does not open any more.

    ``sender``, ``channel`` and ``purpose`` say how far a revoke would reach; null means all.
    """

    id: str
    index: int
    subject: str
    sender: str | None
    channel: Channel | None
    purpose: Purpose | None
    via: Via | None
    text: str | None
    why: str | None
    flags: list[Flag]
    at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, one: OpenReview) -> "ReviewShape":
        """Render it."""
        review, event = one.review, None if one.reply is None else one.reply.event
        return cls(
            id=label_of(ID_PREFIX, review.event_id),
            index=review.idx,
            subject=review.subject.hex(),
            sender=review.sender,
            channel=review.channel,
            purpose=review.purpose,
            via=None if event is None else event.via,
            text=None if event is None else event.text,
            why=None if event is None else event.why,
            flags=[] if event is None else list(event.flags),
            at=review.occurred_at,
            recorded_at=review.recorded_at,
        )


class DecisionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it was a stop, and why you think so. ``why`` is sealed with the event."""

    decision: Literal["revoke", "release"]
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


@get(
    "/v1/reviews",
    opt=open_to(Role.COLLECTOR),
    operation_id="listReviews",
    summary="Replies that may have meant stop",
)
async def get_reviews(
    request: Call,
    key_ring: NamedDependency[KeyRing],
    record_access: NamedDependency[RecordAccess],
    cursor: FromQuery[Cursor] = None,
    limit: FromQuery[Limit] = LIMIT_DEFAULT,
) -> Answer[Page[ReviewShape]]:
    """Those that wait for a decision, oldest first; until then marketing to the person is denied.

    Reading them is put on record, person by person.
    """
    organisation, after = request.caller.organisation, _index_of(cursor)
    answer: Answer[Page[ReviewShape]] = await request.read(
        lambda connection, _: page_of(
            list_reviews(connection, organisation, after=after, count=limit + 1, keys=key_ring),
            limit,
            shape=ReviewShape.of,
            place=lambda one: str(one.review.idx),
        ),
        shape=unchanged,
    )
    await _put_on_record(request, record_access, answer.reply.body)
    return answer


@post(
    "/v1/reviews/{review:str}",
    status_code=201,
    opt=open_to(Role.COLLECTOR) | shown(request=EXAMPLE_DECISION),
    operation_id="decideReview",
    summary="Decide on a held reply",
)
async def post_review(
    data: JSONBody[DecisionRequest],
    request: Call,
    review: FromPath[ReviewId],
    decide_reviews: NamedDependency[DecideReviews],
) -> Answer[ReceiptShape]:
    """`revoke`: it was a stop, from the instant of the reply. `release`: it was none.

    Either is an event with its own receipt. What was decided once is a 409.
    """
    decision = ReviewDecision(
        organisation=request.caller.organisation,
        actor=request.caller.key,
        event_id=id_of(ID_PREFIX, review),
        revoke=data.decision == "revoke",
        why=data.why,
    )
    return await request.write(decide_reviews, decision, shape=ReceiptShape.of)


class _Shown(msgspec.Struct):
    subject: str


class _ShownPage(msgspec.Struct):
    items: list[_Shown]


async def _put_on_record(request: Call, record_access: RecordAccess, body: bytes) -> None:
    """Record whose replies were read, before they are shown; where that cannot be, none are."""
    writer = request.exchange.service.writer
    people = dict.fromkeys(
        item.subject for item in msgspec.json.decode(body, type=_ShownPage).items
    )
    organisation, key = request.caller.organisation, request.caller.key
    reads = (
        Access(organisation, key, AccessKind.REVIEW, bytes.fromhex(subject)) for subject in people
    )
    await asyncio.gather(
        *(writer.submit(record_access, read, organisation=organisation) for read in reads)
    )


def _index_of(cursor: str | None) -> int:
    """The index in the consent log behind which a page begins."""
    place = place_of(cursor)
    if not place:
        return -1
    if not (place.isascii() and place.isdigit() and len(place) <= 18):
        raise InvalidRequestError(
            "the cursor is not one of ours", (("/cursor", "take it from next_cursor"),)
        )
    return int(place)
