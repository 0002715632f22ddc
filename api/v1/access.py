"""Who has read or exported whose record."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from api.call import Answer, Call
from api.errors import InvalidRequestError
from api.openapi import shown
from api.operations.trails.read_access import AccessTold, read_access, read_access_of
from api.paging import LIMIT_DEFAULT, LIMIT_MAX, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to
from api.v1.shapes import AddressText
from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import parse_address


class AccessRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of whose record."""

    address: AddressText
    cursor: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT


@get(
    "/v1/access",
    opt=open_to(Role.AUDITOR),
    operation_id="listAccess",
    summary="Who read or exported a record",
)
async def get_access(
    request: Call, cursor: FromQuery[Cursor] = None, limit: FromQuery[Limit] = LIMIT_DEFAULT
) -> Answer[Page[AccessTold]]:
    """The newest first, from the `access` log; `/v1/logs/access` proves that none is missing."""
    organisation, before = request.caller.organisation, _before(cursor)
    return await request.read(
        lambda connection, _: read_access(connection, organisation, before=before, limit=limit + 1),
        shape=lambda found: page_of(found, limit, shape=lambda told: told, place=_place_of),
    )


@post(
    "/v1/subjects/access",
    status_code=200,
    opt=open_to(Role.AUDITOR) | shown(request={"address": "+12125550123"}),
    operation_id="listAccessOfSubject",
    summary="Who read or exported one person's record",
)
async def post_access(
    data: JSONBody[AccessRequest], request: Call, key_ring: NamedDependency[KeyRing]
) -> Answer[Page[AccessTold]]:
    """The newest first. Exports of a sender or a period name nobody, and are not among these."""
    organisation, before = request.caller.organisation, _before(data.cursor)
    address = parse_address(data.address)
    return await request.read(
        lambda connection, _: read_access_of(
            connection,
            organisation,
            address,
            keys=key_ring,
            before=before,
            limit=data.limit + 1,
        ),
        shape=lambda found: page_of(found, data.limit, shape=lambda told: told, place=_place_of),
    )


def _before(cursor: str | None) -> int | None:
    place = place_of(cursor)
    if not place:
        return None
    if not (place.isascii() and place.isdigit() and len(place) < 16):
        raise InvalidRequestError(
            "the cursor is not one of ours", (("/cursor", "take it from next_cursor"),)
        )
    return int(place)


def _place_of(told: AccessTold) -> str:
    return str(told.index)
