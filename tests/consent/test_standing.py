"""Standing: what is kept, how it is bound to its place, and that folding the log rebuilds it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from consent import standing, tables
from consent.errors import StandingUnreadableError
from consent.events import Flag, RecordedKind
from consent.ledger.tables import subject
from consent.recording import Recorded
from consent.standing import KeptEvent, Standing, fold
from consent.subjects import find_many
from rules.vocabulary import Channel, EventKind
from tests.support import consents
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, an_event

SENT = RecordedKind.SENT
REVOKE = RecordedKind.REVOKE


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def kept(index: int, at: datetime = NOW, kind: RecordedKind = RecordedKind.GRANT) -> KeptEvent:
    return KeptEvent(index, kind, at)


def test_events_stand_in_order_and_those_of_one_instant_as_they_were_recorded() -> None:
    events = [kept(5, NOW), kept(2, NOW), kept(7, NOW - DAY)]
    assert [e.index for e in fold(Standing(), events, recorded_at=NOW).events] == [7, 2, 5]


@pytest.mark.parametrize(
    ("age", "stays"), [(400 * DAY, True), (400 * DAY + timedelta(hours=2), False)]
)
def test_every_sent_stays_for_400_days_and_everything_else_for_good(
    age: timedelta, stays: bool
) -> None:
    hour = timedelta(hours=1)
    around = [kept(0, NOW - age - hour, SENT), kept(3, NOW - age + hour, SENT)]
    events = [*around, kept(1, NOW - age, SENT), kept(2, NOW - age)]
    found = fold(Standing(), events, recorded_at=NOW).events
    assert [event.index for event in found] == ([0, 1, 2, 3] if stays else [0, 2, 3])


def test_of_old_sent_the_ends_of_each_month_and_scope_stay() -> None:
    days = [datetime(2024, month, day, tzinfo=UTC) for month in (1, 2) for day in (1, 2, 15, 28)]
    events = [kept(n, at, SENT) for n, at in enumerate(days)]
    other = KeptEvent(99, SENT, days[1], channel=Channel.EMAIL)
    found = fold(Standing(), [*events, other], recorded_at=NOW).events
    assert [event.index for event in found] == [0, 99, 3, 4, 7]


def test_a_relation_kept_alive_by_use_outlives_its_oldest_uses() -> None:
    """A sale years ago, and a message every eleven months since: a law may let that go on."""
    sale = KeptEvent(0, RecordedKind.PURCHASE, NOW - 5 * 365 * DAY, sender="acme")
    uses = [
        KeptEvent(n, SENT, sale.at + n * 330 * DAY, sender="acme", channel=Channel.EMAIL)
        for n in range(1, 6)
    ]
    found = fold(Standing(), [sale, *uses], recorded_at=NOW)
    assert found.events == (sale, *uses)


batches = st.lists(
    st.tuples(
        st.integers(-900, 900),  # The clock may go back.
        st.lists(st.tuples(st.integers(-900, 900), st.sampled_from([SENT, REVOKE])), max_size=4),
    ),
    max_size=8,
)


@given(batches)
def test_folding_batch_by_batch_is_folding_the_whole_log(
    log: Sequence[tuple[int, Sequence[tuple[int, RecordedKind]]]],
) -> None:
    stepwise, everything, index = Standing(), [], 0
    for recorded_on, batch in log:
        events = []
        for day, kind in batch:
            events.append(kept(index, NOW + day * DAY, kind))
            index += 1
        stepwise = fold(stepwise, events, recorded_at=NOW + recorded_on * DAY)
        everything += events
    if log:
        newest = NOW + max(recorded_on for recorded_on, _ in log) * DAY
        assert stepwise == fold(Standing(), everything, recorded_at=newest)


@pytest.mark.parametrize("seed", range(3))
def test_the_row_is_what_folding_the_recorded_events_gives(recorder: Recorder, seed: int) -> None:
    events: list[KeptEvent] = []
    for turn in range(4):
        now = NOW + turn * 150 * DAY
        batch = [
            an_event(SENT, at=now - (seed + n) * 40 * DAY) if n % 2 else an_event(REVOKE)
            for n in range(1 + (seed + turn) % 3)
        ]
        answers = recorder.at(now).record(*[(ANN, event) for event in batch])
        events += [
            KeptEvent.of(answer.event, answer.receipt.index)
            for answer in answers
            if isinstance(answer, Recorded)
        ]
    (person,) = find_many(recorder.connection, recorder.organisation, [ANN], keys=recorder.keys)
    assert person is not None
    assert person.head_seq == len(events)
    rows = standing.load_rows(recorder.connection, recorder.organisation, [person.id])
    opened = standing.open_row(
        recorder.keys, recorder.organisation, person.id, person.head_seq, rows[person.id]
    )
    assert opened == fold(Standing(), events, recorded_at=NOW + 450 * DAY)


def _flip(row: Any) -> dict[str, Any]:
    sealed = bytearray(row.sealed_history)
    sealed[len(sealed) // 2] ^= 1
    return {"sealed_history": bytes(sealed)}


@pytest.mark.parametrize(
    "damage",
    [
        _flip,
        lambda row: {"sealed_history": b""},
        lambda row: {"head_seq": row.head_seq - 1},
        lambda row: {"head_seq": row.head_seq + 1},
    ],
    ids=["flipped", "emptied", "older", "newer"],
)
def test_a_standing_that_cannot_be_trusted_is_an_error_of_that_person_alone(
    recorder: Recorder, damage: Any
) -> None:
    recorder.record((ANN, an_event()), (ANN, an_event()))
    table = tables.standing
    row = recorder.connection.execute(sa.select(table)).one()
    recorder.connection.execute(table.update().values(**damage(row)))
    recorder.record((BOB, an_event()))
    broken, whole = recorder.load(ANN, BOB)
    assert isinstance(broken, StandingUnreadableError)
    assert len(whole.history("acme").events) == 1  # type: ignore[union-attr]


def test_rows_of_two_people_cannot_be_swapped(recorder: Recorder) -> None:
    recorder.record((ANN, an_event(REVOKE)), (BOB, an_event()))
    table = tables.standing
    one, other = recorder.connection.execute(sa.select(table)).all()
    for row, sealed in ((one, other.sealed_history), (other, one.sealed_history)):
        recorder.connection.execute(
            table.update().where(table.c.subject == row.subject).values(sealed_history=sealed)
        )
    assert all(isinstance(found, StandingUnreadableError) for found in recorder.load(ANN, BOB))


def test_an_old_row_put_back_is_refused(recorder: Recorder) -> None:
    recorder.record((ANN, an_event()))
    table = tables.standing
    old = recorder.connection.execute(sa.select(table)).one()
    recorder.record((ANN, an_event(REVOKE)))
    recorder.connection.execute(table.update().values(**old._asdict()))
    assert isinstance(recorder.load(ANN)[0], StandingUnreadableError)


def test_a_standing_that_is_gone_is_refused_and_a_new_person_has_none_yet(
    recorder: Recorder,
) -> None:
    recorder.record((ANN, an_event()))
    recorder.connection.execute(tables.standing.delete())
    assert isinstance(recorder.load(ANN)[0], StandingUnreadableError)
    recorder.connection.execute(subject.update().values(head_seq=0))
    assert recorder.load_one(ANN).events == ()


@pytest.mark.parametrize("kind", [REVOKE, RecordedKind.GRANT])
def test_an_event_is_recorded_on_a_broken_standing_and_opens_nothing(
    recorder: Recorder, kind: RecordedKind
) -> None:
    recorder.record((ANN, an_event()))
    recorder.connection.execute(tables.standing.update().values(sealed_history=b"?"))
    recorded = recorder.record_one(ANN, an_event(kind))
    assert recorded.flags == (Flag.STANDING_UNREADABLE,)
    assert isinstance(recorder.load(ANN)[0], StandingUnreadableError)
    suppressed = recorder.connection.scalar(
        sa.select(sa.func.count()).select_from(tables.suppression)
    )
    assert suppressed == (1 if kind is REVOKE else 0)


def test_a_lost_person_stays_suppressed(recorder: Recorder) -> None:
    recorder.record((ANN, an_event()), (ANN, an_event(REVOKE)))
    recorder.connection.exec_driver_sql("DELETE FROM subject_alias")
    found = recorder.load_one(ANN)
    assert found.subject is None
    assert [event.event for event in found.history("acme").events] == [EventKind.REVOKE]
