"""What several resources share of their requests and answers."""

from datetime import datetime
from typing import Annotated

import msgspec

from rules.facts import TemplateReference
from rules.vocabulary import Channel, Purpose, RecipientKind

STORABLE = r"^[^\x00]*$"
"""What every database can hold."""

Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with an offset.")]
AddressText = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=320, description="An E.164 number or an e-mail address."),
]
SenderName = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, pattern=STORABLE, description="The id of a sender."),
]
Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=STORABLE)]
MessageText = Annotated[str, msgspec.Meta(max_length=100_000)]
SenderIdText = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=320, description="The sender id that is shown."),
]


class TemplateShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The registered template that a message follows."""

    scheme: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]

    def to_reference(self) -> TemplateReference:
        """As rules look at it."""
        return TemplateReference(scheme=self.scheme, id=self.id)


class RecipientShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The person in a message, and what the sender knows of where they are."""

    address: AddressText
    region: Annotated[
        str | None, msgspec.Meta(description="ISO 3166-2, or a country's alpha-2 code.")
    ] = None
    time_zone: Annotated[str | None, msgspec.Meta(description="An IANA time zone.")] = None
    kind: RecipientKind = RecipientKind.CONSUMER
    age: Annotated[int, msgspec.Meta(ge=0, le=150)] | None = None


class MessageShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An outbound message. Without ``text`` rules of content become obligations."""

    channel: Channel
    purpose: Purpose
    topic: Topic | None = None
    sender_id: SenderIdText | None = msgspec.field(default=None, name="from")
    text: MessageText | None = None
    template: TemplateShape | None = None
    automated: bool = True
    send_at: Instant | None = None
    discard_after: Instant | None = None
