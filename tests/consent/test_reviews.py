"""Held replies: a row for each hold, closed by what answers it, and made anew from the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent import erasure, reviews
from consent.erasure import ErasureInput
from consent.events import ConsentEvent, Flag, RecordedKind
from consent.fsck.damage import Damage, Kind
from consent.fsck.ledger import inspect_organisation
from consent.fsck.rebuild import Rebuilt, rebuild
from consent.ledger.identifiers import uuid7
from consent.recording import Recorded
from consent.reviews import Outcome, Review
from consent.subjects import KnownSubject
from consent.tables import review as table
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, EventKind, Via
from tests.support import consents
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, an_event

TEXT = "stop by tomorrow?"


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def a_hold(**given: object) -> ConsentEvent:
    return an_event(RecordedKind.HOLD, text=TEXT, via=Via.KEYWORD, **given)


def open_of(recorder: Recorder) -> list[Review]:
    return reviews.list_open(recorder.connection, recorder.organisation, after=-1, count=50)


def rows_of(recorder: Recorder) -> list[object]:
    rows = sa.select(table).where(table.c.organisation == recorder.organisation)
    return [tuple(row) for row in recorder.connection.execute(rows.order_by(table.c.idx))]


def answered(recorder: Recorder, held: Recorded, kind: RecordedKind) -> Recorded:
    event = an_event(kind, answers=held.receipt.index, why="she wants to know when we open")
    whom = ANN if kind is RecordedKind.REVOKE else KnownSubject(held.subject)
    return recorder.record_one(whom, event)


def rebuilt(recorder: Recorder) -> Rebuilt:
    return rebuild(
        recorder.connection,
        recorder.organisation,
        keys=recorder.keys,
        now=NOW,
        progress=lambda _: None,
    )


def damages(recorder: Recorder) -> list[Damage]:
    found = inspect_organisation(
        recorder.connection, recorder.organisation, keys=recorder.keys, progress=lambda _: None
    )
    return list(found)


def test_a_hold_waits_for_a_decision_with_its_text(recorder: Recorder) -> None:
    held = recorder.record_one(ANN, a_hold(channel=Channel.SMS))
    (waiting,) = open_of(recorder)
    assert waiting.event_id == held.receipt.event_id
    assert (waiting.idx, waiting.subject) == (held.receipt.index, held.subject)
    assert (waiting.sender, waiting.channel, waiting.purpose) == ("acme", Channel.SMS, None)
    (reply,) = reviews.read_replies(
        recorder.connection, recorder.organisation, [waiting], keys=recorder.keys
    ).values()
    assert (reply.event.text, reply.address) == (TEXT, "+12125550123")


def test_no_row_of_a_review_holds_what_was_written(recorder: Recorder) -> None:
    recorder.record_one(ANN, a_hold())
    (row,) = rows_of(recorder)
    assert TEXT not in str(row)
    assert "2125550123" not in str(row)


@pytest.mark.parametrize("kind", [RecordedKind.REVOKE, RecordedKind.RELEASE])
def test_an_answer_closes_its_own_review_alone(recorder: Recorder, kind: RecordedKind) -> None:
    first = recorder.record_one(ANN, a_hold())
    second = recorder.record_one(ANN, a_hold())
    answered(recorder, first, kind)
    assert [one.event_id for one in open_of(recorder)] == [second.receipt.event_id]
    found = reviews.find(recorder.connection, recorder.organisation, first.receipt.event_id)
    assert found is not None
    assert found.outcome == Outcome(kind.value)


def test_a_release_that_answers_nothing_is_refused(recorder: Recorder) -> None:
    held = recorder.record_one(ANN, a_hold())
    release = an_event(RecordedKind.RELEASE)
    (refused,) = recorder.record((KnownSubject(held.subject), release))
    assert isinstance(refused, ComplianceError)
    assert len(open_of(recorder)) == 1


def test_a_hold_is_taken_whatever_it_looks_like(recorder: Recorder) -> None:
    nobody = parse_address("someone")
    held = recorder.record_one(nobody, a_hold(sender="unknown"))
    assert set(held.flags) == {Flag.ADDRESS_UNREADABLE, Flag.SENDER_UNKNOWN}
    assert [one.sender for one in open_of(recorder)] == [None]


def test_erasing_closes_reviews_and_keeps_the_doubt(recorder: Recorder) -> None:
    released = recorder.record_one(ANN, a_hold())
    answered(recorder, released, RecordedKind.RELEASE)
    doubted = recorder.record_one(ANN, a_hold(channel=Channel.SMS))
    other = recorder.record_one(BOB, a_hold())
    given = ErasureInput(address=ANN, event_id=uuid7(NOW))
    erasure.erase(recorder.connection, recorder.organisation, given, keys=recorder.keys, now=NOW)
    assert [one.event_id for one in open_of(recorder)] == [other.receipt.event_id]
    left = recorder.load_one(ANN).history("acme").events
    assert [(event.event, event.index) for event in left if event.event is EventKind.HOLD] == [
        (EventKind.HOLD, doubted.receipt.index)
    ]
    assert damages(recorder) == []


@pytest.mark.parametrize("erased", [False, True])
def test_reviews_follow_from_the_log(recorder: Recorder, erased: bool) -> None:
    first = recorder.record_one(ANN, a_hold(channel=Channel.SMS))
    answered(recorder, first, RecordedKind.RELEASE)
    recorder.at(NOW + DAY).record_one(ANN, a_hold())
    recorder.record_one(BOB, a_hold())
    if erased:
        given = ErasureInput(address=BOB, event_id=uuid7(NOW))
        erasure.erase(
            recorder.connection, recorder.organisation, given, keys=recorder.keys, now=NOW
        )
    assert damages(recorder) == []
    assert rebuilt(recorder).reviews == 0

    recorder.connection.execute(
        sa.delete(table).where(table.c.organisation == recorder.organisation, table.c.idx > 0)
    )
    recorder.connection.execute(sa.update(table).values(outcome=None))
    assert {one.kind for one in damages(recorder)} == {Kind.REVIEW}
    before = [one.outcome for one in open_of(recorder)]
    assert before == [None]
    assert rebuilt(recorder).reviews == 3
    assert damages(recorder) == []
    assert len(open_of(recorder)) == (1 if erased else 2)


def test_a_standing_made_anew_knows_what_was_released(recorder: Recorder) -> None:
    held = recorder.record_one(ANN, a_hold())
    answered(recorder, held, RecordedKind.RELEASE)
    standing = sa.table("standing", sa.column("organisation"))
    recorder.connection.execute(
        sa.delete(standing).where(standing.c.organisation == recorder.organisation)
    )
    assert rebuilt(recorder).standings == 1
    events = recorder.load_one(ANN).history("acme").events
    assert {(event.event, event.answers) for event in events} == {
        (EventKind.HOLD, None),
        (EventKind.RELEASE, held.receipt.index),
    }
