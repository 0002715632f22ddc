"""Inbound endpoints: the addresses that an organisation gives to its messaging providers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api.call import Answer, Call
from api.decoding import explain
from api.errors import InvalidRequestError
from api.inbound.endpoints import (
    DisableEndpoint,
    DisableEndpoints,
    Endpoint,
    MakeEndpoints,
    NewCredentials,
    NewEndpoint,
    ReplaceCredentials,
    StartGrant,
    StopReach,
    list_endpoints,
    provider_of,
)
from api.inbound.message import ProviderName
from api.inbound.receiving import Inbound
from api.openapi import shown
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to
from api.v1.shapes import MessageText, SenderName
from consent.keys.key_ring import KeyRing
from rules.vocabulary import LEVEL_OF_WORD, Purpose

EXAMPLE_ENDPOINT = {
    "provider": "twilio",
    "sender": "acme",
    "credentials": {"auth_token": "0123456789abcdef0123456789abcdef"},
}

Credentials = Annotated[
    dict[str, Any],
    msgspec.Meta(
        description="The provider's own: docs/operating.md says which. Never shown again."
    ),
]


class StartShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a person grants who answers START, as they were told; ``disclosure`` is how."""

    purpose: Purpose
    level: Literal["implied", "express", "express_written"]
    disclosure: MessageText | None = None

    def to_grant(self) -> StartGrant:
        """As it is kept."""
        return StartGrant(self.purpose, LEVEL_OF_WORD[self.level], self.disclosure)

    @classmethod
    def of(cls, start: StartGrant) -> "StartShape":
        """Render it."""
        level: Any = start.level.word
        return cls(purpose=start.purpose, level=level, disclosure=start.disclosure)


class InboundEndpointRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider's account or number, and the sender that people answer to there.

    Without ``start`` a START is acknowledged and grants nothing. ``stop_reach``: whether a stop
    that names nobody means every sender of the organisation, or this one alone.
    """

    provider: ProviderName
    sender: SenderName
    credentials: Credentials
    start: StartShape | None = None
    stop_reach: StopReach = StopReach.ORGANISATION


class CredentialsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other credentials of the same provider."""

    credentials: Credentials


class InboundEndpointResponse(msgspec.Struct, frozen=True, kw_only=True):
    """An inbound endpoint. ``url`` is what the provider is to call; it holds nothing secret."""

    id: str
    url: str
    provider: ProviderName
    sender: str
    start: StartShape | None
    stop_reach: StopReach
    recorded_at: datetime
    disabled_at: datetime | None

    @classmethod
    def of(cls, endpoint: Endpoint, inbound: Inbound) -> "InboundEndpointResponse":
        """Render it."""
        return cls(
            id=endpoint.id,
            url=inbound.url_of(endpoint),
            provider=endpoint.provider,
            sender=endpoint.sender,
            start=None if endpoint.start is None else StartShape.of(endpoint.start),
            stop_reach=endpoint.stop_reach,
            recorded_at=endpoint.recorded_at,
            disabled_at=endpoint.disabled_at,
        )


class InboundWorks:
    """The works that make and change endpoints."""

    def __init__(self, keys: KeyRing) -> None:
        self.make = MakeEndpoints(keys)
        self.replace = ReplaceCredentials(keys)
        self.disable = DisableEndpoints()


@post(
    "/v1/inbound-endpoints",
    status_code=201,
    opt=open_to(Role.ADMIN) | shown(request=EXAMPLE_ENDPOINT),
    operation_id="makeInboundEndpoint",
    summary="Make an address for a provider to call",
)
async def post_inbound_endpoint(
    data: JSONBody[InboundEndpointRequest],
    request: Call,
    inbound: NamedDependency[Inbound],
    inbound_works: NamedDependency[InboundWorks],
) -> Answer[InboundEndpointResponse]:
    """Tell the provider to call `url`. What people answer there is then read and recorded."""
    _require_shape(data.credentials, inbound.providers[data.provider].credentials)
    wanted = NewEndpoint(
        request.caller.organisation,
        data.provider,
        data.sender,
        data.credentials,
        None if data.start is None else data.start.to_grant(),
        data.stop_reach,
    )
    return await request.write(
        inbound_works.make,
        wanted,
        shape=lambda endpoint: InboundEndpointResponse.of(endpoint, inbound),
    )


@get(
    "/v1/inbound-endpoints",
    opt=open_to(Role.ADMIN),
    operation_id="listInboundEndpoints",
    summary="List inbound endpoints",
)
async def get_inbound_endpoints(
    request: Call,
    inbound: NamedDependency[Inbound],
    cursor: FromQuery[Cursor] = None,
    limit: FromQuery[Limit] = LIMIT_DEFAULT,
) -> Answer[Page[InboundEndpointResponse]]:
    """The organisation's, also the disabled ones, without their credentials."""
    organisation, after = request.caller.organisation, place_of(cursor)
    return await request.read(
        lambda connection, _: list_endpoints(
            connection, organisation, after=after, limit=limit + 1
        ),
        shape=lambda found: page_of(
            found,
            limit,
            shape=lambda endpoint: InboundEndpointResponse.of(endpoint, inbound),
            place=lambda endpoint: endpoint.id,
        ),
    )


@put(
    "/v1/inbound-endpoints/{endpoint:str}/credentials",
    opt=open_to(Role.ADMIN),
    operation_id="replaceInboundCredentials",
    summary="Give an inbound endpoint other credentials",
)
async def put_credentials(
    endpoint: FromPath[str],
    data: JSONBody[CredentialsRequest],
    request: Call,
    inbound: NamedDependency[Inbound],
    inbound_works: NamedDependency[InboundWorks],
) -> Answer[InboundEndpointResponse]:
    """The ones before them verify for 24 hours more, for providers change theirs in steps."""
    organisation = request.caller.organisation
    provider = await request.exchange.service.reader.run(
        lambda connection: provider_of(connection, organisation, endpoint)
    )
    _require_shape(data.credentials, inbound.providers[provider].credentials)
    return await request.write(
        inbound_works.replace,
        NewCredentials(organisation, endpoint, data.credentials),
        shape=lambda changed: InboundEndpointResponse.of(changed, inbound),
    )


@post(
    "/v1/inbound-endpoints/{endpoint:str}/disable",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="disableInboundEndpoint",
    summary="Disable an inbound endpoint",
)
async def post_disabled(
    endpoint: FromPath[str],
    request: Call,
    inbound: NamedDependency[Inbound],
    inbound_works: NamedDependency[InboundWorks],
) -> Answer[InboundEndpointResponse]:
    """From the answer on it takes nothing, and its credentials are gone for good.

    Let the provider call another one first: what people answer to a disabled one is not heard.
    """
    return await request.write(
        inbound_works.disable,
        DisableEndpoint(request.caller.organisation, endpoint),
        shape=lambda changed: InboundEndpointResponse.of(changed, inbound),
    )


def _require_shape(credentials: Mapping[str, Any], shape: type[msgspec.Struct]) -> None:
    """Refuse credentials that are not those of the provider, and quote none of them."""
    try:
        msgspec.convert(credentials, shape)
    except msgspec.ValidationError as error:
        pointer, message = explain(str(error), shape)
        raise InvalidRequestError(
            "the body does not fit its shape", ((f"/credentials{pointer}", message),)
        ) from None
