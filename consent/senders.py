"""The brands of an organisation in whose names messages go out, and what they hold."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, select

from consent.among import ByMany
from consent.tables import sender as sender_table
from rules.facts import Registration, Sender
from rules.vocabulary import Purpose


class RegistrationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registration as the sender reported it, valid from one local date until before another.

    In JSON the dates are ``from`` and ``until``.
    """

    scheme: str
    id: str
    purpose: Purpose | None = None
    text: str | None = None
    valid_from: date | None = msgspec.field(default=None, name="from")
    valid_until: date | None = msgspec.field(default=None, name="until")

    def to_facts(self) -> Registration:
        """What rules may look at. They count the last day in, so it is the one before ``until``."""
        return Registration(
            scheme=self.scheme,
            id=self.id,
            purpose=self.purpose,
            text=self.text,
            starts=self.valid_from,
            ends=None if self.valid_until is None else _day_before(self.valid_until),
        )


class SenderRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sender. ``name`` is the brand that a message must name, ``country`` an alpha-2 code.

    ``former_names``: what it was called before; who opted out of one of these meant this sender.
    """

    id: str
    name: str
    country: str
    postal_address: str | None = None
    contact: str | None = None
    registrations: tuple[RegistrationRecord, ...] = ()
    former_names: tuple[str, ...] = ()

    def to_facts(self, jurisdictions: tuple[str, ...]) -> Sender:
        """What rules may look at; ``jurisdictions`` are those of ``country``."""
        return Sender(
            name=self.name,
            country=self.country,
            jurisdictions=jurisdictions,
            registrations=tuple(held.to_facts() for held in self.registrations),
        )


def _day_before(day: date) -> date:
    return date.min if day == date.min else day - timedelta(days=1)


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(SenderRecord)
_BY_ID = ByMany(
    lambda among: select(sender_table.c.record).where(
        sender_table.c.organisation == bindparam("organisation"),
        among(sender_table.c.id, "ids"),
    )
)
_NAMES = ByMany(
    lambda among: select(sender_table.c.id, sender_table.c.name).where(
        sender_table.c.organisation == bindparam("organisation"),
        among(sender_table.c.id, "ids"),
    )
)
_ALL = select(sender_table.c.record).where(sender_table.c.organisation == bindparam("organisation"))
_PAGE = (
    select(sender_table.c.record)
    .where(
        sender_table.c.organisation == bindparam("organisation"),
        sender_table.c.id > bindparam("after"),
    )
    .order_by(sender_table.c.id)
    .limit(bindparam("count"))
)
_REPLACE = sender_table.update().where(
    sender_table.c.organisation == bindparam("of_organisation"),
    sender_table.c.id == bindparam("of_id"),
)


def put(connection: Connection, organisation: str, sender: SenderRecord, *, now: datetime) -> bool:
    """Store a sender under its id, in place of what was there. True if it is new.

    Of what was there only the names stay.
    """
    earlier = load_many(connection, organisation, [sender.id]).get(sender.id)
    if earlier is not None:
        names = dict.fromkeys((*earlier.former_names, earlier.name))
        names.pop(sender.name, None)
        sender = msgspec.structs.replace(sender, former_names=tuple(names))
    values = {"name": sender.name, "record": _ENCODER.encode(sender), "updated_at": now}
    replaced = connection.execute(
        _REPLACE, {"of_organisation": organisation, "of_id": sender.id, **values}
    ).rowcount
    if replaced:
        return False
    connection.execute(
        sender_table.insert(), {"organisation": organisation, "id": sender.id, **values}
    )
    return True


def load_many(
    connection: Connection, organisation: str, ids: Collection[str]
) -> dict[str, SenderRecord]:
    """Those of ``ids`` that exist, by id, in one statement."""
    if not ids:
        return {}
    rows = _BY_ID.fetch(connection, {"organisation": organisation, "ids": list(ids)})
    records = [_DECODER.decode(record) for (record,) in rows]
    return {record.id: record for record in records}


def load_names(connection: Connection, organisation: str, ids: Collection[str]) -> dict[str, str]:
    """The brand names of those of ``ids`` that exist, in one statement."""
    if not ids:
        return {}
    rows = _NAMES.execute(connection, {"organisation": organisation, "ids": list(ids)})
    return {row.id: row.name for row in rows}


def load_brands(connection: Connection, organisation: str) -> set[str]:
    """Every name that a sender of the organisation bears, or bore before."""
    records = [
        _DECODER.decode(record)
        for (record,) in connection.execute(_ALL, {"organisation": organisation})
    ]
    return {name for record in records for name in (record.name, *record.former_names)}


def load_page(
    connection: Connection, organisation: str, *, after: str = "", limit: int = 100
) -> list[SenderRecord]:
    """Senders in order of id, from the first past ``after``."""
    rows = connection.execute(_PAGE, {"organisation": organisation, "after": after, "count": limit})
    return [_DECODER.decode(record) for (record,) in rows]
