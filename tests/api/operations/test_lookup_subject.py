"""Looking a person up: what was said in each scope, and nothing of what it means."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.lookup_subject import SubjectOnRecord, lookup_subject
from consent import tables
from consent.errors import StandingUnreadableError
from consent.events import RecordedKind
from rules.vocabulary import Channel, Purpose
from tests.support import gates
from tests.support.consents import ANN, NOW, an_event
from tests.support.gates import BY_DAY, Desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)


def look_up(desk: Desk) -> SubjectOnRecord:
    return lookup_subject(
        desk.connection, desk.organisation, ANN, keys=desk.gate.keys, now=desk.now
    )


def test_of_a_stranger_there_is_nothing(desk: Desk) -> None:
    desk.check_one(desk.a_check())
    assert look_up(desk) == SubjectOnRecord(
        subject=None, linked=(), erased_at=None, consent=(), held_places=0
    )


def test_each_scope_has_its_last_words(desk: Desk) -> None:
    earlier = an_event(at=NOW - timedelta(days=9))
    mail = an_event(channel=Channel.EMAIL, purpose=Purpose.SERVICE, sender="beta")
    for event in (earlier, an_event(), mail):
        desk.recorder.record_one(ANN, event)
    found = look_up(desk)
    assert found.subject is not None
    scopes = [(scope.sender, scope.channel, scope.purpose) for scope in found.consent]
    assert scopes == [("acme", "sms", "marketing"), ("beta", "email", "service")]
    (word,) = found.consent[0].words
    assert (word.event, word.level, word.index) == ("grant", "express_written", 1)


@pytest.mark.parametrize(("days", "opted_out"), [(-1, True), (0, True), (1, False)])
def test_the_latest_word_of_a_scope_decides_and_a_tie_is_an_opt_out(
    desk: Desk, days: int, opted_out: bool
) -> None:
    said = NOW - timedelta(days=5)
    scope = {"channel": Channel.SMS, "purpose": Purpose.MARKETING}
    desk.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, at=said, **scope))
    desk.recorder.record_one(ANN, an_event(at=said + timedelta(days=days)))
    (found,) = look_up(desk).consent
    assert found.opted_out is opted_out


def test_a_wider_opt_out_is_a_scope_of_its_own(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    desk.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, sender=None))
    narrow, wide = look_up(desk).consent
    assert (wide.sender, wide.channel, wide.purpose, wide.opted_out) == (None, None, None, True)
    assert not narrow.opted_out


def test_places_held_are_told(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    desk.check_one(desk.a_check())
    assert look_up(desk).held_places == 1


def test_a_record_that_does_not_open_tells_nothing(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    desk.connection.execute(sa.update(tables.standing).values(sealed_history=b"\x01" * 80))
    with pytest.raises(StandingUnreadableError):
        look_up(desk)
