"""People, by an address of theirs, which travels in the body."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.errors import InvalidRequestError
from api.openapi import shown
from api.operations.erase_subject import Certificate, EraseSubjects, ErasureRequest
from api.operations.link_subjects import LinkRequest, LinkSubjects, UnlinkSubjects
from api.operations.lookup_subject import SubjectOnRecord, lookup_subject
from api.operations.record_access import Access, AccessKind, RecordAccess
from api.operations.trails.read_trail import TrailPage, TrailRead, places_of, read_trail
from api.paging import LIMIT_DEFAULT, LIMIT_MAX
from api.roles import Role, about_persons, open_to
from api.v1.receipts import ReceiptShape
from api.v1.shapes import AddressText
from consent.keys.key_ring import KeyRing
from consent.linking import LINKED_MAX, Linked
from jurisdictions.addresses import Address, parse_address


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
    whose = msgspec.json.decode(answer.reply.body, type=_Whose).subject
    await _put_on_record(request, record_access, AccessKind.LOOKUP, [whose] if whose else [])
    return answer


class TrailRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose trail, and from where on."""

    address: AddressText
    cursor: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT


class _WhoseTrail(msgspec.Struct):
    """Of an answer, who it is about."""

    subjects: list[str]


@post(
    "/v1/subjects/trail",
    status_code=200,
    opt=open_to(Role.AUDITOR) | about_persons() | shown(request={"address": "+12125550123"}),
    operation_id="readTrail",
    summary="Every event and decision of a person",
)
async def post_trail(
    data: JSONBody[TrailRequest],
    request: Call,
    key_ring: NamedDependency[KeyRing],
    record_access: NamedDependency[RecordAccess],
) -> Answer[TrailPage]:
    """In the order in which they were recorded, each with its place in its log.

    Those from before an erasure are there as well, and say nothing but that they were. Reading
    stands in the access log; while the ledger is read only, nobody gets a trail.
    """
    organisation = request.caller.organisation
    wanted = TrailRead(
        address=parse_address(data.address), start=places_of(data.cursor), limit=data.limit
    )
    answer: Answer[TrailPage] = await request.read(
        lambda connection, _: read_trail(connection, organisation, wanted, keys=key_ring),
        shape=unchanged,
    )
    whose = msgspec.json.decode(answer.reply.body, type=_WhoseTrail).subjects
    await _put_on_record(request, record_access, AccessKind.TRAIL, whose)
    return answer


async def _put_on_record(
    request: Call, record_access: RecordAccess, kind: AccessKind, whose: Sequence[str]
) -> None:
    """Record who read whose trail, before they get it: an entry a person, or one without.

    ``ReadOnlyError``: the ledger takes nothing, and so nobody gets anything.
    """
    service, caller = request.exchange.service, request.caller
    for subject in whose or (None,):
        id_ = None if subject is None else bytes.fromhex(subject)
        access = Access(caller.organisation, caller.key, kind, id_)
        await service.writer.submit(record_access, access, organisation=caller.organisation)


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


class LinkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of one person, each once."""

    addresses: Annotated[list[AddressText], msgspec.Meta(min_length=2, max_length=LINKED_MAX)]


class UnlinkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses that are nobody else's, each once."""

    addresses: Annotated[list[AddressText], msgspec.Meta(min_length=1, max_length=LINKED_MAX)]


class MemberShape(msgspec.Struct, frozen=True, kw_only=True):
    """The person behind an address, and the ids of their other addresses. null: never seen."""

    subject: str | None
    linked: list[str]


class LinkedShape(msgspec.Struct, frozen=True, kw_only=True):
    """How the addresses now stand, in the order of the request.

    `receipts`: of an entry for each person who stands otherwise than before; none where all
    was so already.
    """

    subjects: list[MemberShape]
    receipts: list[ReceiptShape]

    @classmethod
    def of(cls, linked: Linked) -> "LinkedShape":
        """Render it."""
        return cls(
            subjects=[
                MemberShape(
                    subject=None if member.subject is None else member.subject.hex(),
                    linked=[other.hex() for other in member.linked],
                )
                for member in linked.members
            ],
            receipts=[ReceiptShape.without_flags(receipt) for receipt in linked.receipts],
        )


EXAMPLE_ADDRESSES = {"addresses": ["+12125550123", "ann@example.com"]}


@post(
    "/v1/subjects/link",
    status_code=200,
    opt=open_to(Role.COLLECTOR) | shown(request=EXAMPLE_ADDRESSES),
    operation_id="linkSubjects",
    summary="Link the addresses of one person",
)
async def post_link(
    data: JSONBody[LinkBody], request: Call, link_subjects: NamedDependency[LinkSubjects]
) -> Answer[LinkedShape]:
    """From the answer on, what was said and sent at one counts at all, with its own scope.

    It never loosens: where the person has said stop at an address, nothing that they said at
    another permits a message to it. Addresses that are linked to one of these come along.
    Linking again changes nothing. More than 32 addresses of one person are a 409.
    """
    return await request.write(link_subjects, _asked(request, data.addresses), shape=LinkedShape.of)


@post(
    "/v1/subjects/unlink",
    status_code=200,
    opt=open_to(Role.COLLECTOR) | shown(request=EXAMPLE_ADDRESSES),
    operation_id="unlinkSubjects",
    summary="Part addresses that are not one person's",
)
async def post_unlink(
    data: JSONBody[UnlinkBody], request: Call, unlink_subjects: NamedDependency[UnlinkSubjects]
) -> Answer[LinkedShape]:
    """Each of these stands alone from the answer on; those that are not named stay together.

    Opt-outs that held for an address go on holding for it, whichever address they came by.
    Consent and what was sent count at their own address only. Unlinking again changes nothing.
    """
    return await request.write(
        unlink_subjects, _asked(request, data.addresses), shape=LinkedShape.of
    )


def _asked(request: Call, texts: Sequence[str]) -> LinkRequest:
    """Read the addresses. ``InvalidRequestError`` names every one that cannot stand."""
    read: list[Address] = []
    wrong: list[tuple[str, str]] = []
    for place, text in enumerate(texts):
        address = parse_address(text)
        if address.problem is not None:
            wrong.append((f"/addresses/{place}", address.problem))
        elif any(address.spellings == other.spellings for other in read):
            wrong.append((f"/addresses/{place}", "this address stands here twice"))
        read.append(address)
    if wrong:
        raise InvalidRequestError("an address cannot be taken", tuple(wrong))
    return LinkRequest(request.caller.organisation, request.caller.key, read)
