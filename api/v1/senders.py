"""Senders: the brands in whose names messages go out."""

from datetime import date
from typing import Annotated

import msgspec
import pycountry
from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, PathParameter

from api.call import Answer, Call
from api.errors import InvalidRequestError
from api.openapi import shown
from api.operations.put_sender import PutSender, PutSenders, find_sender
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to
from consent import senders
from consent.senders import RegistrationRecord, SenderRecord
from rules.vocabulary import Purpose

EXAMPLE_SENDER = {
    "name": "Acme",
    "country": "US",
    "postal_address": "1 Example Street, Springfield",
    "registrations": [{"scheme": "us-10dlc", "id": "C1A2B3"}],
}
_ID = r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"
_TEXT = r"^[^\x00-\x08\x0b-\x1f]+$"


class RegistrationShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sender holds with a registrar. ``from`` and ``until`` are dates, both optional."""

    scheme: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    purpose: Purpose | None = None
    text: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    valid_from: date | None = msgspec.field(default=None, name="from")
    valid_until: date | None = msgspec.field(default=None, name="until")


class SenderRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A brand. ``name`` is what a message must show; ``country`` where it is established."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_TEXT)]
    country: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]
    postal_address: Annotated[str, msgspec.Meta(max_length=1000, pattern=_TEXT)] | None = None
    contact: Annotated[str, msgspec.Meta(max_length=1000, pattern=_TEXT)] | None = None
    registrations: Annotated[list[RegistrationShape], msgspec.Meta(max_length=1000)] = []

    def to_record(self, sender: str) -> SenderRecord:
        """As it is stored under ``sender``."""
        return SenderRecord(
            id=sender,
            name=self.name,
            country=self.country,
            postal_address=self.postal_address,
            contact=self.contact,
            registrations=tuple(
                RegistrationRecord(
                    scheme=held.scheme,
                    id=held.id,
                    purpose=held.purpose,
                    text=held.text,
                    valid_from=held.valid_from,
                    valid_until=held.valid_until,
                )
                for held in self.registrations
            ),
        )


class SenderResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A sender as it is on record."""

    id: str
    name: str
    country: str
    postal_address: str | None
    contact: str | None
    registrations: list[RegistrationShape]

    @classmethod
    def of(cls, record: SenderRecord) -> "SenderResponse":
        """Render it."""
        return cls(
            id=record.id,
            name=record.name,
            country=record.country,
            postal_address=record.postal_address,
            contact=record.contact,
            registrations=[
                RegistrationShape(
                    scheme=held.scheme,
                    id=held.id,
                    purpose=held.purpose,
                    text=held.text,
                    valid_from=held.valid_from,
                    valid_until=held.valid_until,
                )
                for held in record.registrations
            ],
        )


SenderInPath = Annotated[str, PathParameter(pattern=_ID)]


@put(
    "/v1/senders/{sender:str}",
    opt=open_to(Role.ADMIN) | shown(request=EXAMPLE_SENDER),
    operation_id="putSender",
    summary="Store a sender",
)
async def put_sender(
    sender: FromPath[SenderInPath],
    data: JSONBody[SenderRequest],
    request: Call,
    put_senders: NamedDependency[PutSenders],
) -> Answer[SenderResponse]:
    """In place of what was there under this id. Only its earlier names stay, so that an opt-out
    of one of them goes on holding."""
    if pycountry.countries.get(alpha_2=data.country) is None:
        raise InvalidRequestError(
            "the body does not fit its shape",
            (("/country", "no country has this ISO 3166-1 alpha-2 code"),),
        )
    if not any(sign.isalnum() for sign in data.name):
        raise InvalidRequestError(
            "the body does not fit its shape",
            (("/name", "a name has a letter or a digit: messages must show it"),),
        )
    wanted = PutSender(request.caller.organisation, data.to_record(sender))
    return await request.write(put_senders, wanted, shape=SenderResponse.of)


@get(
    "/v1/senders",
    opt=open_to(Role.SENDER),
    operation_id="listSenders",
    summary="List senders",
)
async def get_senders(
    request: Call, cursor: FromQuery[Cursor] = None, limit: FromQuery[Limit] = LIMIT_DEFAULT
) -> Answer[Page[SenderResponse]]:
    """In order of their ids."""
    organisation, after = request.caller.organisation, place_of(cursor)
    return await request.read(
        lambda connection, _: senders.load_page(
            connection, organisation, after=after, limit=limit + 1
        ),
        shape=lambda found: page_of(
            found, limit, shape=SenderResponse.of, place=lambda record: record.id
        ),
    )


@get(
    "/v1/senders/{sender:str}",
    opt=open_to(Role.SENDER),
    operation_id="readSender",
    summary="Read a sender",
)
async def get_sender(sender: FromPath[str], request: Call) -> Answer[SenderResponse]:
    """As it is on record."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, _: find_sender(connection, organisation, sender),
        shape=SenderResponse.of,
    )
