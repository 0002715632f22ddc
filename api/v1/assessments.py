"""What consent records would be worth, before or instead of recording them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import post
from litestar.di import NamedDependency

from api.call import BODY_SIZE_MAX, Answer, Call, unchanged
from api.decoding import decode
from api.errors import BodyTooLargeError, InvalidRequestError
from api.openapi import body_shapes, shown
from api.operations.assess.records import AssessmentAnswer, Given, assess_events
from api.problems import Problem, problem_of
from api.roles import Role, open_to
from api.v1.consent_events import (
    BATCH_SIZE_MAX,
    EVENT_COUNT_MAX,
    EXAMPLE_EVENT,
    ConsentEventRequest,
    read_event,
)
from consent.events import UNREFUSED
from jurisdictions.addresses import parse_address
from jurisdictions.places import locate
from jurisdictions.releases import Release
from rules.errors import ComplianceError
from rules.vocabulary import RecipientKind


class AssessmentRequest(ConsentEventRequest, frozen=True, kw_only=True):
    """A consent event as it would be recorded, and what is known of where the person is."""

    region: Annotated[
        str | None, msgspec.Meta(description="ISO 3166-2, or a country's alpha-2 code.")
    ] = None
    time_zone: Annotated[str | None, msgspec.Meta(description="An IANA time zone.")] = None
    kind: RecipientKind = RecipientKind.CONSUMER
    age: Annotated[int, msgspec.Meta(ge=0, le=150)] | None = None


class AssessmentBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Up to a thousand records, answered item by item."""

    events: Annotated[list[AssessmentRequest], msgspec.Meta(max_length=EVENT_COUNT_MAX)]


class AssessedItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item of a batch: its assessment, or why it could not be recorded either."""

    assessment: AssessmentAnswer | None = None
    error: Problem | None = None


class AssessmentResponse(msgspec.Struct, frozen=True):
    """Item by item, in the order of the batch."""

    results: list[AssessedItem]


class _Peek(msgspec.Struct):
    events: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    event: Any = None


class _RawBatch(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=EVENT_COUNT_MAX)]


_PEEK = msgspec.json.Decoder(_Peek)
_RAW_BATCH = msgspec.json.Decoder(_RawBatch)
_STRICT = msgspec.json.Decoder(AssessmentRequest)


@post(
    "/v1/consent-events/assess",
    status_code=200,
    request_max_body_size=BATCH_SIZE_MAX,
    opt=open_to(Role.COLLECTOR)
    | shown(request=EXAMPLE_EVENT | {"region": "US-NY"})
    | body_shapes(AssessmentRequest, AssessmentBatch),
    operation_id="assessConsentEvents",
    summary="What a consent record would be worth as proof",
)
async def post_assessment(
    request: Call, release: NamedDependency[Release]
) -> Answer[AssessmentAnswer | AssessmentResponse]:
    """The body of `/v1/consent-events`, and nothing is recorded. Under each law that binds: does
    the record permit messages, what does it lack, when does it lapse, how long must it be kept?

    The record is looked at by itself, whatever else is on record. `region`, `time_zone`, `kind` and
    `age` may stand beside it; an e-mail address without `region` has no known law.
    """
    body, organisation, now = await request.json_bytes(), request.caller.organisation, request.now
    if decode(body, _PEEK).events is msgspec.UNSET:
        if len(body) > BODY_SIZE_MAX:
            raise BodyTooLargeError(f"one event takes at most {BODY_SIZE_MAX} bytes")
        given = [_read(body, now, release)]
        return await request.read(
            lambda connection, now: _only(
                assess_events(connection, organisation, given, release=release, now=now)
            ),
            shape=unchanged,
        )
    read = [_read_or_error(bytes(raw), now, release) for raw in decode(body, _RAW_BATCH).events]
    good = [one for one in read if isinstance(one, Given)]
    return await request.read(
        lambda connection, now: _response(
            read, assess_events(connection, organisation, good, release=release, now=now)
        ),
        shape=unchanged,
    )


def _read(body: bytes, now: datetime, release: Release) -> Given:
    """Read one record strictly; a stop as leniently as it would be recorded."""
    try:
        strict = decode(body, _STRICT)
    except InvalidRequestError:
        if decode(body, _PEEK).event not in tuple(UNREFUSED):
            raise
        said = read_event(body, now)
        place = locate(said.address, region=None, time_zone=None, with_sheet=release.with_sheet)
        return Given(address=said.address, place=place, event=said.event, is_dated=True)
    address = parse_address(strict.address)
    place = locate(
        address, region=strict.region, time_zone=strict.time_zone, with_sheet=release.with_sheet
    )
    return Given(
        address=address,
        place=place,
        event=strict.to_event(now),
        is_dated=strict.at is not None,
        kind=strict.kind,
        age=strict.age,
    )


def _read_or_error(raw: bytes, now: datetime, release: Release) -> Given | ComplianceError:
    try:
        return _read(raw, now, release)
    except ComplianceError as error:
        return error


def _only(answers: Sequence[AssessmentAnswer | ComplianceError]) -> AssessmentAnswer:
    (answer,) = answers
    if isinstance(answer, ComplianceError):
        raise answer
    return answer


def _response(
    read: Sequence[Given | ComplianceError],
    assessed: Sequence[AssessmentAnswer | ComplianceError],
) -> AssessmentResponse:
    """Put the assessments between the errors of what could not be read."""
    answers = iter(assessed)
    outcomes: list[Any] = [
        one if isinstance(one, ComplianceError) else next(answers) for one in read
    ]
    return AssessmentResponse(
        [
            AssessedItem(error=problem_of(one))
            if isinstance(one, ComplianceError)
            else AssessedItem(assessment=one)
            for one in outcomes
        ]
    )
