"""From what a caller says of a message to the facts that rules look at; all parsed once, here."""

from datetime import datetime

from jurisdictions.addresses import Address, sender_id_of
from jurisdictions.binding import jurisdictions_of
from jurisdictions.places import Place
from rules.facts import Message, Recipient, Registration, Sender, TemplateReference
from rules.vocabulary import Channel, Purpose, RecipientKind

BY_NUMBER: frozenset[Channel] = frozenset(
    {Channel.SMS, Channel.MMS, Channel.RCS, Channel.WHATSAPP, Channel.VOICE}
)
"""Channels that reach a telephone number; e-mail reaches a mailbox, push either."""


def recipient_of(
    address: Address,
    place: Place,
    *,
    channel: Channel,
    kind: RecipientKind = RecipientKind.CONSUMER,
    age: int | None = None,
    key: str | None = None,
) -> Recipient:
    """Put the person together. ``key`` is the same for everybody who is the same person."""
    return Recipient(
        key=key or address.spellings[0],
        country=place.country,
        jurisdictions=place.jurisdictions,
        region=place.region,
        time_zones=place.time_zones,
        zone_source=place.zone_source,
        number_type=address.number_type,
        local_part=address.local_part,
        kind=kind,
        age=age,
        address_problem=address.problem or _unreachable(address, channel),
    )


def sender_of(
    name: str,
    country: str,
    registrations: tuple[Registration, ...],
    *,
    with_sheet: frozenset[str],
) -> Sender:
    """Put the sender together, with the jurisdictions of its country."""
    return Sender(
        name=name,
        country=country,
        jurisdictions=jurisdictions_of(country, (), with_sheet=with_sheet),
        registrations=registrations,
    )


def message_of(
    channel: Channel,
    purpose: Purpose,
    send_at: datetime,
    *,
    sender_id: str | None,
    sender_country: str,
    text: str | None,
    topic: str | None = None,
    template: TemplateReference | None = None,
    automated: bool = True,
    discard_after: datetime | None = None,
) -> Message:
    """Put the message together. National numbers in ``from`` are read in the sender's country."""
    shown = None
    if sender_id is not None:
        shown = sender_id_of(sender_id, default_country=sender_country)
    return Message(
        channel=channel,
        purpose=purpose,
        send_at=send_at,
        topic=topic,
        sender_id=shown,
        text=text,
        template=template,
        automated=automated,
        discard_after=discard_after,
    )


def _unreachable(address: Address, channel: Channel) -> str | None:
    if channel in BY_NUMBER and address.channel_family != "number":
        return f"{channel} reaches telephone numbers only, give a number as +12125550123"
    if channel is Channel.EMAIL and address.channel_family != "email":
        return "email reaches mailboxes only, give an e-mail address"
    return None
