"""Senders and what they hold."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from consent import senders
from consent.senders import RegistrationRecord, SenderRecord
from rules.facts import Registration
from rules.vocabulary import Purpose
from tests.support import consents
from tests.support.consents import NOW, Recorder

ACME = SenderRecord(
    id="acme",
    name="Acme, Inc",
    country="US",
    postal_address="1 Example Street, 10001 New York",
    contact="privacy@example.com",
    registrations=(
        RegistrationRecord(scheme="us-10dlc", id="C1A2B3"),
        RegistrationRecord(
            scheme="in-dlt-template",
            id="1107160000000012345",
            purpose=Purpose.MARKETING,
            text="Hi {#var#}",
            valid_from=date(2026, 1, 1),
            valid_until=date(2027, 1, 1),
        ),
    ),
)


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def test_a_sender_is_replaced_whole(recorder: Recorder) -> None:
    connection, organisation = recorder.connection, recorder.organisation
    assert senders.put(connection, organisation, ACME, now=NOW) is False
    kept = msgspec.structs.replace(ACME, former_names=("Acme",))
    assert senders.load_many(connection, organisation, ["acme", "nobody"]) == {"acme": kept}
    plain = msgspec.structs.replace(ACME, id="new", registrations=())
    assert senders.put(connection, organisation, plain, now=NOW) is True
    assert senders.load_many(connection, organisation, ["new"]) == {"new": plain}
    assert senders.load_names(connection, organisation, ["new"]) == {"new": "Acme, Inc"}


def test_another_organisations_senders_are_not_seen(recorder: Recorder) -> None:
    senders.put(recorder.connection, "org_other", ACME, now=NOW)
    (found,) = senders.load_many(recorder.connection, recorder.organisation, ["acme"]).values()
    assert found.name == "Acme"
    assert senders.load_many(recorder.connection, "org_third", ["acme"]) == {}


def test_senders_are_listed_page_by_page(recorder: Recorder) -> None:
    connection, organisation = recorder.connection, recorder.organisation
    first = senders.load_page(connection, organisation, limit=1)
    rest = senders.load_page(connection, organisation, after=first[-1].id)
    assert [sender.id for sender in (*first, *rest)] == ["acme", "beta"]


def test_the_law_counts_a_registrations_last_day_in() -> None:
    held = ACME.to_facts(("US",)).registrations[1]
    assert held == Registration(
        scheme="in-dlt-template",
        id="1107160000000012345",
        purpose=Purpose.MARKETING,
        text="Hi {#var#}",
        starts=date(2026, 1, 1),
        ends=date(2026, 12, 31),
    )
    assert ACME.to_facts(("US",)).registrations[0].ends is None
    assert ACME.to_facts(("US",)).jurisdictions == ("US",)


def test_a_registration_that_ended_before_all_days_breaks_nothing() -> None:
    held = RegistrationRecord(scheme="us-10dlc", id="C1", valid_until=date.min)
    assert held.to_facts().ends == date.min


def test_a_registration_is_written_with_from_and_until() -> None:
    written = msgspec.json.decode(msgspec.json.encode(ACME.registrations[1]))
    assert (written["from"], written["until"]) == ("2026-01-01", "2027-01-01")
