"""Opt-outs from any source. None is refused for its content."""

import msgspec
from litestar import post
from litestar.di import NamedDependency

from api.call import Answer, Call
from api.decoding import decode_all
from api.openapi import body_shapes, shown
from api.operations.record_events import EventBatch, Said
from api.roles import Role, open_to
from api.v1.consent_events import EventWorks, Word
from api.v1.receipts import ReceiptShape
from api.v1.shapes import AddressText, Instant, MessageText, SenderName
from consent.opt_outs import read_opt_out
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Purpose, Via

EXAMPLE_OPT_OUT = {
    "address": "+12125550123",
    "sender": "acme",
    "channel": "sms",
    "via": "keyword",
    "text": "STOP",
}


class OptOutRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked to be stopped. No scope means everything."""

    address: AddressText
    sender: SenderName | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    brand: Word | None = None
    via: Via | None = None
    text: MessageText | None = None
    at: Instant | None = None


@post(
    "/v1/opt-outs",
    status_code=201,
    opt=open_to(Role.COLLECTOR) | shown(request=EXAMPLE_OPT_OUT) | body_shapes(OptOutRequest),
    operation_id="recordOptOut",
    summary="Record an opt-out",
)
async def post_opt_out(
    request: Call, event_works: NamedDependency[EventWorks]
) -> Answer[ReceiptShape]:
    """Works for an address never seen. A check that starts after the answer sees it.

    What cannot be read is kept, named in `flags`, and narrows nothing; nor does a `brand` that no
    sender of yours bears or bore. An `at` more than 30 days old, or before a consent on record, is
    kept and flagged, and the opt-out counts from its receipt: what is older is imported as a
    consent event.
    """
    caller, now = request.caller, request.now
    read = read_opt_out(decode_all(await request.json_bytes()), now=now)
    said = Said(parse_address(read.address), read.event, is_fresh=True)
    return await request.write(
        event_works.opt_outs,
        EventBatch(caller.organisation, caller.key, [said]),
        shape=ReceiptShape.of,
    )
