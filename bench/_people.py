"""A data folder full of people who really consented, for measurements that need many on record."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from api.clock import Clock, SystemClock
from api.data_folder import DataFolder
from api.database import migrate, writing_engine
from api.operations.found_organisation import found_organisation
from api.operations.issue_keys import KeyRequest, issue_key
from api.roles import Role
from consent import senders
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.ledger.vault import Vault
from consent.recording import EventInput, Recorded, record_events
from consent.senders import RegistrationRecord, SenderRecord
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Level, Purpose, Via

SENDER = "acme"
TEXT = "Acme: 20% off today. Reply STOP to opt out."
BY_DAY = (206, 212, 215, 303, 312, 313, 404, 415, 602, 617)
AREA_CODES = (*BY_DAY, *(code for code in range(201, 1000) if code not in BY_DAY))
"""The first ten are of states in which a message may go at noon of this country."""
BATCH = 1_000
NOON = 17
"""Hour in UTC at which it is day in every area of ``BY_DAY``."""


class Filled(msgspec.Struct, frozen=True):
    """What was put into a folder, as its file ``filled.json`` says."""

    organisation: str
    token: str
    subjects: int


class Noon:
    """The machine's clock, moved ahead to noon of a Tuesday: no law forbids sending then."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        now = self._clock.now()
        tuesday = now + timedelta(days=7 - (now.weekday() - 1) % 7)
        self._by = tuesday.replace(hour=NOON, minute=0, second=0, microsecond=0) - now

    def now(self) -> datetime:
        return self._clock.now() + self._by

    def monotonic(self) -> float:
        return self._clock.monotonic()


def number_of(person: int) -> str:
    """A number of the exchange 555, which is nobody's."""
    area, line = divmod(person, 10_000)
    return f"+1{AREA_CODES[area]}555{line:04}"


def stops(person: int) -> bool:
    """Every other person has opted out after they consented."""
    return person % 2 == 1


def fill(folder: Path, subjects: int, clock: Clock, *, url: str | None = None) -> Filled:
    """Put an organisation with ``subjects`` people on record, or find them there already.

    ``url``: of another database than the folder's own.
    """
    note = folder / "filled.json"
    if note.exists():
        filled = msgspec.json.decode(note.read_bytes(), type=Filled)
        assert filled.subjects == subjects, "the folder was filled with another number of people"
        return filled
    now = clock.now()
    folder.mkdir(parents=True, exist_ok=True)
    keys = KeyRing.create(folder, at=now)
    url = url or DataFolder(folder).database_url
    migrate(url)
    Vault.create(DataFolder(folder).vault, keys.ledger_id)
    engine = writing_engine(url)
    with engine.connect() as connection:
        organisation = found_organisation(connection, "Acme Inc", keys=keys, now=now).id
        request = KeyRequest(organisation=organisation, person="Ada", roles=frozenset({Role.ADMIN}))
        token = issue_key(connection, request, now=now).token
        assert token is not None, "a key just issued shows its token"
        senders.put(connection, organisation, _sender(), now=now)
        connection.commit()
        for batch in _batches(_events(subjects, now - timedelta(days=30))):
            recorded = record_events(connection, organisation, batch, keys=keys, now=now)
            assert all(isinstance(one, Recorded) for one in recorded), "these events are whole"
            connection.commit()
    engine.dispose()
    filled = Filled(organisation, token, subjects)
    note.write_bytes(msgspec.json.encode(filled))
    return filled


def _sender() -> SenderRecord:
    registration = RegistrationRecord(scheme="us-10dlc", id="C1A2B3")
    return SenderRecord(
        id=SENDER,
        name="Acme",
        country="US",
        postal_address="1 Example Street",
        registrations=(registration,),
    )


def _events(subjects: int, at: datetime) -> Iterator[EventInput]:
    assert subjects <= 10_000 * len(AREA_CODES), "there are no more numbers that are nobody's"
    for person in range(subjects):
        whom = parse_address(number_of(person))
        grant = ConsentEvent(
            event=RecordedKind.GRANT,
            at=at,
            sender=SENDER,
            channel=Channel.SMS,
            purpose=Purpose.MARKETING,
            level=Level.EXPRESS_WRITTEN,
        )
        yield EventInput(whom, grant, uuid7(at))
        if stops(person):
            stop = ConsentEvent(
                event=RecordedKind.REVOKE, at=at + timedelta(days=1), sender=SENDER, via=Via.KEYWORD
            )
            yield EventInput(whom, stop, uuid7(at))


def _batches(events: Iterator[EventInput]) -> Iterator[Sequence[EventInput]]:
    batch: list[EventInput] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
