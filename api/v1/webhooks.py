"""Webhooks: where the organisation's systems are told of events."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api.call import Answer, Call
from api.dispatch.dispatcher import Dispatcher
from api.openapi import shown
from api.operations.propagation.keep_webhooks import (
    Change,
    ChangeWebhooks,
    MakeWebhooks,
    NewWebhook,
    WebhookChange,
    find_webhook,
)
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to
from api.v1.shapes import SenderName
from consent.keys.key_ring import KeyRing
from consent.propagation import endpoints
from consent.propagation.endpoints import Endpoint, Gate
from consent.propagation.guard import URL_LENGTH_MAX
from consent.propagation.words import DisabledWhy, Proof, WebhookEvent
from rules.vocabulary import Channel

EXAMPLE = {
    "url": "https://hooks.example.com/cleartosend",
    "events": ["consent.revoked", "subject.erased"],
    "gates": [{"sender": "acme", "channel": "sms"}],
}
Abandon = Annotated[
    bool, QueryParameter(description="Delete it even if opt-outs have not arrived there.")
]


class GateShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the endpoint sends: messages of ``sender`` by ``channel``."""

    sender: SenderName
    channel: Channel


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A webhook to be made.

    While it holds an opt-out whose deadline is over, checks of what ``gates`` names deny.
    ``proof`` says what counts as arrival: a 2xx, or that the receiver reports it as applied.
    """

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=URL_LENGTH_MAX)]
    events: Annotated[list[WebhookEvent], msgspec.Meta(min_length=1, max_length=len(WebhookEvent))]
    gates: Annotated[list[GateShape], msgspec.Meta(max_length=100)] = []
    proof: Proof = Proof.DELIVERED


class WebhookShape(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, without its secret. ``disabled_why``: ``asked`` by an admin, or ``gone`` (410)."""

    id: str
    url: str
    events: list[WebhookEvent]
    gates: list[GateShape]
    proof: Proof
    public_key: str
    recorded_at: datetime
    disabled_at: datetime | None
    disabled_why: DisabledWhy | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> "WebhookShape":
        """As lists show it."""
        return cls(
            id=endpoint.id,
            url=endpoint.url,
            events=list(endpoint.events),
            gates=[GateShape(gate.sender, gate.channel) for gate in endpoint.gates],
            proof=endpoint.proof,
            public_key=endpoint.secrets[0].public_key,
            recorded_at=endpoint.recorded_at,
            disabled_at=endpoint.disabled_at,
            disabled_why=endpoint.disabled_why,
        )


class MadeWebhookShape(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook just made. ``secret`` (``v1``) is shown in this answer only; ``public_key``
    verifies ``v1a``."""

    id: str
    secret: str
    public_key: str
    url: str
    events: list[WebhookEvent]
    gates: list[GateShape]
    proof: Proof
    recorded_at: datetime

    @classmethod
    def of(cls, endpoint: Endpoint) -> "MadeWebhookShape":
        """As the answer shows it that made it."""
        shape = WebhookShape.of(endpoint)
        return cls(
            id=shape.id,
            secret=endpoint.secrets[0].shown,
            public_key=shape.public_key,
            url=shape.url,
            events=shape.events,
            gates=shape.gates,
            proof=shape.proof,
            recorded_at=shape.recorded_at,
        )


class RotatedSecretShape(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret, shown in this answer only. The one before signs beside it until then."""

    id: str
    secret: str
    public_key: str
    previous_until: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> "RotatedSecretShape":
        """As the answer shows it that made the secret."""
        newest, *before = endpoint.secrets
        return cls(
            id=endpoint.id,
            secret=newest.shown,
            public_key=newest.public_key,
            previous_until=before[0].until if before else None,
        )


def _id_of(endpoint: Endpoint) -> str:
    return endpoint.id


@post(
    "/v1/webhooks",
    opt=open_to(Role.ADMIN) | shown(request=EXAMPLE),
    operation_id="makeWebhook",
    summary="Make a webhook",
)
async def post_webhook(
    data: JSONBody[WebhookRequest], request: Call, make_webhooks: NamedDependency[MakeWebhooks]
) -> Answer[MadeWebhookShape]:
    """From the answer on every event that it asks for is queued for it, in one transaction with
    the event. The URL is https and leads to the public internet."""
    wanted = NewWebhook(
        organisation=request.caller.organisation,
        url=data.url,
        events=data.events,
        gates=[Gate(gate.sender, gate.channel) for gate in data.gates],
        proof=data.proof,
    )
    return await request.write(make_webhooks, wanted, shape=MadeWebhookShape.of)


@get("/v1/webhooks", opt=open_to(Role.ADMIN), operation_id="listWebhooks", summary="List webhooks")
async def get_webhooks(
    request: Call,
    key_ring: NamedDependency[KeyRing],
    cursor: FromQuery[Cursor] = None,
    limit: FromQuery[Limit] = LIMIT_DEFAULT,
) -> Answer[Page[WebhookShape]]:
    """The organisation's webhooks, also the disabled ones, without their secrets."""
    organisation, after = request.caller.organisation, place_of(cursor)
    return await request.read(
        lambda connection, _: endpoints.load_page(
            connection, organisation, after=after, limit=limit + 1, keys=key_ring
        ),
        shape=lambda found: page_of(found, limit, shape=WebhookShape.of, place=_id_of),
    )


@get(
    "/v1/webhooks/{webhook:str}",
    opt=open_to(Role.ADMIN),
    operation_id="readWebhook",
    summary="Read a webhook",
)
async def get_webhook(
    webhook: FromPath[str], request: Call, key_ring: NamedDependency[KeyRing]
) -> Answer[WebhookShape]:
    """As it stands."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, _: find_webhook(connection, organisation, webhook, keys=key_ring),
        shape=WebhookShape.of,
    )


@post(
    "/v1/webhooks/{webhook:str}/rotate-secret",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="rotateWebhookSecret",
    summary="Give a webhook a new secret",
)
async def post_rotated_secret(
    webhook: FromPath[str], request: Call, change_webhooks: NamedDependency[ChangeWebhooks]
) -> Answer[RotatedSecretShape]:
    """For a day messages carry signatures by both, and reports may be signed with either."""
    wanted = _change(request, webhook, Change.ROTATE)
    return await request.write(change_webhooks, wanted, shape=RotatedSecretShape.of)


@post(
    "/v1/webhooks/{webhook:str}/disable",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="disableWebhook",
    summary="Stop sending to a webhook",
)
async def post_disabled_webhook(
    webhook: FromPath[str], request: Call, change_webhooks: NamedDependency[ChangeWebhooks]
) -> Answer[WebhookShape]:
    """What waits goes on waiting; consent events and erasures go on queueing for it."""
    wanted = _change(request, webhook, Change.DISABLE)
    return await request.write(change_webhooks, wanted, shape=WebhookShape.of)


@post(
    "/v1/webhooks/{webhook:str}/enable",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="enableWebhook",
    summary="Send to a webhook again",
)
async def post_enabled_webhook(
    webhook: FromPath[str],
    request: Call,
    change_webhooks: NamedDependency[ChangeWebhooks],
    dispatcher: NamedDependency[Dispatcher],
) -> Answer[WebhookShape]:
    """Also after a receiver answered 410. What waited goes out, in its order."""
    wanted = _change(request, webhook, Change.ENABLE)
    answer = await request.write(change_webhooks, wanted, shape=WebhookShape.of)
    dispatcher.wake(webhook)
    return answer


@delete(
    "/v1/webhooks/{webhook:str}",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="deleteWebhook",
    summary="Delete a webhook",
)
async def delete_webhook(
    webhook: FromPath[str],
    request: Call,
    change_webhooks: NamedDependency[ChangeWebhooks],
    abandon: FromQuery[Abandon] = False,
) -> Answer[WebhookShape]:
    """Refused (409) while opt-outs or erasures have not arrived there, unless ``abandon`` says
    that they may be given up. Answers with the webhook as it was."""
    wanted = WebhookChange(
        organisation=request.caller.organisation,
        webhook=webhook,
        change=Change.DELETE,
        abandons=abandon,
    )
    return await request.write(change_webhooks, wanted, shape=WebhookShape.of)


def _change(request: Call, webhook: str, change: Change) -> WebhookChange:
    return WebhookChange(organisation=request.caller.organisation, webhook=webhook, change=change)
