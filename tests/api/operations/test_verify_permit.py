"""Verifying: a permit stands for its message, until the person says otherwise."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.report_sending import ReportSending, SendingReport
from api.operations.verify_permit import PermitAnswer, ShownPermit, verify_permit
from audit.permits import PermitVerifier, Why
from audit.reports import Outcome
from consent import tables
from consent.errors import StandingUnreadableError
from consent.events import RecordedKind
from consent.ledger.identifiers import id_of
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Purpose
from tests.support import gates
from tests.support.consents import ANN, an_event
from tests.support.gates import BY_DAY, TEXT, Desk

LATER = BY_DAY + timedelta(minutes=5)


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.recorder.record_one(ANN, an_event())
        yield made.at(BY_DAY)


@pytest.fixture
def shown(desk: Desk) -> ShownPermit:
    """A permit for a message to Ann, and that message."""
    answer = desk.check_one(desk.a_check())
    return ShownPermit(
        organisation=desk.organisation,
        permit=str(answer.permit),
        address=ANN,
        sender="acme",
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        sender_id="+12125550100",
        text=TEXT,
    )


def verify(desk: Desk, shown: ShownPermit, *, minutes: int = 5) -> PermitAnswer:
    keys = desk.gate.keys
    return verify_permit(
        desk.connection,
        shown,
        verifier=PermitVerifier(keys.permit_public_keys()),
        keys=keys,
        now=BY_DAY + timedelta(minutes=minutes),
    )


def test_a_permit_stands_for_its_message(desk: Desk, shown: ShownPermit) -> None:
    assert verify(desk, shown) == PermitAnswer(True, None)


def test_it_stands_for_no_other(desk: Desk, shown: ShownPermit) -> None:
    other = replace(shown, address=parse_address("+12125550124"))
    assert verify(desk, other) == PermitAnswer(False, Why.OTHER_RECIPIENT)
    foreign = replace(shown, organisation="org_other")
    assert verify(desk, foreign) == PermitAnswer(False, Why.OTHER_ORGANISATION)
    assert verify(desk, replace(shown, permit="no")) == PermitAnswer(False, Why.MALFORMED)


def test_it_ends(desk: Desk, shown: ShownPermit) -> None:
    assert verify(desk, shown, minutes=10) == PermitAnswer(False, Why.EXPIRED)


@pytest.mark.parametrize("kind", [RecordedKind.REVOKE, RecordedKind.COMPLAINT])
def test_an_opt_out_since_ends_it(desk: Desk, shown: ShownPermit, kind: RecordedKind) -> None:
    """Even one that was dated back before the decision: what counts is when we learnt of it."""
    desk.at(LATER).recorder.record_one(ANN, an_event(kind, at=BY_DAY - timedelta(days=3)))
    assert verify(desk, shown) == PermitAnswer(False, Why.REVOKED)


def test_anything_else_that_was_said_since_does_not(desk: Desk, shown: ShownPermit) -> None:
    desk.at(LATER).recorder.record_one(ANN, an_event(RecordedKind.PURCHASE, at=BY_DAY))
    assert verify(desk, shown).valid


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_permit_serves_once(desk: Desk, shown: ShownPermit, outcome: Outcome) -> None:
    answer = desk.check_one(desk.a_check())
    again = replace(shown, permit=str(answer.permit))
    request = SendingReport(
        organisation=desk.organisation,
        actor="key_1",
        decision=id_of("chk", str(answer.id)),
        outcome=outcome,
    )
    work = ReportSending(desk.gate.keys, release="sha256:0")
    work.run_many(desk.connection, [request], now=BY_DAY)
    assert verify(desk, again) == PermitAnswer(False, Why.USED)
    assert verify(desk, shown).valid


def test_nobody_knows_what_stands_where_the_record_does_not_open(
    desk: Desk, shown: ShownPermit
) -> None:
    desk.connection.execute(sa.update(tables.standing).values(sealed_history=b"\x01" * 80))
    with pytest.raises(StandingUnreadableError):
        verify(desk, shown)
