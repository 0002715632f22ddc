"""People, by an address of theirs, which travels in the body."""

from datetime import datetime

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call
from api.openapi import shown
from api.operations.find_subject import ConsentOnRecord, FindSubject, SubjectOnRecord
from api.roles import Role, open_to
from api.v1.shapes import AddressText
from rules.vocabulary import Channel, EventKind, Purpose, Quality


class LookupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose record."""

    address: AddressText


class ConsentShape(msgspec.Struct, frozen=True, kw_only=True):
    """The last word on one sender, channel and purpose; null there means every one."""

    sender: str | None
    channel: Channel | None
    purpose: Purpose | None
    event: EventKind
    at: datetime
    level: str | None
    qualities: list[Quality]
    expires_at: datetime | None
    index: int | None

    @classmethod
    def of(cls, found: ConsentOnRecord) -> "ConsentShape":
        """Render it."""
        return cls(
            sender=found.sender,
            channel=found.channel,
            purpose=found.purpose,
            event=found.event,
            at=found.at,
            level=None if found.level is None else found.level.word,
            qualities=sorted(found.qualities),
            expires_at=found.expires_at,
            index=found.index,
        )


class LookupResponse(msgspec.Struct, frozen=True):
    """What is on record of a person. ``known`` false: nothing ever was."""

    known: bool
    consents: list[ConsentShape]

    @classmethod
    def of(cls, found: SubjectOnRecord) -> "LookupResponse":
        """Render it."""
        return cls(found.known, [ConsentShape.of(consent) for consent in found.consents])


@post(
    "/v1/subjects/lookup",
    status_code=200,
    opt=open_to(Role.COLLECTOR, Role.AUDITOR) | shown(request={"address": "+12125550123"}),
    operation_id="lookUpSubject",
    summary="What is on record of a person",
)
async def post_lookup(
    data: JSONBody[LookupRequest], request: Call, find_subject: NamedDependency[FindSubject]
) -> Answer[LookupResponse]:
    """Consent and opt-outs by sender, channel and purpose."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, now: find_subject.find(
            connection, organisation, data.address, now=now
        ),
        shape=LookupResponse.of,
    )
