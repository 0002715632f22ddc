"""Reports: what went out counts once, what did not gives its place back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.operations.check_answers import CheckAnswer
from api.operations.report_sending import ReportSending, SendingReport
from audit.errors import AlreadyReportedError, NotAllowedError, UnknownDecisionError
from audit.reports import Outcome, Report
from consent import tables
from consent.errors import EventInFutureError
from consent.ledger.identifiers import id_of
from consent.ledger.leaf import Log
from consent.ledger.log import head
from rules.errors import ComplianceError
from rules.vocabulary import Channel, EventKind, Purpose, Verdict
from tests.support import gates
from tests.support.consents import ANN, an_event, counted_statements
from tests.support.gates import BY_DAY, Desk

SENT, NOT_SENT = Outcome.SENT, Outcome.NOT_SENT


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.recorder.record_one(ANN, an_event())
        yield made.at(BY_DAY)


def allowed(desk: Desk, **given: Any) -> bytes:
    """The id of a decision that allows a message to Ann."""
    answer = desk.check_one(desk.a_check(**given))
    assert answer.verdict is Verdict.ALLOW, answer
    return id_of("chk", str(answer.id))


def report(desk: Desk, *given: tuple[bytes, Outcome]) -> list[Report | ComplianceError]:
    """Report on these decisions in one turn."""
    work = ReportSending(desk.gate.keys, release=desk.gate.release.digest)
    requests = [
        SendingReport(
            organisation=desk.organisation, actor="key_1", decision=decision, outcome=outcome
        )
        for decision, outcome in given
    ]
    return list(work.run_many(desk.connection, requests, now=desk.now))


def sent(desk: Desk) -> list[bool]:
    """Each ``sent`` in Ann's history: True if it is a place that is held."""
    events = desk.recorder.load_one(ANN).history("acme").events
    return [event.held_until is not None for event in events if event.event is EventKind.SENT]


def test_the_place_that_was_held_becomes_what_was_sent(desk: Desk) -> None:
    decision = allowed(desk)
    assert sent(desk) == [True]
    (answer,) = report(desk, (decision, SENT))
    assert isinstance(answer, Report)
    assert answer.event_id is not None
    assert sent(desk) == [False]


def test_what_was_sent_counts_after_its_permit_has_ended(desk: Desk) -> None:
    report(desk, (allowed(desk), SENT), (allowed(desk), SENT))
    later = desk.at(BY_DAY + timedelta(minutes=11))
    answer = later.check_one(later.a_check())
    assert [reason.code for reason in answer.reasons] == ["frequency_cap"]
    assert answer.not_before == BY_DAY + timedelta(hours=24)


def test_what_was_not_sent_gives_its_place_back(desk: Desk) -> None:
    decision = allowed(desk)
    allowed(desk)
    assert desk.check_one(desk.a_check()).verdict is Verdict.DEFER
    (answer,) = report(desk, (decision, NOT_SENT))
    assert isinstance(answer, Report)
    assert answer.event_id is None
    assert desk.check_one(desk.a_check()).verdict is Verdict.ALLOW


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_same_report_twice_is_taken_once(desk: Desk, outcome: Outcome, turns: int) -> None:
    decision = allowed(desk)
    given = [(decision, outcome)] * 2
    answers = report(desk, *given) if turns == 1 else [*report(desk, *given[:1])]
    if turns == 2:
        answers += report(desk.at(BY_DAY + timedelta(hours=1)), *given[1:])
    assert isinstance(answers[0], Report)
    assert answers[0] == answers[1]
    assert sent(desk) == ([False] if outcome is SENT else [])


@pytest.mark.parametrize(("first", "second"), [(SENT, NOT_SENT), (NOT_SENT, SENT)])
@pytest.mark.parametrize("turns", [1, 2])
def test_the_other_report_is_a_conflict_and_changes_nothing(
    desk: Desk, first: Outcome, second: Outcome, turns: int
) -> None:
    decision = allowed(desk)
    if turns == 1:
        _, answer = report(desk, (decision, first), (decision, second))
    else:
        report(desk, (decision, first))
        (answer,) = report(desk, (decision, second))
    assert isinstance(answer, AlreadyReportedError)
    assert sent(desk) == ([False] if first is SENT else [])


def test_only_an_allow_with_a_permit_can_be_reported_on(desk: Desk) -> None:
    denied = desk.check_one(desk.a_check("+13055550123"))
    forecast = desk.check_one(desk.a_check(send_at=BY_DAY + timedelta(days=1)))
    assert forecast.verdict is Verdict.ALLOW
    for answer in (denied, forecast):
        (refused,) = report(desk, (id_of("chk", str(answer.id)), SENT))
        assert isinstance(refused, NotAllowedError)
    (unknown,) = report(desk, (b"\0" * 16, SENT))
    assert isinstance(unknown, UnknownDecisionError)


def test_nothing_was_sent_in_the_future(desk: Desk) -> None:
    work = ReportSending(desk.gate.keys, release="sha256:0")
    request = SendingReport(
        organisation=desk.organisation,
        actor="key_1",
        decision=allowed(desk),
        outcome=SENT,
        at=BY_DAY + timedelta(seconds=1),
    )
    (refused,) = work.run_many(desk.connection, [request], now=BY_DAY)
    assert isinstance(refused, EventInFutureError)


def test_a_stranger_becomes_a_person_by_what_was_sent_to_them(desk: Desk) -> None:
    desk.load_registry("us-test", "2026-11-01")
    call = desk.a_check("+13055550123", channel=Channel.VOICE, text=None)
    answer = desk.check_one(call)
    assert answer.verdict is Verdict.ALLOW
    report(desk, (id_of("chk", str(answer.id)), SENT))
    person = desk.recorder.load_one(call.address)
    assert person.subject is not None
    (event,) = person.history("acme").events
    assert (event.event, event.channel) == (EventKind.SENT, Channel.VOICE)
    assert (event.purpose, event.at) == (Purpose.MARKETING, BY_DAY)


def test_the_number_of_statements_does_not_grow_with_the_reports(desk: Desk) -> None:
    checks = [desk.a_check(purpose=Purpose.TRANSACTIONAL, channel=Channel.RCS) for _ in range(40)]
    ids = [
        id_of("chk", str(answer.id))
        for answer in desk.check(*checks)
        if isinstance(answer, CheckAnswer)
    ]
    ran = []
    for some in (ids[:2], ids[2:]):
        with counted_statements(desk.connection) as statements:
            report(desk, *[(decision, SENT) for decision in some])
        ran.append(len(statements))
    assert ran[0] == ran[1]


def test_another_organisation_s_decision_is_unknown(desk: Desk, engine: sa.Engine) -> None:
    decision = allowed(desk)
    work = ReportSending(desk.gate.keys, release="sha256:0")
    other = SendingReport(
        organisation="org_other", actor="key_2", decision=decision, outcome=NOT_SENT
    )
    (refused,) = work.run_many(desk.connection, [other], now=BY_DAY)
    assert isinstance(refused, UnknownDecisionError)
    assert len(desk.connection.execute(sa.select(tables.cap_hold)).all()) == 1


def test_reports_stand_in_the_consent_log_once(desk: Desk) -> None:
    before = head(desk.connection, desk.organisation, Log.CONSENT).size
    report(desk, (allowed(desk), SENT), (allowed(desk), NOT_SENT))
    assert head(desk.connection, desk.organisation, Log.CONSENT).size == before + 1


def test_a_message_went_no_sooner_than_it_was_decided_on(desk: Desk) -> None:
    reports = [
        SendingReport(
            organisation=desk.organisation,
            actor="key_1",
            decision=allowed(desk),
            outcome=SENT,
            at=BY_DAY - timedelta(days=days),
        )
        for days in (2, 400)
    ]
    ReportSending(desk.gate.keys, release="r").run_many(desk.connection, reports, now=BY_DAY)
    answer = desk.check_one(desk.a_check())
    assert [reason.code for reason in answer.reasons] == ["frequency_cap"]
