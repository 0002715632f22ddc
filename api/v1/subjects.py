"""People, by an address of theirs, which travels in the body."""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.openapi import shown
from api.operations.lookup_subject import SubjectOnRecord, lookup_subject
from api.roles import Role, open_to
from api.v1.shapes import AddressText
from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import parse_address


class LookupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose record."""

    address: AddressText


@post(
    "/v1/subjects/lookup",
    status_code=200,
    opt=open_to(Role.COLLECTOR, Role.AUDITOR) | shown(request={"address": "+12125550123"}),
    operation_id="lookUpSubject",
    summary="What is on record of a person",
)
async def post_lookup(
    data: JSONBody[LookupRequest], request: Call, key_ring: NamedDependency[KeyRing]
) -> Answer[SubjectOnRecord]:
    """Consent and opt-outs by sender, channel and purpose."""
    organisation, address = request.caller.organisation, parse_address(data.address)
    return await request.read(
        lambda connection, now: lookup_subject(
            connection, organisation, address, keys=key_ring, now=now
        ),
        shape=unchanged,
    )
