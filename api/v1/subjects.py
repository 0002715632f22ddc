"""People, by an address of theirs, which travels in the body."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.openapi import shown
from api.operations.erase_subject import Certificate, EraseSubjects, ErasureRequest
from api.operations.lookup_subject import SubjectOnRecord, lookup_subject
from api.operations.record_access import Access, AccessKind, RecordAccess
from api.roles import Role, about_persons, open_to
from api.v1.shapes import AddressText
from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import parse_address


class LookupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose record."""

    address: AddressText


class _Whose(msgspec.Struct):
    """Of an answer, who it is about."""

    subject: str | None


@post(
    "/v1/subjects/lookup",
    status_code=200,
    opt=open_to(Role.COLLECTOR, Role.AUDITOR)
    | about_persons()
    | shown(request={"address": "+12125550123"}),
    operation_id="lookUpSubject",
    summary="What is on record of a person",
)
async def post_lookup(
    data: JSONBody[LookupRequest],
    request: Call,
    key_ring: NamedDependency[KeyRing],
    record_access: NamedDependency[RecordAccess],
) -> Answer[SubjectOnRecord]:
    """Consent and opt-outs by sender, channel and purpose."""
    organisation, address = request.caller.organisation, parse_address(data.address)
    answer: Answer[SubjectOnRecord] = await request.read(
        lambda connection, now: lookup_subject(
            connection, organisation, address, keys=key_ring, now=now
        ),
        shape=unchanged,
    )
    await _put_on_record(request, record_access, AccessKind.LOOKUP, answer.reply.body)
    return answer


async def _put_on_record(
    request: Call, record_access: RecordAccess, kind: AccessKind, body: bytes
) -> None:
    """Record who read whose trail, before they get it. A ledger that is read only takes nothing."""
    writer = request.exchange.service.writer
    if writer.read_only is not None:
        return
    whose = msgspec.json.decode(body, type=_Whose).subject
    caller = request.caller
    access = Access(
        caller.organisation, caller.key, kind, None if whose is None else bytes.fromhex(whose)
    )
    await writer.submit(record_access, access, organisation=caller.organisation)


class EraseRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to erase, with all their linked addresses, and why. ``why`` outlives the person's data:
    nothing personal belongs in it."""

    address: AddressText
    why: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


@post(
    "/v1/subjects/erase",
    status_code=200,
    opt=open_to(Role.ADMIN)
    | shown(request={"address": "+12125550123", "why": "request 2026-117 under Article 17"}),
    operation_id="eraseSubject",
    summary="Erase a person",
)
async def post_erasure(
    data: JSONBody[EraseRequest], request: Call, erase_subjects: NamedDependency[EraseSubjects]
) -> Answer[Certificate]:
    """Destroys the key of the person's data, and keeps them suppressed, on record or not.

    The log verifies as before. Nothing is sent to any of their addresses until they say anew that
    they want it. Erasing again gives the receipt of the first time.
    """
    wanted = ErasureRequest(
        organisation=request.caller.organisation,
        actor=request.caller.key,
        address=parse_address(data.address),
        why=data.why,
    )
    return await request.write(erase_subjects, wanted, shape=unchanged)
