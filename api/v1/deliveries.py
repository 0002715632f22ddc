"""Deliveries: what was sent to webhooks, what became of it, and what is late."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy import Connection

from api.call import Answer, Call
from api.decoding import decode
from api.dispatch.dispatcher import Dispatcher
from api.errors import InvalidRequestError
from api.openapi import body_shapes
from api.operations.propagation.follow_deliveries import (
    AppliedReport,
    ReportApplied,
    RetryDeliveries,
    RetryRequest,
    SignedReport,
    check_report,
)
from api.operations.propagation.keep_webhooks import find_webhook
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to, public
from api.work import Reply
from consent.keys.key_ring import KeyRing
from consent.ledger.columns import instant_of, microseconds_of
from consent.ledger.identifiers import id_of, label_of
from consent.propagation import deliveries
from consent.propagation.cloud_events import EVENT_PREFIX
from consent.propagation.deliveries import ID_PREFIX, Delivery
from consent.propagation.words import Problem, State, WebhookEvent

_NEWEST = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()

StateQuery = Annotated[
    State | None, QueryParameter(name="state", description="Only those that stand so.")
]
Late = Annotated[bool, QueryParameter(description="Only those whose deadline is over.")]


class DeliveryShape(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one webhook.

    ``event`` is its id, ``sequence`` its index in ``log``. ``next_attempt_at`` is null once it has
    arrived or was given up, and while an earlier one of the same person goes first.
    ``deadline_at`` is the law's, by ``deadline_rule``; without a rule it is our own limit.
    """

    id: str
    webhook: str
    type: WebhookEvent
    event: str
    log: str | None
    sequence: int | None
    subject: str | None
    state: State
    attempts: int
    recorded_at: datetime
    first_attempt_at: datetime | None
    last_attempt_at: datetime | None
    next_attempt_at: datetime | None
    last_status: int | None
    last_problem: Problem | None
    deadline_at: datetime | None
    deadline_rule: str | None
    late: bool
    delivered_at: datetime | None
    applied_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery, now: datetime) -> "DeliveryShape":
        """As it stands at ``now``; late is also what arrived too late."""
        settled, deadline = delivery.settled_at or now, delivery.deadline_at
        return cls(
            id=label_of(ID_PREFIX, delivery.id),
            webhook=delivery.endpoint,
            type=delivery.event,
            event=label_of(EVENT_PREFIX, delivery.event_id),
            log=delivery.log,
            sequence=delivery.sequence,
            subject=None if delivery.subject is None else delivery.subject.hex(),
            state=delivery.state,
            attempts=delivery.attempt_count,
            recorded_at=delivery.recorded_at,
            first_attempt_at=delivery.first_attempt_at,
            last_attempt_at=delivery.last_attempt_at,
            next_attempt_at=delivery.due_at,
            last_status=delivery.last_status,
            last_problem=delivery.last_problem,
            deadline_at=deadline,
            deadline_rule=delivery.deadline_rule,
            late=deadline is not None and settled > deadline,
            delivered_at=delivery.delivered_at,
            applied_at=delivery.applied_at,
        )


class AppliedRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A receiver's word that it acted on a delivery. ``note`` is its own, and is not kept."""

    note: Annotated[str, msgspec.Meta(max_length=1000)] | None = None


class AppliedShape(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of it. ``in_time``: null where there is no deadline."""

    id: str
    state: State
    applied_at: datetime | None
    deadline_at: datetime | None
    in_time: bool | None

    @classmethod
    def of(cls, delivery: Delivery) -> "AppliedShape":
        """As its receiver may know it."""
        applied, deadline = delivery.applied_at, delivery.deadline_at
        return cls(
            id=label_of(ID_PREFIX, delivery.id),
            state=delivery.state,
            applied_at=applied,
            deadline_at=deadline,
            in_time=None if applied is None or deadline is None else applied <= deadline,
        )


_APPLIED = msgspec.json.Decoder(AppliedRequest)


@get(
    "/v1/webhooks/{webhook:str}/deliveries",
    opt=open_to(Role.ADMIN),
    operation_id="listDeliveries",
    summary="List deliveries to a webhook",
)
async def get_deliveries(
    webhook: FromPath[str],
    request: Call,
    key_ring: NamedDependency[KeyRing],
    *,
    in_state: FromQuery[StateQuery] = None,
    cursor: FromQuery[Cursor] = None,
    limit: FromQuery[Limit] = LIMIT_DEFAULT,
) -> Answer[Page[DeliveryShape]]:
    """The newest first. What they held is not shown: it goes to the receiver only."""
    organisation, now, before = request.caller.organisation, request.now, _before(cursor)

    def found(connection: Connection, _: datetime) -> list[Delivery]:
        find_webhook(connection, organisation, webhook, keys=key_ring)
        return deliveries.load_page(
            connection, organisation, webhook, before=before, limit=limit + 1, state=in_state
        )

    return await request.read(
        found,
        shape=lambda page: page_of(
            page,
            limit,
            shape=lambda one: DeliveryShape.of(one, now),
            place=lambda one: str(one.position),
        ),
    )


@get(
    "/v1/propagation",
    opt=open_to(Role.AUDITOR),
    operation_id="readPropagation",
    summary="List what is under way, and what is late",
)
async def get_propagation(
    request: Call,
    late: FromQuery[Late] = False,
    cursor: FromQuery[Cursor] = None,
    limit: FromQuery[Limit] = LIMIT_DEFAULT,
) -> Answer[Page[DeliveryShape]]:
    """Opt-outs and erasures that have not arrived everywhere, the nearest deadline first."""
    organisation, now = request.caller.organisation, request.now
    place, after = _place(cursor)
    return await request.read(
        lambda connection, _: deliveries.load_under_way(
            connection,
            organisation,
            place=place,
            after=after,
            limit=limit + 1,
            late_at=now if late else None,
        ),
        shape=lambda page: page_of(
            page, limit, shape=lambda one: DeliveryShape.of(one, now), place=_place_text
        ),
    )


@post(
    "/v1/deliveries/{delivery:str}/retry",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="retryDelivery",
    summary="Attempt a delivery now",
)
async def post_retry(
    delivery: FromPath[str],
    request: Call,
    retry_deliveries: NamedDependency[RetryDeliveries],
    dispatcher: NamedDependency[Dispatcher],
) -> Answer[DeliveryShape]:
    """Also one that was given up. 409: it has arrived, or another goes first; `delivery_overtaken`:
    it is a grant or a confirmation that would come behind what its person said later."""
    wanted = RetryRequest(request.caller.organisation, id_of(ID_PREFIX, delivery))
    now = request.now
    woken: list[str] = []

    def shape(found: Delivery) -> DeliveryShape:
        woken.append(found.endpoint)
        return DeliveryShape.of(found, now)

    answer = await request.write(retry_deliveries, wanted, shape=shape)
    for endpoint in woken:
        dispatcher.wake(endpoint)
    return answer


@post(
    "/v1/deliveries/{delivery:str}/applied",
    status_code=200,
    opt=public() | body_shapes(AppliedRequest),
    operation_id="reportApplied",
    summary="Report that an event was acted on",
)
async def post_applied(
    delivery: FromPath[str],
    request: Call,
    key_ring: NamedDependency[KeyRing],
    report_applied: NamedDependency[ReportApplied],
) -> Answer[AppliedShape]:
    """By the receiver, signed as what it received was: ``webhook-id``, ``webhook-timestamp`` and
    ``webhook-signature`` (``v1``, with the webhook's secret) over this body. The first counts."""
    id_ = id_of(ID_PREFIX, delivery)
    report = SignedReport(
        delivery=id_,
        id=_header(request, b"webhook-id"),
        timestamp=_header(request, b"webhook-timestamp"),
        signature=_header(request, b"webhook-signature"),
        body=await request.body(),
    )
    service, now = request.exchange.service, request.now
    known = await service.reader.run(
        lambda connection: check_report(connection, report, keys=key_ring, now=now)
    )
    if report.id != delivery:  # A signature for one delivery says nothing of another.
        raise InvalidRequestError("webhook-id names the delivery that is reported")
    decode(await request.json_bytes(), _APPLIED)
    found = await service.writer.submit(
        report_applied, AppliedReport(known.id), organisation=known.organisation
    )
    return Answer(Reply(200, _ENCODER.encode(AppliedShape.of(found))))


def _header(request: Call, name: bytes) -> str:
    return (request.header(name) or b"").decode("latin-1")


def _before(cursor: str | None) -> int:
    text = place_of(cursor)
    if not text:
        return _NEWEST
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _no_cursor()
    return int(text)


def _place(cursor: str | None) -> tuple[datetime, bytes]:
    text = place_of(cursor)
    if not text:
        return _EPOCH, b""
    at, _, id_ = text.partition(".")
    try:
        if not at.isascii() or not at.isdigit():
            raise ValueError(at)
        return instant_of(int(at)), bytes.fromhex(id_)
    except (ValueError, OverflowError):
        raise _no_cursor() from None


def _place_text(delivery: Delivery) -> str:
    return f"{microseconds_of(deliveries.place_of(delivery))}.{delivery.id.hex()}"


def _no_cursor() -> InvalidRequestError:
    return InvalidRequestError(
        "the cursor is not one of ours", (("/cursor", "take it from next_cursor"),)
    )
