"""The brands of an organisation in whose names messages go out, and what they hold."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

import msgspec
from sqlalchemy import Connection

from rules.facts import Sender
from rules.vocabulary import Purpose


class RegistrationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A registration as the sender reported it, valid from ``starts_on`` until before ``ends_on``.

    In JSON the dates are ``from`` and ``until``.
    """

    scheme: str
    id: str
    purpose: Purpose | None = None
    text: str | None = None
    valid_from: date | None = msgspec.field(default=None, name="from")
    valid_until: date | None = msgspec.field(default=None, name="until")


class SenderRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sender: ``name`` is the brand that a message must name, ``country`` ISO 3166-1 alpha-2."""

    id: str
    name: str
    country: str
    postal_address: str | None = None
    contact: str | None = None
    registrations: tuple[RegistrationRecord, ...] = ()

    def to_facts(self, jurisdictions: tuple[str, ...]) -> Sender:
        """What rules may look at; ``jurisdictions`` are those of ``country``."""
        raise NotImplementedError


def put(connection: Connection, organisation: str, sender: SenderRecord, *, now: datetime) -> bool:
    """Store a sender under its id, in place of what was there. True if it is new."""
    raise NotImplementedError


def load_many(
    connection: Connection, organisation: str, ids: Collection[str]
) -> dict[str, SenderRecord]:
    """Those of ``ids`` that exist, by id, in one statement."""
    raise NotImplementedError


def load_page(
    connection: Connection, organisation: str, *, after: str = "", limit: int = 100
) -> Sequence[SenderRecord]:
    """Senders in order of id, from the first past ``after``."""
    raise NotImplementedError
