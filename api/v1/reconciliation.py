"""Reconciliation: a receiver compares what it holds with what it was told."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.call import Answer, Call
from api.decoding import decode
from api.dispatch.dispatcher import Dispatcher
from api.openapi import body_shapes
from api.operations.propagation.reconcile import (
    MissingEvents,
    SignedQuestion,
    TellAgain,
    check_question,
    compare,
)
from api.roles import public
from api.work import Reply
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import id_of, label_of
from consent.propagation.cloud_events import EVENT_PREFIX
from consent.propagation.endpoints import Endpoint
from consent.propagation.ranges import PREFIX_LENGTH_MAX, Range
from consent.propagation.reconciliation import ToldAgain

PREFIXES_MAX = 256
EVENTS_MAX = 1000

_ENCODER = msgspec.json.Encoder()
_INDEX = "^[0-9]{1,18}$"

Prefix = Annotated[str, msgspec.Meta(pattern=f"^[0-9a-f]{{0,{PREFIX_LENGTH_MAX}}}$")]


class RangesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ranges that a receiver compares, of what stands in the consent log up to index ``at``."""

    at: Annotated[str, msgspec.Meta(pattern=_INDEX)]
    prefixes: Annotated[list[Prefix], msgspec.Meta(min_length=1, max_length=PREFIXES_MAX)]


class RangesShape(msgspec.Struct, frozen=True):
    """The same ranges as they should be; of few entries all are named, else its parts."""

    at: str
    ranges: list[Range]


class MissingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events that a receiver was told, and has lost."""

    events: Annotated[list[str], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


class MissingShape(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of each. ``lost``: the person was erased since, and their address with them;
    ``unknown``: this webhook was never told of it."""

    sent_again: list[str]
    under_way: list[str]
    lost: list[str]
    unknown: list[str]

    @classmethod
    def of(cls, told: ToldAgain) -> "MissingShape":
        """By their ids."""
        return cls(
            sent_again=_labels(told.sent_again),
            under_way=_labels(told.under_way),
            lost=_labels(told.lost),
            unknown=_labels(told.unknown),
        )


_RANGES = msgspec.json.Decoder(RangesRequest)
_MISSING = msgspec.json.Decoder(MissingRequest)


@post(
    "/v1/webhooks/{webhook:str}/reconciliation",
    status_code=200,
    opt=public() | body_shapes(RangesRequest),
    operation_id="compareRanges",
    summary="Compare what a receiver holds with what it was told",
)
async def post_reconciliation(
    webhook: FromPath[str], request: Call, key_ring: NamedDependency[KeyRing]
) -> Answer[RangesShape]:
    """By the receiver, signed as what it received was (``v1``, the webhook's secret), with the
    webhook's id as ``webhook-id``. It compares, and asks for the parts of what differs."""
    endpoint = await _asked_by(request, webhook, key_ring)
    wanted = decode(await request.json_bytes(), _RANGES)
    ranges = await request.exchange.service.reader.run(
        lambda connection: compare(
            connection, endpoint, at=int(wanted.at), prefixes=wanted.prefixes
        )
    )
    return Answer(Reply(200, _ENCODER.encode(RangesShape(wanted.at, ranges))))


@post(
    "/v1/webhooks/{webhook:str}/missing",
    status_code=200,
    opt=public() | body_shapes(MissingRequest),
    operation_id="tellAgain",
    summary="Be told again what was lost",
)
async def post_missing(
    webhook: FromPath[str],
    request: Call,
    key_ring: NamedDependency[KeyRing],
    tell_again: NamedDependency[TellAgain],
    dispatcher: NamedDependency[Dispatcher],
) -> Answer[MissingShape]:
    """By the receiver, signed in the same manner. Each comes as a new delivery of the event."""
    endpoint = await _asked_by(request, webhook, key_ring)
    wanted = decode(await request.json_bytes(), _MISSING)
    ids = [id_of(EVENT_PREFIX, label) for label in wanted.events]
    told = await request.exchange.service.writer.submit(
        tell_again,
        MissingEvents(endpoint.organisation, endpoint.id, ids),
        organisation=endpoint.organisation,
    )
    dispatcher.wake(endpoint.id)
    return Answer(Reply(200, _ENCODER.encode(MissingShape.of(told))))


async def _asked_by(request: Call, webhook: str, keys: KeyRing) -> Endpoint:
    question = SignedQuestion(
        webhook=webhook,
        id=_header(request, b"webhook-id"),
        timestamp=_header(request, b"webhook-timestamp"),
        signature=_header(request, b"webhook-signature"),
        body=await request.body(),
    )
    now = request.now
    return await request.exchange.service.reader.run(
        lambda connection: check_question(connection, question, keys=keys, now=now)
    )


def _header(request: Call, name: bytes) -> str:
    return (request.header(name) or b"").decode("latin-1")


def _labels(ids: Sequence[bytes]) -> list[str]:
    return [label_of(EVENT_PREFIX, id_) for id_ in ids]
