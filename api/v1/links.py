"""A recipient's links, for messages that must or want to carry them."""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.openapi import shown
from api.operations.make_links import Links, MakeLinks
from api.roles import Role, open_to
from api.v1.shapes import AddressText, SenderName
from jurisdictions.addresses import parse_address


class LinksRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who writes to whom."""

    sender: SenderName
    address: AddressText


@post(
    "/v1/links",
    status_code=200,
    opt=open_to(Role.SENDER) | shown(request={"sender": "acme", "address": "ada@example.com"}),
    operation_id="makeLinks",
    summary="Make a recipient's one-click and preference links",
)
async def post_links(
    data: JSONBody[LinksRequest], request: Call, make_links: NamedDependency[MakeLinks]
) -> Answer[Links]:
    """Nothing is recorded, and every call gives others. Needs the setting `public_base_url`."""
    read = make_links.reading(request.caller.organisation, data.sender, parse_address(data.address))
    return await request.read(read, shape=unchanged)
