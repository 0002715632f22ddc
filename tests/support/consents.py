"""Builders for what people say: an organisation with keys and senders, events, standings."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from consent import on_record, senders
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger import identifiers
from consent.ledger.log import create_logs
from consent.on_record import OnRecord
from consent.recording import EventInput, Recorded, record_events
from consent.senders import SenderRecord
from consent.subjects import Whom
from jurisdictions.addresses import Address, parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Level, Purpose

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANN = parse_address("+12125550123")
BOB = parse_address("bob@example.com")
BRANDS = {"acme": "Acme", "beta": "Beta"}


@dataclass(frozen=True)
class Recorder:
    """One organisation in one transaction, its clock set by hand."""

    connection: Connection
    organisation: str
    keys: KeyRing
    now: datetime = NOW

    def at(self, now: datetime) -> "Recorder":
        """The same at another time."""
        return replace(self, now=now)

    def record(self, *given: tuple[Whom, ConsentEvent]) -> list[Recorded | ComplianceError]:
        """Record events as one batch."""
        inputs = [
            EventInput(whom, event, identifiers.uuid7(self.now), "key_1") for whom, event in given
        ]
        return record_events(
            self.connection, self.organisation, inputs, keys=self.keys, now=self.now
        )

    def record_one(self, whom: Whom, event: ConsentEvent) -> Recorded:
        """Record one event that must be taken."""
        (recorded,) = self.record((whom, event))
        assert isinstance(recorded, Recorded), recorded
        return recorded

    def load(self, *addresses: Address) -> Sequence[OnRecord | ComplianceError]:
        """What is on record of these addresses, for messages of both senders."""
        return on_record.load_many(
            self.connection,
            self.organisation,
            addresses,
            keys=self.keys,
            now=self.now,
            brands=BRANDS,
        )

    def load_one(self, address: Address) -> OnRecord:
        """What is on record of one address, which must be readable."""
        (found,) = self.load(address)
        assert isinstance(found, OnRecord), found
        return found


def a_key_ring(folder: Path) -> KeyRing:
    """The keys of a new ledger."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return KeyRing.create(folder, at=NOW)


@contextmanager
def recorder(engine: sa.Engine, keys: KeyRing) -> Iterator[Recorder]:
    """A new organisation with the senders ``acme`` and ``beta``, in a transaction of its own."""
    organisation = identifiers.new_organisation_id()
    keys.add_organisation(organisation, at=NOW)
    with engine.begin() as connection:
        create_logs(connection, organisation, origin=f"ledger.example/{organisation}")
        for id_, name in BRANDS.items():
            record = SenderRecord(id=id_, name=name, country="US")
            senders.put(connection, organisation, record, now=NOW)
        yield Recorder(connection, organisation, keys)


def an_event(kind: RecordedKind = RecordedKind.GRANT, **given: Any) -> ConsentEvent:
    """A written grant of marketing by text message to Acme, a day old; or another event."""
    fields: dict[str, Any] = {"event": kind, "at": NOW - DAY, "sender": "acme"}
    if kind is RecordedKind.GRANT:
        fields |= {
            "channel": Channel.SMS,
            "purpose": Purpose.MARKETING,
            "level": Level.EXPRESS_WRITTEN,
        }
    return ConsentEvent(**(fields | given))


@contextmanager
def counted_statements(connection: Connection) -> Iterator[list[str]]:
    """The SQL statements that run inside, in order."""
    ran: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        ran.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)
