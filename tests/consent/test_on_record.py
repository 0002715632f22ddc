"""What is on record, merged, and whom it concerns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consent import holds, senders, suppression
from consent.events import RecordedKind
from consent.on_record import OnRecord
from consent.senders import SenderRecord
from consent.standing import KeptEvent
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, Via
from tests.consent.test_holds import a_hold
from tests.support import consents
from tests.support.consents import ANN, BOB, BRANDS, DAY, NOW, Recorder, an_event

REVOKE = RecordedKind.REVOKE


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def on_record(*events: KeptEvent, brands: dict[str, str] | None = None) -> OnRecord:
    return OnRecord(None, b"?" * 16, events, (), BRANDS if brands is None else brands)


@pytest.mark.parametrize("kind", list(EventKind))
@pytest.mark.parametrize(
    ("sender", "brand", "seen_by_acme", "seen_by_beta"),
    [
        ("acme", None, None, "Acme"),
        ("beta", None, "Beta", None),
        (None, None, None, None),
        ("acme", "Gamma", "Gamma", "Gamma"),
        ("gone", None, "gone", "gone"),
    ],
)
def test_what_concerns_another_sender_carries_its_name(
    kind: EventKind,
    sender: str | None,
    brand: str | None,
    seen_by_acme: str | None,
    seen_by_beta: str | None,
) -> None:
    record = on_record(KeptEvent(0, RecordedKind(kind), NOW, sender=sender, brand=brand))
    assert [event.brand for event in record.history("acme").events] == [seen_by_acme]
    assert [event.brand for event in record.history("beta").events] == [seen_by_beta]


def test_every_field_reaches_the_law() -> None:
    record = on_record(
        KeptEvent(
            index=4,
            event=RecordedKind.GRANT,
            at=NOW - DAY,
            sender="acme",
            channel=Channel.SMS,
            purpose=Purpose.SURVEY,
            topic="shoes",
            brand="Gamma",
            level=Level.EXPRESS,
            qualities=frozenset({Quality.NIGHT}),
            expires_at=NOW,
            ends_at=NOW + DAY,
            via=Via.LINK,
        )
    )
    (event,) = record.history("acme").events
    assert event.event is EventKind.GRANT
    seen = (event.at, event.channel, event.purpose, event.topic, event.brand, event.level)
    assert seen == (NOW - DAY, Channel.SMS, Purpose.SURVEY, "shoes", "Gamma", Level.EXPRESS)
    rest = (event.qualities, event.expires_at, event.ends_at, event.via, event.index)
    assert rest == (frozenset({Quality.NIGHT}), NOW, NOW + DAY, Via.LINK, 4)
    assert event.held_until is None


def test_entries_that_are_no_event_of_the_law_stay_out_of_the_history() -> None:
    record = on_record(KeptEvent(0, RecordedKind.LINK, NOW), KeptEvent(1, RecordedKind.UNLINK, NOW))
    assert record.history("acme").events == ()


def test_senders_that_no_message_names_are_looked_up_by_what_is_on_record(
    recorder: Recorder,
) -> None:
    record = SenderRecord(id="gamma", name="Gamma", country="US")
    senders.put(recorder.connection, recorder.organisation, record, now=NOW)
    recorder.record((ANN, an_event(sender="gamma")))
    assert [event.brand for event in recorder.load_one(ANN).history("acme").events] == ["Gamma"]


def test_suppression_and_standing_tell_an_opt_out_once(recorder: Recorder) -> None:
    recorder.record((ANN, an_event()), (ANN, an_event(REVOKE, via=Via.KEYWORD)))
    events = recorder.load_one(ANN).history("acme").events
    assert [event.event for event in events] == [EventKind.GRANT, EventKind.REVOKE]


def test_what_the_suppression_alone_knows_stands_at_its_instant(recorder: Recorder) -> None:
    recorder.record((ANN, an_event(at=NOW - 3 * DAY)), (ANN, an_event(at=NOW - DAY)))
    erased = KeptEvent(99, RecordedKind.ERASE, NOW - 2 * DAY)
    suppression.suppress_many(
        recorder.connection, recorder.organisation, [(ANN, erased)], keys=recorder.keys
    )
    events = recorder.load_one(ANN).history("acme").events
    assert [event.event for event in events] == [
        EventKind.GRANT,
        EventKind.ERASE,
        EventKind.GRANT,
    ]


def test_places_held_stand_in_the_history_by_when_they_would_go(recorder: Recorder) -> None:
    recorder.record((ANN, an_event(at=NOW - DAY)))
    person = recorder.load_one(ANN)
    held = a_hold(person.blind_index, sender="beta", send_at=NOW - 2 * DAY)
    holds.hold_many(recorder.connection, recorder.organisation, [held])
    first, second = recorder.load_one(ANN).history("acme").events
    assert (first.event, first.at, first.brand) == (EventKind.SENT, NOW - 2 * DAY, "Beta")
    assert first.held_until == held.held_until
    assert second.event is EventKind.GRANT


def test_equal_spellings_have_one_key_and_different_people_two(recorder: Recorder) -> None:
    new, old = parse_address("+525512345678"), parse_address("+5215512345678")
    loaded = recorder.load(new, old, ANN)
    keys = [found.key for found in loaded if isinstance(found, OnRecord)]
    assert keys[0] == keys[1] != keys[2]
    recorder.record((old, an_event()))
    loaded = recorder.load(new, old, ANN)
    keys = [found.key for found in loaded if isinstance(found, OnRecord)]
    assert keys[0] == keys[1] != keys[2]


def test_answers_come_in_the_order_of_the_addresses(recorder: Recorder) -> None:
    recorder.record((ANN, an_event(topic="ann")), (BOB, an_event(topic="bob")))
    stranger = parse_address("+12125550199")
    loaded: list[Any] = list(recorder.load(BOB, stranger, ANN, BOB))
    topics = [[event.topic for event in found.history("acme").events] for found in loaded]
    assert topics == [["bob"], [], ["ann"], ["bob"]]


def test_a_batch_of_any_size_is_read_with_the_same_few_statements(recorder: Recorder) -> None:
    addresses = [parse_address(f"+1212555{n:04}") for n in range(200)]
    recorder.record(*[(a, an_event()) for a in addresses[::2]])
    for size in (2, 200):
        with consents.counted_statements(recorder.connection) as ran:
            recorder.load(*addresses[:size])
        assert len(ran) == 4
    with consents.counted_statements(recorder.connection) as ran:
        assert recorder.load() == []
    assert not ran


def test_an_opt_out_of_a_sender_by_its_name_outlives_the_name(recorder: Recorder) -> None:
    recorder.record_one(ANN, an_event(REVOKE, brand="ACME ", at=NOW))
    recorder.record_one(ANN, an_event(REVOKE, brand="Acme Kids", at=NOW))
    renamed = SenderRecord(id="acme", name="Novum", country="US")
    senders.put(recorder.connection, recorder.organisation, renamed, now=NOW)
    events = recorder.load_one(ANN).history("acme").events
    assert [event.brand for event in events] == [None, "Acme Kids"]
