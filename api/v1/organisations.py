"""Organisations. An admin sees their own; founding one is for the operator of the machine."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from api.call import Answer, Call
from api.operations.found_organisation import (
    FoundOrganisation,
    Organisation,
    list_organisations,
)
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to, operator_only

OrganisationName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f@]+$")
]


class NewOrganisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An organisation to be founded."""

    name: OrganisationName


class OrganisationShape(msgspec.Struct, frozen=True):
    """A tenant of this service."""

    id: str
    name: str
    recorded_at: datetime

    @classmethod
    def of(cls, found: Organisation) -> "OrganisationShape":
        """As answers show it."""
        return cls(found.id, found.name, found.recorded_at)


@post(
    "/v1/organisations",
    opt=operator_only(),
    operation_id="foundOrganisation",
    summary="Found an organisation",
)
async def post_organisation(
    data: JSONBody[NewOrganisation],
    request: Call,
    found_organisation: NamedDependency[FoundOrganisation],
) -> Answer[OrganisationShape]:
    """Through the socket in the data folder only: no key is above organisations."""
    return await request.write(found_organisation, data.name, shape=OrganisationShape.of)


@get(
    "/v1/organisations",
    opt=open_to(Role.ADMIN),
    operation_id="listOrganisations",
    summary="List organisations",
)
async def get_organisations(
    request: Call, cursor: FromQuery[Cursor] = None, limit: FromQuery[Limit] = LIMIT_DEFAULT
) -> Answer[Page[OrganisationShape]]:
    """Only the caller's own, unless the operator asks."""
    only = None if request.caller.is_operator else request.caller.organisation
    after = place_of(cursor)
    return await request.read(
        lambda connection, _: list_organisations(
            connection, only=only, after=after, limit=limit + 1
        ),
        shape=lambda found: page_of(
            found, limit, shape=OrganisationShape.of, place=lambda item: item.id
        ),
    )
