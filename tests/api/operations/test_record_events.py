"""Recording: each batch by itself, opt-outs first, and the next check sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.record_events import EventBatch, RecordEvent, RecordEvents, Said
from api.operations.record_opt_out import RecordOptOuts
from api.work import Priority
from consent.errors import UnknownSenderError
from consent.events import ConsentEvent, RecordedKind
from consent.recording import Recorded
from jurisdictions.addresses import parse_address
from rules.vocabulary import Verdict
from tests.support import gates
from tests.support.consents import ANN, BOB, an_event, counted_statements
from tests.support.gates import BY_DAY, Desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)


@pytest.fixture
def events(desk: Desk) -> RecordEvents:
    return RecordEvents(desk.gate.keys, release=desk.gate.release.digest)


def a_batch(desk: Desk, *said: ConsentEvent) -> EventBatch:
    return EventBatch(desk.organisation, "key_1", [Said(ANN, event) for event in said])


def test_batches_of_one_turn_are_answered_each_by_itself(desk: Desk, events: RecordEvents) -> None:
    nobody = an_event(sender="nobody")
    first, second = events.run_many(
        desk.connection,
        [a_batch(desk, an_event(), nobody, an_event()), a_batch(desk, an_event())],
        now=BY_DAY,
    )
    assert [type(answer) for answer in first] == [Recorded, UnknownSenderError, Recorded]
    indexes = [answer.receipt.index for answer in (*first, *second) if isinstance(answer, Recorded)]
    assert indexes == [0, 1, 2]
    assert desk.check_one(desk.a_check()).verdict is Verdict.ALLOW


def test_one_event_is_answered_with_its_receipt_or_its_refusal(
    desk: Desk, events: RecordEvents
) -> None:
    good, bad = RecordEvent(events).run_many(
        desk.connection,
        [a_batch(desk, an_event()), a_batch(desk, an_event(sender="nobody"))],
        now=BY_DAY,
    )
    assert isinstance(good, Recorded)
    assert isinstance(bad, UnknownSenderError)


def test_an_opt_out_is_recorded_whoever_it_is_from(desk: Desk, events: RecordEvents) -> None:
    work = RecordOptOuts(events)
    assert work.priority is Priority.OPT_OUT < Priority.EVENT < Priority.CHECK
    revoke = an_event(RecordedKind.REVOKE, at=BY_DAY, sender="nobody")
    unknown = parse_address("call me maybe")
    batches = [
        EventBatch(desk.organisation, "key_1", [Said(address, revoke)])
        for address in (ANN, BOB, unknown)
    ]
    answers = work.run_many(desk.connection, batches, now=BY_DAY)
    assert all(isinstance(answer, Recorded) for answer in answers)
    flags = [answer.flags for answer in answers if isinstance(answer, Recorded)]
    assert flags[0] == ("sender_unknown",)
    assert "address_unreadable" in flags[2]
    denied = desk.check_one(desk.a_check())
    assert [reason.code for reason in denied.reasons] == ["consent_revoked"]


def test_the_number_of_statements_does_not_grow_with_the_batches(
    desk: Desk, events: RecordEvents
) -> None:
    events.run_many(desk.connection, [a_batch(desk, an_event())], now=BY_DAY)
    ran = []
    for count in (1, 30):
        with counted_statements(desk.connection) as statements:
            batches = [a_batch(desk, an_event()) for _ in range(count)]
            events.run_many(desk.connection, batches, now=BY_DAY)
        ran.append(len(statements))
    assert ran[0] == ran[1]
