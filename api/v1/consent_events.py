"""Consent events, one or a batch. A stop among them is read as leniently as any opt-out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import post
from litestar.di import NamedDependency

from api.call import BODY_SIZE_MAX, Answer, Call
from api.decoding import decode, decode_all, decode_once
from api.errors import BodyTooLargeError, InvalidRequestError
from api.openapi import answer_shapes, body_shapes, shown
from api.operations.record_events import (
    EventAnswer,
    EventBatch,
    RecordEvent,
    RecordEvents,
    Said,
)
from api.operations.record_opt_out import RecordOptOuts
from api.roles import Role, open_to
from api.v1.receipts import BatchResponse, ItemShape, ReceiptShape
from api.v1.shapes import AddressText, Instant, MessageText, SenderName, Topic
from api.work import Reply
from consent.events import UNREFUSED, ConsentEvent, Disclosure, Evidence, RecordedKind
from consent.opt_outs import read_opt_out, stop_of
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from rules.vocabulary import LEVEL_OF_WORD, Channel, Purpose, Quality, Via

BATCH_SIZE_MAX = 8 * 1024 * 1024
EVENT_COUNT_MAX = 1000
EXAMPLE_EVENT = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "grant",
    "at": "2026-01-05T10:00:00-05:00",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
    "evidence": {
        "method": "web_form",
        "source_url": "https://shop.example.com/sign-up",
        "ip": "203.0.113.9",
        "language": "en",
        "disclosure": {"version": "2026-01", "text": "By ticking this box you agree to …"},
    },
}

EventWord = Literal[
    "grant",
    "confirm",
    "revoke",
    "purchase",
    "contract",
    "inquiry",
    "donation",
    "membership",
    "publication",
    "sent",
    "complaint",
    "hold",
]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DisclosureShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the person was shown when they consented."""

    version: Word | None = None
    text: MessageText | None = None

    def to_disclosure(self) -> Disclosure:
        """As it is sealed."""
        return Disclosure(version=self.version, text=self.text)


class EvidenceShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the event can be proven. It is sealed, and destroyed when the person is erased."""

    method: Word | None = None
    source_url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    ip: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    user_agent: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    language: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    disclosure: DisclosureShape | None = None

    def to_evidence(self) -> Evidence:
        """As it is sealed."""
        shown_to = self.disclosure
        return Evidence(
            method=self.method,
            source_url=self.source_url,
            ip=self.ip,
            user_agent=self.user_agent,
            language=self.language,
            disclosure=None if shown_to is None else shown_to.to_disclosure(),
        )


class ConsentEventRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One fact about a person's will or relationship. ``at`` defaults to now."""

    address: AddressText
    event: EventWord
    sender: SenderName | None = None
    at: Instant | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    topic: Topic | None = None
    brand: Word | None = None
    level: Literal["implied", "express", "express_written"] | None = None
    double_opt_in: bool = False
    night: bool = False
    separate: bool = False
    guardian: bool = False
    cross_border: bool = False
    one_to_one: bool = False
    opt_out_offered: bool = False
    similar_products: bool = False
    expires_at: Instant | None = None
    ends_at: Instant | None = None
    via: Via | None = None
    text: MessageText | None = None
    evidence: EvidenceShape | None = None

    def to_event(self, now: datetime) -> ConsentEvent:
        """As it is recorded."""
        return ConsentEvent(
            event=RecordedKind(self.event),
            at=self.at or now,
            sender=self.sender,
            channel=self.channel,
            purpose=self.purpose,
            topic=self.topic,
            brand=self.brand,
            level=None if self.level is None else LEVEL_OF_WORD[self.level],
            qualities=frozenset(q for q in Quality if getattr(self, q.value)),
            expires_at=self.expires_at,
            ends_at=self.ends_at,
            via=self.via,
            text=self.text,
            evidence=None if self.evidence is None else self.evidence.to_evidence(),
        )


class ConsentEventBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to a thousand events, answered item by item."""

    events: Annotated[list[ConsentEventRequest], msgspec.Meta(max_length=EVENT_COUNT_MAX)]


class _Peek(msgspec.Struct):
    """Just enough of a body to tell how to read it."""

    events: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    event: Any = None


class _RawBatch(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=EVENT_COUNT_MAX)]


_PEEK = msgspec.json.Decoder(_Peek)
_RAW_BATCH = msgspec.json.Decoder(_RawBatch)
_STRICT = msgspec.json.Decoder(ConsentEventRequest)


class EventWorks:
    """The works of recording: a stop that comes alone goes before everything else."""

    def __init__(self, batches: RecordEvents) -> None:
        self.batches = batches
        self.single = RecordEvent(batches)
        self.opt_outs = RecordOptOuts(batches)

    def for_one(self, said: Said) -> RecordEvent | RecordOptOuts:
        """The work for a single event."""
        return self.opt_outs if said.event.event in UNREFUSED else self.single


@post(
    "/v1/consent-events",
    status_code=201,
    request_max_body_size=BATCH_SIZE_MAX,
    opt=open_to(Role.COLLECTOR)
    | shown(request=EXAMPLE_EVENT)
    | body_shapes(ConsentEventRequest, ConsentEventBatch)
    | answer_shapes({200: BatchResponse}),
    operation_id="recordConsentEvents",
    summary="Record one consent event, or a batch",
)
async def post_consent_events(
    request: Call, event_works: NamedDependency[EventWorks]
) -> Answer[ReceiptShape]:
    """One event gets 201 and its receipt; `{"events": [...]}` gets 200 and `results`.

    The answer is given once the events are durable, and a check that starts after it sees them.
    A stop (`revoke`, `complaint`) is never refused for its content: what cannot be read of it is
    kept, named in `flags`, and narrows nothing. So is a `hold`: a reply, in `text`, that may have
    meant stop. It waits at `/v1/reviews`, and marketing to the person is denied until then.
    """
    body, caller, now = await request.json_bytes(), request.caller, request.now
    if decode(body, _PEEK).events is not msgspec.UNSET:
        if body.count(b'"events"') > 1:
            decode_once(body, _RAW_BATCH)
        read = [_read_or_error(bytes(raw), now) for raw in decode(body, _RAW_BATCH).events]
        good = [item for item in read if isinstance(item, Said)]
        return await request.write_rendered(
            event_works.batches,
            EventBatch(caller.organisation, caller.key, good),
            render=lambda recorded: _render_batch(read, recorded),
            weight=max(1, len(good)),
        )
    if len(body) > BODY_SIZE_MAX:
        raise BodyTooLargeError(f"one event takes at most {BODY_SIZE_MAX} bytes")
    said = read_event(body, now)
    return await request.write(
        event_works.for_one(said),
        EventBatch(caller.organisation, caller.key, [said]),
        shape=ReceiptShape.of,
    )


def read_event(body: bytes, now: datetime) -> Said:
    """Read one event; a stop leniently where it cannot be read strictly."""
    try:
        strict = decode_once(body, _STRICT)
        address = parse_address(strict.address)
        if strict.event not in UNREFUSED or address.problem is None:
            return Said(address, strict.to_event(now))
        kind = RecordedKind(strict.event)
    except InvalidRequestError:
        stopped = stop_of(decode(body, _PEEK).event)
        if stopped is None:
            raise
        kind = stopped
    stop = read_opt_out(decode_all(body), now=now)
    return Said(parse_address(stop.address), msgspec.structs.replace(stop.event, event=kind))


def _read_or_error(raw: bytes, now: datetime) -> Said | ComplianceError:
    try:
        return read_event(raw, now)
    except ComplianceError as error:
        return error


def _render_batch(read: Sequence[Said | ComplianceError], recorded: Sequence[EventAnswer]) -> Reply:
    """Put the answers of what was recorded between the errors of what could not be read."""
    answers = iter(recorded)
    outcomes = [item if isinstance(item, ComplianceError) else next(answers) for item in read]
    results = [ItemShape.of(outcome) for outcome in outcomes]
    return Reply(200, msgspec.json.encode(BatchResponse(results)))
