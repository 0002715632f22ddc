"""Places held in frequency caps."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consent import holds
from consent.events import RecordedKind
from consent.holds import Hold
from consent.ledger import identifiers
from consent.recording import Recorded
from consent.subjects import Stranger
from rules.vocabulary import Channel, Purpose
from tests.support import consents
from tests.support.consents import ANN, NOW, Recorder, an_event

INDEX = b"i" * 16
OTHER_INDEX = b"j" * 16
SUBJECT = b"s" * 16


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def a_hold(blind_index: bytes = INDEX, **given: Any) -> Hold:
    """A stranger's place for ten minutes."""
    fields: dict[str, Any] = {
        "decision": identifiers.uuid7(NOW),
        "subject": None,
        "blind_index": blind_index,
        "sender": "acme",
        "channel": Channel.SMS,
        "purpose": Purpose.MARKETING,
        "topic": None,
        "send_at": NOW,
        "held_until": NOW + timedelta(minutes=10),
    }
    return Hold(**(fields | given))


def held(recorder: Recorder, subject: bytes | None, *indexes: bytes) -> list[Hold]:
    subjects = () if subject is None else (subject,)
    (found,) = holds.load_many(
        recorder.connection, recorder.organisation, [(subjects, indexes)], now=recorder.now
    )
    return list(found)


def hold(recorder: Recorder, *given: Hold) -> None:
    holds.hold_many(recorder.connection, recorder.organisation, given)


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (NOW + timedelta(minutes=10) - timedelta(microseconds=1), True),
        (NOW + timedelta(minutes=10), False),
    ],
)
def test_a_place_counts_until_before_its_end(
    recorder: Recorder, now: datetime, counts: bool
) -> None:
    place = a_hold()
    hold(recorder, place)
    assert held(recorder.at(now), None, INDEX) == ([place] if counts else [])


def test_a_place_counts_for_the_person_and_for_the_address_and_for_nobody_else(
    recorder: Recorder,
) -> None:
    place = a_hold(subject=SUBJECT)
    hold(recorder, place)
    assert held(recorder, SUBJECT, OTHER_INDEX) == [place]
    assert held(recorder, None, OTHER_INDEX, INDEX) == [place]
    assert held(recorder, SUBJECT, INDEX) == [place]
    assert held(recorder, b"?" * 16, OTHER_INDEX) == []
    assert held(recorder, None) == []


def test_a_strangers_place_still_counts_when_they_are_a_person(recorder: Recorder) -> None:
    stranger = recorder.load_one(ANN)
    hold(recorder, a_hold(stranger.blind_index))
    recorder.record((ANN, an_event()))
    assert len(recorder.load_one(ANN).holds) == 1


def test_a_place_is_given_back_once(recorder: Recorder) -> None:
    one, other = a_hold(), a_hold()
    hold(recorder, one, other)
    assert set(held(recorder, None, INDEX)) == {one, other}
    holds.free_many(recorder.connection, recorder.organisation, [one.decision])
    holds.free_many(recorder.connection, recorder.organisation, [one.decision])
    assert held(recorder, None, INDEX) == [other]
    decisions = [one.decision, other.decision]
    found = holds.find_many(recorder.connection, recorder.organisation, decisions)
    assert found == {other.decision: other}


def test_places_whose_time_is_over_are_deleted(recorder: Recorder) -> None:
    over, running = a_hold(held_until=NOW), a_hold()
    hold(recorder, over, running)
    assert holds.expire(recorder.connection, now=NOW) == 1
    assert held(recorder.at(NOW - timedelta(days=1)), None, INDEX) == [running]


def test_another_organisations_places_do_not_count(recorder: Recorder) -> None:
    place = a_hold(subject=SUBJECT)
    holds.hold_many(recorder.connection, "org_other", [place])
    assert held(recorder, SUBJECT, INDEX) == []
    holds.free_many(recorder.connection, recorder.organisation, [place.decision])
    assert holds.find_many(recorder.connection, "org_other", [place.decision])


def test_a_sent_report_turns_a_place_into_an_event(recorder: Recorder) -> None:
    stranger = recorder.load_one(ANN)
    place = a_hold(stranger.blind_index)
    hold(recorder, place)
    holds.free_many(recorder.connection, recorder.organisation, [place.decision])
    sent = an_event(RecordedKind.SENT)
    (answer,) = recorder.record((Stranger(stranger.blind_index), sent))
    assert isinstance(answer, Recorded)
    assert [event.held_until for event in recorder.load_one(ANN).history("acme").events] == [None]
