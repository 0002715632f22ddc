"""The public webhooks: find the endpoint, verify, read, record, and only then answer."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from api.call import Answer, Call
from api.inbound.delivery import Delivery
from api.inbound.endpoints import Endpoint, find_open
from api.inbound.providers import Providers
from api.operations.receive_reply import ReceivedReply, ReceiveReplies, read_message
from api.roles import public
from consent.errors import NoAddressError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import framed

PATH = "/v1/inbound/{provider:str}/{endpoint:str}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """What the webhooks need. ``base_url`` is where the providers reach us."""

    base_url: str
    keys: KeyRing
    providers: Providers
    replies: ReceiveReplies

    def url_of(self, endpoint: Endpoint) -> str:
        """What the provider is to be told to call."""
        return f"{self.base_url}/v1/inbound/{endpoint.provider.value}/{endpoint.id}"


@post(
    PATH,
    status_code=200,
    opt=public(any_parameters=True),
    operation_id="receiveInbound",
    summary="A provider's webhook",
)
async def post_inbound(
    provider: FromPath[str],
    endpoint: FromPath[str],
    request: Call,
    inbound: NamedDependency[Inbound],
) -> Answer[None]:
    """For messaging providers, which sign what they send; answered as each expects it.

    A stop is recorded before the answer. What is delivered again is acknowledged, and recorded
    once. What is unsigned, altered or stale is 401, and changes nothing.
    """
    return await _receive(provider, endpoint, request, inbound)


@get(
    PATH,
    opt=public(any_parameters=True),
    operation_id="receiveInboundByGet",
    summary="A provider's webhook, where it calls by GET",
)
async def get_inbound(
    provider: FromPath[str],
    endpoint: FromPath[str],
    request: Call,
    inbound: NamedDependency[Inbound],
) -> Answer[None]:
    """The same, for accounts that are set to send messages in the query."""
    return await _receive(provider, endpoint, request, inbound)


async def _receive(provider: str, endpoint: str, request: Call, inbound: Inbound) -> Answer[None]:
    service, now = request.exchange.service, request.now
    found, secrets = await service.reader.run(
        lambda connection: find_open(connection, provider, endpoint, keys=inbound.keys, now=now)
    )
    theirs = inbound.providers[found.provider]
    delivery = _delivery_of(request, inbound.url_of(found), await request.body())
    shaped = [msgspec.convert(secret, theirs.credentials) for secret in secrets]
    messages = await theirs.read(delivery, shaped, now=now)
    content_hash = sha256(framed(delivery.url.encode(), delivery.body)).digest()
    replies = [
        read_message(found, message, content_hash=content_hash, now=now)
        for message in messages
        if message.address
    ]
    await _record(request, inbound, replies)
    for reply in replies:
        service.telemetry.reply_received(found.provider.value, reply.reading.value)
    if len(replies) < len(messages):
        raise NoAddressError("a message names nobody whom it comes from")
    return Answer(theirs.answer, media_type=theirs.media_type)


async def _record(request: Call, inbound: Inbound, replies: list[ReceivedReply]) -> None:
    """Have everything recorded; whatever fails makes the provider send all of it again."""
    writer = request.exchange.service.writer
    submitted: list[asyncio.Future[Any]] = [
        writer.submit(inbound.replies, reply, organisation=reply.endpoint.organisation)
        for reply in replies
        if reply.changes_anything
    ]
    outcomes = await asyncio.gather(*submitted, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _delivery_of(request: Call, url: str, body: bytes) -> Delivery:
    query = request.scope["query_string"].decode("latin-1")
    return Delivery(
        method=request.scope["method"],
        url=f"{url}?{query}" if query else url,
        query=query,
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in request.scope["headers"]
        },
        body=body,
    )
