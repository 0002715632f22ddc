"""Run scenarios through the whole path of a check, on throw-away databases.

Each has an organisation of its own. What its history tells is recorded with the clock at the
time of each event, its registers are loaded, and the message is checked at its ``send_at``, by the
same operations that serve callers. A live service cannot do that: its clock is real.
"""

import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection

from api.database import migrate, writing_engine
from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import Check, CheckMessages, Gate
from api.operations.erase_subject import EraseSubjects, ErasureRequest
from api.operations.found_organisation import found_organisation
from audit.permits import PermitSigner
from consent import senders
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.recording import EventInput, record_events
from consent.registries.copies import ONLY_ROWS
from consent.registries.snapshots import Registries
from consent.senders import RegistrationRecord, SenderRecord
from jurisdictions.addresses import Address, parse_address
from jurisdictions.places import locate
from jurisdictions.releases import Release
from jurisdictions.scenario_files import Scenario, ScenarioEvent
from jurisdictions.scenario_runs import Outcome, compare
from rules.errors import ComplianceError
from rules.facts import TemplateReference
from rules.vocabulary import LEVEL_OF_WORD, EventKind, Verdict

SENDER = "sender"
ACTOR = "scenarios"
SCENARIOS_A_DATABASE = 32
"""Few enough that what grows with the organisations of a database costs nothing."""


def run_scenarios(
    scenarios: Sequence[Scenario], *, release: Release, database_url: str | None = None
) -> Generator[Outcome, None, None]:
    """Run each and hold it against what the law asks for, in order.

    ``database_url`` names a PostgreSQL database to run them on, instead of SQLite files of our
    own. It is brought to this version's schema, and nothing else stays in it.
    """
    if database_url is not None:
        yield from _run_on_one(scenarios, release, database_url)
        return
    with tempfile.TemporaryDirectory(prefix="cleartosend-") as made:
        folder = Path(made)
        migrated = folder / "migrated.sqlite3"
        migrate(f"sqlite:///{migrated}")
        for start in range(0, len(scenarios), SCENARIOS_A_DATABASE):
            here = folder / str(start)
            here.mkdir()
            database = here / "scenarios.sqlite3"
            shutil.copyfile(migrated, database)
            with _one_transaction(f"sqlite:///{database}") as connection:
                stage = _Stage(connection, _gate(release, here))
                for scenario in scenarios[start : start + SCENARIOS_A_DATABASE]:
                    yield stage.run(scenario)
            shutil.rmtree(here)


def _run_on_one(scenarios: Sequence[Scenario], release: Release, url: str) -> Iterator[Outcome]:
    migrate(url)
    with (
        tempfile.TemporaryDirectory(prefix="cleartosend-") as folder,
        _one_transaction(url) as connection,
    ):
        stage = _Stage(connection, _gate(release, Path(folder)))
        for scenario in scenarios:
            yield stage.run(scenario)


@contextmanager
def _one_transaction(url: str) -> Iterator[Connection]:
    """A transaction that is never committed: nobody will read what it wrote."""
    engine = writing_engine(url)
    try:
        with engine.connect() as connection:
            connection.begin()
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def _gate(release: Release, folder: Path) -> Gate:
    keys = KeyRing.passing(at=datetime(2026, 1, 1, tzinfo=UTC))
    return Gate(
        release=release,
        keys=keys,
        registries=Registries(folder / "registries", keys),
        permits=PermitSigner(*keys.permit_key()),
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """A database on which scenarios are played, one organisation each."""

    connection: Connection
    gate: Gate

    def run(self, scenario: Scenario) -> Outcome:
        """Play one scenario from the beginning. One that cannot be played falls short.

        Nothing was decided then, which to a sender is the same as a deny.
        """
        try:
            return self._play(scenario)
        except ComplianceError as error:
            why = f"it could not be run: {error.detail}"
            return Outcome(scenario, Verdict.DENY, None, (), (), (why,))

    def _play(self, scenario: Scenario) -> Outcome:
        send_at = scenario.message.send_at.astimezone(UTC)
        first = min([event.at.astimezone(UTC) for event in scenario.history] + [send_at])
        founded = found_organisation(self.connection, scenario.id, keys=self.gate.keys, now=first)
        address = parse_address(scenario.recipient.address)
        self._put_sender(founded.id, scenario, first)
        self._record(founded.id, address, scenario, until=send_at)
        for entry in scenario.registries:
            row = f"address,listed\n{address.normalised},{str(entry.listed).lower()}\n"
            prepared = self.gate.registries.prepare(
                founded.id, entry.registry, entry.as_of, BytesIO(row.encode()), covers=[ONLY_ROWS]
            )
            self.gate.registries.load(self.connection, prepared, now=send_at)
        check = _check_of(founded.id, address, scenario, self.gate.release)
        (answer,) = CheckMessages(self.gate).run_many(self.connection, [check], now=send_at)
        if isinstance(answer, ComplianceError):
            raise answer
        return _outcome(scenario, answer)

    def _put_sender(self, organisation: str, scenario: Scenario, now: datetime) -> None:
        sender = SenderRecord(
            id=SENDER,
            name=scenario.sender.name,
            country=scenario.sender.country,
            registrations=tuple(
                RegistrationRecord(
                    scheme=held.scheme, id=held.id, purpose=held.purpose, text=held.text
                )
                for held in scenario.sender.registrations
            ),
        )
        senders.put(self.connection, organisation, sender, now=now)

    def _record(
        self, organisation: str, address: Address, scenario: Scenario, *, until: datetime
    ) -> None:
        """Let the history happen, each event at its time; what lies after ``until`` has not yet."""
        past = [event for event in scenario.history if event.at <= until]
        for (at, erases), events in groupby(past, key=_when):
            if erases:
                self._erase(organisation, address, at)
                continue
            inputs = [EventInput(address, _event_of(event), uuid7(at), ACTOR) for event in events]
            recorded = record_events(
                self.connection,
                organisation,
                inputs,
                keys=self.gate.keys,
                now=at,
                release=self.gate.release.digest,
            )
            for answer in recorded:
                if isinstance(answer, ComplianceError):
                    raise answer

    def _erase(self, organisation: str, address: Address, at: datetime) -> None:
        wanted = ErasureRequest(
            organisation=organisation, actor=ACTOR, address=address, why="a scenario"
        )
        # No copy of this database will ever be restored, so no journal tells of it.
        work = EraseSubjects(self.gate.keys, None)
        (answer,) = work.run_many(self.connection, [wanted], now=at)
        if isinstance(answer, ComplianceError):
            raise answer


def _when(event: ScenarioEvent) -> tuple[datetime, bool]:
    return event.at.astimezone(UTC), event.event is EventKind.ERASE


def _event_of(event: ScenarioEvent) -> ConsentEvent:
    return ConsentEvent(
        event=RecordedKind(event.event.value),
        at=event.at,
        sender=SENDER,
        channel=event.channel,
        purpose=event.purpose,
        topic=event.topic,
        brand=event.brand,
        level=None if event.level is None else LEVEL_OF_WORD[event.level],
        qualities=frozenset(event.qualities()),
        expires_at=event.expires_at,
        ends_at=event.ends_at,
        via=event.via,
        text=event.text,
    )


def _check_of(organisation: str, address: Address, scenario: Scenario, release: Release) -> Check:
    said, message = scenario.recipient, scenario.message
    template = message.template
    return Check(
        organisation=organisation,
        actor=ACTOR,
        sender=SENDER,
        address=address,
        place=locate(
            address,
            region=said.region,
            time_zone=said.time_zone,
            with_sheet=release.with_sheet,
        ),
        kind=said.kind,
        age=said.age,
        channel=message.channel,
        purpose=message.purpose,
        topic=message.topic,
        sender_id=message.sender_id,
        text=message.text,
        template=None
        if template is None
        else TemplateReference(scheme=template.scheme, id=template.id),
        automated=message.automated,
        send_at=message.send_at,
        discard_after=message.discard_after,
        reference=scenario.id,
    )


def _outcome(scenario: Scenario, answer: CheckAnswer) -> Outcome:
    return compare(
        scenario,
        answer.verdict,
        answer.not_before,
        reasons=tuple(dict.fromkeys(reason.code for reason in answer.reasons)),
        obligations=tuple(dict.fromkeys(duty.code for duty in answer.obligations)),
    )
