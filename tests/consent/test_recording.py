"""Recording: who is refused, who never is, and what a batch does at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consent import tables
from consent.errors import (
    EventInFutureError,
    EventRefusedError,
    InvalidAddressError,
    UnknownSenderError,
    UnknownSubjectError,
)
from consent.events import ConsentEvent, Disclosure, Evidence, Flag, RecordedKind, decode_payload
from consent.keys.sealing import PayloadContext, open_payload
from consent.ledger import entries
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.tables import log_entry, subject, subject_alias
from consent.linking import LinkInput, link
from consent.opt_outs import read_opt_out
from consent.recording import EventInput, Recorded, record_events
from consent.subjects import KnownSubject, Stranger, Whom, blind_indexes_of, load_keys
from jurisdictions.addresses import Address, parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, EventKind, Purpose
from tests.support import consents
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, an_event

IMPOSSIBLE = parse_address("call me maybe")
REVOKE = RecordedKind.REVOKE


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def test_a_recorded_event_is_seen_by_the_next_check(recorder: Recorder) -> None:
    recorded = recorder.record_one(ANN, an_event())
    (event,) = recorder.load_one(ANN).history("acme").events
    assert (event.event, event.channel, event.brand) == (EventKind.GRANT, Channel.SMS, None)
    assert (event.index, event.at) == (recorded.receipt.index, NOW - timedelta(days=1))


def test_the_payload_holds_the_event_as_it_was_given_and_the_leaf_nothing_personal(
    recorder: Recorder,
) -> None:
    given = an_event(
        at=datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=-5))),
        evidence=Evidence(method="web_form", ip="203.0.113.9", disclosure=Disclosure(text="By …")),
    )
    recorded = recorder.record_one(ANN, given)
    id_ = recorded.receipt.event_id
    (entry,) = entries.read_entries(recorder.connection, recorder.organisation, Log.CONSENT, 0, 1)
    leaf = decode_leaf(entry.leaf)
    assert (leaf.type, leaf.level, leaf.channel) == ("grant", "express_written", "sms")
    assert b"5550123" not in entry.leaf
    assert b"203.0.113.9" not in entry.leaf
    stored = entries.read_payloads(recorder.connection, recorder.organisation, [id_])[id_]
    key = load_keys(
        recorder.connection, recorder.organisation, [recorded.subject], keys=recorder.keys
    )[recorded.subject]
    assert b"5550123" not in stored.ciphertext
    assert leaf.commit is not None
    opened = open_payload(
        key,
        PayloadContext(recorder.organisation, id_, "grant", recorded.subject),
        nonce=stored.nonce,
        ciphertext=stored.ciphertext,
        commit=bytes.fromhex(leaf.commit),
    )
    assert decode_payload(opened.canonical) == (given, "+12125550123")


@pytest.mark.parametrize(
    ("whom", "event", "refusal"),
    [
        (IMPOSSIBLE, an_event(), InvalidAddressError),
        (ANN, an_event(sender="gamma"), UnknownSenderError),
        (ANN, an_event(sender="a\0b"), UnknownSenderError),
        (ANN, an_event(sender=None), EventRefusedError),
        (ANN, an_event(level=None), EventRefusedError),
        (ANN, an_event(at=NOW + timedelta(microseconds=1)), EventInFutureError),
        (
            ANN,
            an_event(at=datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
            EventRefusedError,
        ),
        (ANN, an_event(topic="\ud800"), EventRefusedError),
        (ANN, an_event(RecordedKind.ERASE), EventRefusedError),
        (ANN, an_event(RecordedKind.LINK), EventRefusedError),
        (KnownSubject(b"?" * 16), an_event(), UnknownSubjectError),
    ],
)
def test_what_could_permit_a_message_must_be_whole(
    recorder: Recorder, whom: Any, event: Any, refusal: type[ComplianceError]
) -> None:
    (refused,) = recorder.record((whom, event))
    assert type(refused) is refusal
    assert recorder.connection.scalar(sa.select(sa.func.count()).select_from(log_entry)) == 0
    assert recorder.connection.scalar(sa.select(sa.func.count()).select_from(subject)) == 0


def test_an_event_of_this_very_instant_is_taken(recorder: Recorder) -> None:
    recorder.record_one(ANN, an_event(at=NOW))


def test_a_bad_item_takes_no_good_one_with_it(recorder: Recorder) -> None:
    answers = recorder.record(
        (ANN, an_event()), (IMPOSSIBLE, an_event()), (BOB, an_event()), (ANN, an_event(REVOKE))
    )
    assert [isinstance(answer, Recorded) for answer in answers] == [True, False, True, True]
    indexes = [answer.receipt.index for answer in answers if isinstance(answer, Recorded)]
    assert indexes == [0, 1, 2]
    assert [event.event for event in recorder.load_one(ANN).history("acme").events] == [
        EventKind.GRANT,
        EventKind.REVOKE,
    ]


@pytest.mark.parametrize(
    ("address", "given", "flags"),
    [
        ("+12125550123", {}, ()),
        ("call me maybe", {}, (Flag.ADDRESS_UNREADABLE,)),
        ("+12125550123", {"sender": "nobody"}, (Flag.SENDER_UNKNOWN,)),
        ("+12125550123", {"sender": "a\0b"}, (Flag.SENDER_UNREADABLE,)),
        ("+12125550123", {"brand": "a\0b"}, (Flag.BRAND_UNREADABLE,)),
        ("+12125550123", {"text": "\ud800"}, (Flag.TEXT_UNREADABLE,)),
        ("+12125550123", {"evidence": Evidence(ip="\ud800")}, (Flag.FIELDS_UNREADABLE,)),
        ("+12125550123", {"at": NOW + timedelta(days=3)}, (Flag.AT_IN_FUTURE,)),
        (
            "+12125550123",
            {"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))},
            (Flag.AT_UNREADABLE,),
        ),
    ],
)
def test_an_opt_out_is_never_refused(
    recorder: Recorder, address: str, given: dict[str, Any], flags: tuple[Flag, ...]
) -> None:
    parsed = parse_address(address)
    recorded = recorder.record_one(parsed, an_event(REVOKE, **({"sender": None} | given)))
    assert recorded.flags == flags
    (event,) = recorder.load_one(parsed).history("beta").events
    assert (event.event, event.brand) == (EventKind.REVOKE, None)
    assert event.at <= NOW
    assert (recorded.event.unread is not None) == bool(set(flags) - {Flag.ADDRESS_UNREADABLE})


def test_an_opt_out_of_a_stranger_is_effective(recorder: Recorder) -> None:
    opt_out = read_opt_out({"address": "+12125550199"}, now=NOW)
    address = parse_address(opt_out.address)
    recorder.record_one(address, opt_out.event)
    assert [e.event for e in recorder.load_one(address).history("acme").events] == ["revoke"]


def test_an_opt_out_reaches_every_equal_spelling(recorder: Recorder) -> None:
    new, old = parse_address("+525512345678"), parse_address("+5215512345678")
    recorder.record_one(old, an_event(REVOKE))
    assert [e.event for e in recorder.load_one(new).history("acme").events] == ["revoke"]
    recorder.record_one(new, an_event())
    assert recorder.load_one(old).subject == recorder.load_one(new).subject


def test_the_suppression_holds_a_token_for_every_equal_spelling(recorder: Recorder) -> None:
    old = parse_address("+5215512345678")
    recorder.record_one(old, an_event(REVOKE))
    tokens = recorder.connection.scalars(sa.select(tables.suppression.c.token)).all()
    assert set(tokens) == {
        recorder.keys.suppression_token(recorder.organisation, spelling)
        for spelling in old.spellings
    }
    assert len(tokens) == 2


def test_an_erased_person_gets_no_more_events(recorder: Recorder) -> None:
    person = recorder.record_one(ANN, an_event()).subject
    recorder.connection.execute(subject.update().values(erased_at=NOW))
    (refused,) = recorder.record((KnownSubject(person), an_event()))
    assert isinstance(refused, UnknownSubjectError)


def test_an_address_is_one_person_however_often_a_batch_names_it(recorder: Recorder) -> None:
    new, old = parse_address("+525512345678"), parse_address("+5215512345678")
    answers = recorder.record((new, an_event()), (old, an_event()), (new, an_event()))
    assert len({a.subject for a in answers if isinstance(a, Recorded)}) == 1
    assert recorder.connection.scalar(sa.select(sa.func.count()).select_from(subject)) == 1
    aliases = sa.select(sa.func.count()).select_from(subject_alias)
    assert recorder.connection.scalar(aliases) == len(new.spellings) == 2


def test_a_spelling_that_has_become_equal_leads_to_the_same_person(recorder: Recorder) -> None:
    new = parse_address("+525512345678")
    first, second = blind_indexes_of(recorder.organisation, new, recorder.keys)
    known = recorder.record_one(Stranger(first), an_event(RecordedKind.SENT))
    # A batch that names the other spelling alone, and then both: it is one person all along.
    answers = recorder.record((Stranger(second), an_event(RecordedKind.SENT)), (new, an_event()))
    assert {a.subject for a in answers if isinstance(a, Recorded)} == {known.subject}


def test_a_stranger_whose_message_went_out_becomes_a_person(recorder: Recorder) -> None:
    stranger = recorder.load_one(ANN)
    assert stranger.subject is None
    sent = recorder.record_one(Stranger(stranger.blind_index), an_event(RecordedKind.SENT))
    assert recorder.load_one(ANN).subject == sent.subject
    assert recorder.record_one(KnownSubject(sent.subject), an_event()).subject == sent.subject


def test_a_check_makes_no_person(recorder: Recorder) -> None:
    recorder.load(ANN, BOB)
    assert recorder.connection.scalar(sa.select(sa.func.count()).select_from(subject)) == 0


def test_the_number_of_statements_does_not_grow_with_the_batch(recorder: Recorder) -> None:
    def batch(start: int, size: int) -> list[tuple[Any, Any]]:
        each = [parse_address(f"+1212555{n:04}") for n in range(start, start + size)]
        return [(a, an_event()) for a in each] + [(a, an_event(REVOKE)) for a in each]

    with consents.counted_statements(recorder.connection) as few:
        recorder.record(*batch(0, 2))
    with consents.counted_statements(recorder.connection) as many:
        recorder.record(*batch(10, 30))
    assert len(many) == len(few) < 20


def test_organisations_know_nothing_of_each_other(engine: sa.Engine, tmp_path: Path) -> None:
    keys = consents.a_key_ring(tmp_path / "keys")
    with consents.recorder(engine, keys) as one:
        one.record_one(ANN, an_event(REVOKE))
    with consents.recorder(engine, keys) as other:
        assert other.load_one(ANN).history("acme").events == ()
        (refused,) = other.record((KnownSubject(b"?" * 16), an_event()))
        assert isinstance(refused, UnknownSubjectError)


def test_a_complaint_suppresses_marketing_on_its_channel(recorder: Recorder) -> None:
    recorder.record_one(ANN, an_event(RecordedKind.COMPLAINT, channel=Channel.SMS))
    (row,) = recorder.connection.execute(sa.select(tables.suppression))
    assert (row.kind, row.channel, row.purpose) == ("revoke", "sms", Purpose.MARKETING)
    (event,) = recorder.load_one(ANN).history("acme").events
    assert event.event is EventKind.COMPLAINT


def test_instants_come_back_in_utc(recorder: Recorder) -> None:
    recorder.record_one(ANN, an_event(expires_at=NOW.astimezone(timezone(timedelta(hours=9)))))
    (event,) = recorder.load_one(ANN).history("acme").events
    assert event.expires_at == NOW
    assert event.expires_at.tzinfo is UTC


def _said_fresh(
    recorder: Recorder, *given: tuple[Whom, ConsentEvent], stop: ConsentEvent
) -> Recorded:
    """The last of one batch: a stop of Ann's, passed on just after it was said."""
    inputs = [EventInput(whom, event, uuid7(NOW), "key_1") for whom, event in given]
    inputs.append(EventInput(ANN, stop, uuid7(NOW), "key_1", is_fresh=True))
    *_, last = record_events(
        recorder.connection, recorder.organisation, inputs, keys=recorder.keys, now=NOW
    )
    assert isinstance(last, Recorded)
    return last


MINUTE = timedelta(minutes=1)
OLDER_STOP = an_event(REVOKE, at=NOW - 60 * MINUTE, sender=None)


@pytest.mark.parametrize("spelling", ["known", "new", "by id", "linked"])
def test_a_stop_is_doubted_for_a_grant_of_its_own_turn(recorder: Recorder, spelling: str) -> None:
    whom: Whom = ANN
    if spelling != "new":
        whose = recorder.record_one(ANN, an_event(RecordedKind.SENT, at=NOW - DAY)).subject
        whom = KnownSubject(whose) if spelling == "by id" else ANN
    if spelling == "linked":
        asked = LinkInput(addresses=[ANN, BOB])
        link(recorder.connection, recorder.organisation, asked, keys=recorder.keys, now=NOW)
        whom = BOB
    recorded = _said_fresh(recorder, (whom, an_event(at=NOW - MINUTE)), stop=OLDER_STOP)
    assert (recorded.event.at, recorded.flags) == (NOW, (Flag.AT_DOUBTED,))


def test_a_stop_is_not_doubted_for_what_others_say_or_what_was_said_before_it(
    recorder: Recorder,
) -> None:
    given = [(BOB, an_event(at=NOW - MINUTE)), (ANN, an_event(at=NOW - 90 * MINUTE))]
    recorded = _said_fresh(recorder, *given, stop=OLDER_STOP)
    assert (recorded.event.at, recorded.flags) == (OLDER_STOP.at, ())


@pytest.mark.parametrize("whose", [ANN, BOB], ids=["own", "linked"])
def test_where_a_standing_does_not_open_a_stop_counts_from_its_receipt(
    recorder: Recorder, whose: Address
) -> None:
    """Nobody can tell what was permitted, so it may be what the stop takes back."""
    asked = LinkInput(addresses=[ANN, BOB])
    link(recorder.connection, recorder.organisation, asked, keys=recorder.keys, now=NOW)
    broken = recorder.record_one(whose, an_event(at=NOW - MINUTE)).subject
    recorder.connection.execute(
        sa.update(tables.standing)
        .where(tables.standing.c.subject == broken)
        .values(sealed_history=b"x" * 40)
    )
    recorded = _said_fresh(recorder, stop=OLDER_STOP)
    assert recorded.event.at == NOW
    assert Flag.AT_DOUBTED in recorded.flags
