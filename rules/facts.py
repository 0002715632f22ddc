"""What a rule may look at. Everything is parsed, typed and complete before it gets here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo

from rules.history import NOTHING_ON_RECORD, History
from rules.vocabulary import Channel, NumberType, Purpose, RecipientKind, SenderForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a sender holds with a registrar; ``starts`` and ``ends`` are local dates, both in it."""

    scheme: str
    id: str
    purpose: Purpose | None = None
    text: str | None = None
    starts: date | None = None
    ends: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A brand in whose name messages go out. ``jurisdictions`` are those of its country."""

    name: str
    country: str
    jurisdictions: tuple[str, ...]
    registrations: tuple[Registration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The person in a message, and where they may be.

    ``key`` tells people of one batch apart, so that a place held for one counts for the next
    message to the same person; it means nothing outside the batch. ``jurisdictions`` holds
    every country, region and union whose law may bind, widest first. ``country`` is None when
    nothing tells it. ``time_zones`` are all that are possible, and ``zone_source`` says
    from what: given, region, number or country.
    ``address_problem`` says why the address cannot be one, or is None.
    """

    key: str
    country: str | None
    jurisdictions: tuple[str, ...]
    region: str | None = None
    time_zones: tuple[tzinfo, ...]
    zone_source: str = "country"
    number_type: NumberType | None = None
    local_part: str | None = None
    kind: RecipientKind = RecipientKind.CONSUMER
    age: int | None = None
    address_problem: str | None = None

    def __post_init__(self) -> None:
        assert self.time_zones, "locate() gives every zone of the country when it knows no better"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEntry:
    """What one loaded copy of a register says of one address."""

    registry: str
    listed: bool
    as_of: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderId:
    """The ``from`` that the recipient sees. ``digits`` holds the digits of a numeric one."""

    text: str
    form: SenderForm
    digits: str = ""
    country: str | None = None
    number_type: NumberType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateReference:
    """The registered template that a message says it follows."""

    scheme: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One outbound message. ``send_at`` is the instant it would go out."""

    channel: Channel
    purpose: Purpose
    send_at: datetime
    topic: str | None = None
    sender_id: SenderId | None = None
    text: str | None = None
    template: TemplateReference | None = None
    automated: bool = True
    discard_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a decision rests on.

    ``overdue_since``: the deadline by which an opt-out should have reached a system that sends
    messages like this one, where one has not arrived and the deadline has passed.
    """

    sender: Sender
    recipient: Recipient
    message: Message
    history: History = NOTHING_ON_RECORD
    registries: Mapping[str, RegistryEntry] = field(default_factory=dict)
    overdue_since: datetime | None = None
