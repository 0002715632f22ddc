"""Checks: what is decided, what goes on record, what a permit and a place are worth."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from api.errors import DecisionSupersededError, InvalidRequestError
from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import CheckMessages
from api.operations.report_sending import ReportSending, SendingReport
from api.work import Reply
from audit import decisions
from audit.decision_records import DecisionWriter, Read
from audit.permits import PermitVerifier, Why
from audit.reports import Outcome
from consent import tables
from consent.errors import StandingUnreadableError, UnknownSenderError
from consent.events import RecordedKind
from consent.ledger.identifiers import id_of
from consent.ledger.leaf import Log
from consent.ledger.log import head
from jurisdictions.errors import UnknownRegionError
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Verdict
from tests.support import gates
from tests.support.consents import ANN, an_event, counted_statements
from tests.support.gates import BY_DAY, Desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)


@pytest.fixture
def consenting(desk: Desk) -> Desk:
    """The same, and Ann has consented."""
    desk.recorder.record_one(ANN, an_event())
    return desk


def sizes(desk: Desk) -> tuple[int, int]:
    """How long the consent and the decision logs are."""
    consent, made = (
        head(desk.connection, desk.organisation, log).size for log in (Log.CONSENT, Log.DECISIONS)
    )
    return consent, made


def codes(answer: CheckAnswer) -> list[str]:
    return [reason.code for reason in answer.reasons]


def places(desk: Desk) -> int:
    return len(desk.connection.execute(sa.select(tables.cap_hold)).all())


def test_consent_on_record_allows_and_says_on_what_it_rests(consenting: Desk) -> None:
    answer = consenting.check_one(consenting.a_check(reference="row-12"))
    assert (answer.verdict, answer.reasons) == (Verdict.ALLOW, ())
    assert [(place.log, place.index) for place in answer.evidence] == [("consent", 0)]
    assert (answer.log, answer.index, answer.reference) == ("decisions", 0, "row-12")
    assert answer.freshness == {"consent": 1}
    assert answer.jurisdictions == ("US", "US-NY")
    assert answer.release.digest == gates.RELEASE.digest
    assert [duty.code for duty in answer.obligations] == ["honour_opt_out_within"]
    assert answer.decided_at == BY_DAY


def test_nothing_on_record_denies_and_the_stranger_stays_one(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check())
    assert (answer.verdict, codes(answer)) == (Verdict.DENY, ["consent_missing"])
    assert (answer.permit, answer.valid_until) == (None, None)
    assert sizes(desk) == (0, 1)
    found = decisions.find(
        desk.connection, desk.organisation, id_of("chk", str(answer.id)), keys=desk.gate.keys
    )
    assert found.subject is None
    assert found.blind_index == desk.recorder.load_one(ANN).blind_index


def test_an_opt_out_counts_from_the_very_next_check_in_the_same_turn(consenting: Desk) -> None:
    assert consenting.check_one(consenting.a_check()).verdict is Verdict.ALLOW
    revoke = an_event(RecordedKind.REVOKE, at=BY_DAY, channel=None, purpose=None)
    consenting.recorder.record_one(ANN, revoke)
    assert codes(consenting.check_one(consenting.a_check())) == ["consent_revoked"]


@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=4)])
def test_a_message_that_is_late_is_decided_as_of_now(consenting: Desk, late: timedelta) -> None:
    revoke = an_event(RecordedKind.REVOKE, at=BY_DAY - timedelta(minutes=1), purpose=None)
    consenting.recorder.record_one(ANN, revoke)
    answer = consenting.check_one(consenting.a_check(send_at=BY_DAY - late))
    assert codes(answer) == ["consent_revoked"]


def test_a_message_that_is_late_does_not_slip_in_before_closing_time(consenting: Desk) -> None:
    closing = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    late = consenting.at(closing + timedelta(minutes=2))
    answer = late.check_one(late.a_check(send_at=closing - timedelta(minutes=2)))
    assert codes(answer) == ["quiet_hours"]


def test_a_clock_that_is_behind_does_not_decide_as_of_before_an_opt_out(consenting: Desk) -> None:
    revoke = an_event(RecordedKind.REVOKE, at=BY_DAY, purpose=None)
    consenting.recorder.record_one(ANN, revoke)
    behind = consenting.at(BY_DAY - timedelta(seconds=30))
    assert codes(behind.check_one(behind.a_check())) == ["consent_revoked"]


@pytest.mark.parametrize(
    ("send_at", "refused"),
    [
        (BY_DAY - timedelta(minutes=5), False),
        (BY_DAY - timedelta(minutes=5, microseconds=1), True),
        (BY_DAY + timedelta(days=90), False),
        (BY_DAY + timedelta(days=90, microseconds=1), True),
        (datetime.max.replace(tzinfo=UTC), True),
    ],
)
def test_send_at_lies_within_its_bounds(consenting: Desk, send_at: datetime, refused: bool) -> None:
    (answer,) = consenting.check(consenting.a_check(send_at=send_at))
    assert isinstance(answer, InvalidRequestError) is refused
    if isinstance(answer, InvalidRequestError):
        assert answer.errors[0][0] == "/message/send_at"


@pytest.mark.parametrize(
    ("ahead", "forecast"),
    [(timedelta(minutes=10), False), (timedelta(minutes=10, microseconds=1), True)],
)
def test_beyond_ten_minutes_it_is_a_forecast_without_permit_or_place(
    consenting: Desk, ahead: timedelta, forecast: bool
) -> None:
    answer = consenting.check_one(consenting.a_check(send_at=BY_DAY + ahead))
    assert (answer.verdict, answer.forecast) == (Verdict.ALLOW, forecast)
    assert (answer.permit is None, answer.valid_until is None) == (forecast, forecast)
    assert (answer.index, places(consenting)) == (0, 0 if forecast else 1)


def test_a_forecast_is_by_the_law_of_its_instant(consenting: Desk) -> None:
    answer = consenting.check_one(consenting.a_check(send_at=BY_DAY + timedelta(hours=12)))
    assert (answer.verdict, codes(answer)) == (Verdict.DEFER, ["quiet_hours"])
    assert answer.not_before is not None
    assert answer.not_before.isoformat() == "2026-11-22T08:00:00-05:00"
    assert "23:00" in answer.reasons[0].detail
    assert "08:00 on 22 November 2026" in answer.reasons[0].detail


def test_a_permit_ends_after_ten_minutes_or_at_closing_time(consenting: Desk) -> None:
    assert consenting.check_one(consenting.a_check()).valid_until == BY_DAY + timedelta(minutes=10)
    closing = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    late = consenting.at(closing - timedelta(minutes=3))
    assert late.check_one(late.a_check()).valid_until == closing


def test_a_preview_leaves_nothing_behind(consenting: Desk) -> None:
    answer = consenting.check_one(consenting.a_check(preview=True))
    assert answer.verdict is Verdict.ALLOW
    assert (answer.id, answer.permit, answer.log, answer.index) == (None, None, None, None)
    assert (sizes(consenting), places(consenting)) == ((1, 0), 0)


def test_the_last_place_of_a_cap_goes_to_the_first_of_a_turn(consenting: Desk) -> None:
    answers = consenting.check(*[consenting.a_check() for _ in range(4)])
    verdicts = [answer.verdict for answer in answers if isinstance(answer, CheckAnswer)]
    assert verdicts == ["allow", "allow", "defer", "defer"]
    again = consenting.check_one(consenting.a_check())
    assert (again.verdict, codes(again)) == (Verdict.DEFER, ["frequency_cap"])


@pytest.mark.parametrize("shape", [[4], [1, 3], [2, 2], [1, 1, 1, 1]])
def test_a_turn_decides_as_its_checks_one_by_one_would(consenting: Desk, shape: list[int]) -> None:
    given: list[dict[str, Any]] = [
        {"send_at": BY_DAY + timedelta(minutes=9)},
        {"preview": True},
        {},
        {"topic": "shoes"},
    ]
    answers: list[CheckAnswer | ComplianceError] = []
    for count in shape:
        turn = given[len(answers) : len(answers) + count]
        answers += consenting.check(*[consenting.a_check(**fields) for fields in turn])
    got = [(a.verdict, a.not_before) for a in answers if isinstance(a, CheckAnswer)]
    assert [verdict for verdict, _ in got] == ["allow", "allow", "allow", "defer"]
    assert got[3][1] is not None
    assert got[3][1] == BY_DAY + timedelta(minutes=10)


def test_a_place_is_free_when_its_permit_has_ended(consenting: Desk) -> None:
    consenting.check(consenting.a_check(), consenting.a_check())
    later = consenting.at(BY_DAY + timedelta(minutes=10))
    assert later.check_one(later.a_check()).verdict is Verdict.ALLOW


def test_one_who_cannot_be_checked_stops_nobody_else(consenting: Desk) -> None:
    good, unknown, late = consenting.check(
        consenting.a_check(),
        consenting.a_check(sender="nobody"),
        consenting.a_check(send_at=BY_DAY - timedelta(hours=1)),
    )
    assert isinstance(good, CheckAnswer)
    assert good.verdict is Verdict.ALLOW
    assert isinstance(unknown, UnknownSenderError)
    assert isinstance(late, InvalidRequestError)
    assert sizes(consenting) == (1, 1)


def test_a_standing_that_does_not_open_is_an_error_and_no_decision(consenting: Desk) -> None:
    consenting.connection.execute(sa.update(tables.standing).values(sealed_history=b"\x01" * 80))
    (answer,) = consenting.check(consenting.a_check())
    assert isinstance(answer, StandingUnreadableError)
    assert sizes(consenting) == (1, 0)


def test_a_rule_that_raises_decides_nothing(consenting: Desk) -> None:
    class Broken(type(gates.RELEASE)):  # type: ignore[misc]
        def decide_many(self, facts: object) -> list[object]:
            raise ZeroDivisionError

    release = Broken(**{f: getattr(gates.RELEASE, f) for f in gates.RELEASE.__dataclass_fields__})
    broken = consenting.under(release)
    with pytest.raises(ZeroDivisionError):
        broken.check(broken.a_check())
    assert (sizes(consenting), places(consenting)) == ((1, 0), 0)


def test_an_address_that_cannot_be_one_is_a_decision(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check("+1"))
    assert answer.verdict is Verdict.DENY
    assert "invalid_address" in codes(answer)
    assert answer.index == 0


def test_mail_to_nowhere_known_says_what_cures_it(desk: Desk) -> None:
    check = desk.a_check("ann@example.com", channel=Channel.EMAIL, sender_id=None)
    answer = desk.check_one(check)
    assert "unknown_jurisdiction" in codes(answer)
    assert any("recipient.region" in reason.detail for reason in answer.reasons)


def test_a_region_that_does_not_exist_is_refused_before_the_turn(desk: Desk) -> None:
    with pytest.raises(UnknownRegionError):
        desk.a_check(region="US-ZZ")


def test_a_register_is_read_from_its_loaded_copy(desk: Desk) -> None:
    call = desk.a_check(channel=Channel.VOICE, text=None)
    assert codes(desk.check_one(call)) == ["registry_stale"]
    desk.load_registry("us-test", "2026-11-01")
    fresh = desk.check_one(call)
    assert (fresh.verdict, fresh.freshness) == (
        Verdict.ALLOW,
        {"us-test": "2026-11-01", "consent": 0},
    )
    desk.load_registry("us-test", "2026-11-20", "+12125550123,true\n")
    listed = desk.check_one(call)
    assert codes(listed) == ["registry_listed"]
    assert "us-test" in listed.reasons[0].detail
    assert "20 November 2026" in listed.reasons[0].detail


def test_a_register_that_no_rule_asks_is_not_asked(consenting: Desk) -> None:
    consenting.load_registry("us-other", "2026-11-01", "+12125550123,true\n")
    answer = consenting.check_one(consenting.a_check())
    assert answer.freshness == {"consent": 1}


def test_the_number_of_statements_does_not_grow_with_the_checks(consenting: Desk) -> None:
    numbers = [ANN.normalised, *(f"+1305555{n:04}" for n in range(100, 160))]
    checks = [consenting.a_check(number) for number in numbers]
    ran = []
    for count in (2, 60):
        with counted_statements(consenting.connection) as statements:
            consenting.check(*checks[:count])
        ran.append(len(statements))
    assert ran[0] == ran[1]
    assert ran[1] <= 18


def test_a_permit_is_for_this_message_and_no_other(consenting: Desk) -> None:
    answer = consenting.check_one(consenting.a_check())
    verifier = PermitVerifier(consenting.gate.keys.permit_public_keys())
    claims = verifier.read(str(answer.permit), now=BY_DAY)
    assert not isinstance(claims, Why)
    assert (claims.sender, claims.channel, claims.purpose) == ("acme", "sms", "marketing")
    assert (claims.decision, claims.valid_until) == (answer.id, answer.valid_until)
    assert "+12125550123" not in msgspec.json.encode(claims).decode()


def test_what_was_decided_is_decided_again_byte_for_byte(consenting: Desk) -> None:
    answers = [
        *consenting.check(*[consenting.a_check() for _ in range(3)]),
        consenting.check_one(consenting.a_check("+13055550123")),
        consenting.check_one(consenting.a_check(send_at=BY_DAY + timedelta(hours=12))),
    ]
    for answer in answers:
        assert isinstance(answer, CheckAnswer)
        found = decisions.find(
            consenting.connection,
            consenting.organisation,
            id_of("chk", str(answer.id)),
            keys=consenting.gate.keys,
        )
        (again,) = gates.RELEASE.decide_many([found.opened.facts])
        recorded = found.opened.decision
        written = DecisionWriter(recorded.versions).canonical(
            found.opened.facts_bytes,
            again,
            release=recorded.release,
            read=Read(recorded.read.consent, recorded.read.registries),
        )
        assert written == found.opened.canonical
        assert recorded.verdict is answer.verdict


def test_no_address_goes_on_record(consenting: Desk) -> None:
    address = "jane.roe@example.com"
    check = consenting.a_check(address, channel=Channel.EMAIL, region="US-NY", sender_id=None)
    answer = consenting.check_one(check)
    found = decisions.find(
        consenting.connection,
        consenting.organisation,
        id_of("chk", str(answer.id)),
        keys=consenting.gate.keys,
    )
    assert b"jane" not in found.opened.facts_bytes
    assert b"2125550123" not in found.opened.facts_bytes


def test_an_office_s_mailbox_is_a_fact_where_a_rule_knows_it(consenting: Desk) -> None:
    law = gates.LAW.replace("[{grant: express_written}]", "[{open: true, mailboxes: [info]}]")
    known = consenting.under(gates.a_release(law))
    for local_part, verdict in (("Info", Verdict.ALLOW), ("jane.roe", Verdict.DENY)):
        check = known.a_check(
            f"{local_part}@example.com", channel=Channel.EMAIL, region="US-NY", sender_id=None
        )
        answer = known.check_one(check)
        assert answer.verdict is verdict
        found = decisions.find(
            known.connection,
            known.organisation,
            id_of("chk", str(answer.id)),
            keys=known.gate.keys,
        )
        assert (b"info" in found.opened.facts_bytes) is (verdict is Verdict.ALLOW)
        assert b"jane" not in found.opened.facts_bytes


def an_answered(answer: CheckAnswer) -> Reply:
    return Reply(200, msgspec.json.encode(answer))


@pytest.mark.parametrize("later", [timedelta(minutes=9), timedelta(minutes=10)])
def test_an_allow_is_not_given_again_when_it_has_expired(
    consenting: Desk, later: timedelta
) -> None:
    reply = an_answered(consenting.check_one(consenting.a_check()))
    superseded = CheckMessages(consenting.gate).superseded(
        consenting.connection, consenting.organisation, reply, now=BY_DAY + later
    )
    expired = later == timedelta(minutes=10)
    assert isinstance(superseded, DecisionSupersededError) is expired


@pytest.mark.parametrize("known", [True, False])
def test_an_allow_is_not_given_again_after_an_opt_out(desk: Desk, known: bool) -> None:
    if known:
        desk.recorder.record_one(ANN, an_event(RecordedKind.PURCHASE))
    desk.load_registry("us-test", "2026-11-01")
    answer = desk.check_one(desk.a_check(channel=Channel.VOICE, text=None))
    assert answer.verdict is Verdict.ALLOW
    work = CheckMessages(desk.gate)
    now = BY_DAY + timedelta(minutes=1)
    asked = (desk.connection, desk.organisation, an_answered(answer))
    assert work.superseded(*asked, now=now) is None
    desk.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, at=now, purpose=None))
    assert isinstance(work.superseded(*asked, now=now), DecisionSupersededError)


def test_an_allow_that_does_not_open_any_more_is_not_given_again(consenting: Desk) -> None:
    reply = an_answered(consenting.check_one(consenting.a_check()))
    superseded = CheckMessages(consenting.gate).superseded(
        consenting.connection, "org_other", reply, now=BY_DAY
    )
    assert isinstance(superseded, DecisionSupersededError)


def test_a_deny_may_be_given_again(desk: Desk) -> None:
    reply = an_answered(desk.check_one(desk.a_check()))
    work = CheckMessages(desk.gate)
    later = BY_DAY + timedelta(hours=1)
    assert work.superseded(desk.connection, desk.organisation, reply, now=later) is None


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_allow_is_not_given_again_when_its_message_was_reported_on(
    consenting: Desk, outcome: Outcome
) -> None:
    answer = consenting.check_one(consenting.a_check())
    report = SendingReport(
        organisation=consenting.organisation,
        actor="key_1",
        decision=id_of("chk", str(answer.id)),
        outcome=outcome,
    )
    work = CheckMessages(consenting.gate)
    asked = (consenting.connection, consenting.organisation, an_answered(answer))
    assert work.superseded(*asked, now=BY_DAY) is None
    ReportSending(consenting.gate.keys, release="r").run_many(
        consenting.connection, [report], now=BY_DAY
    )
    assert isinstance(work.superseded(*asked, now=BY_DAY), DecisionSupersededError)


def test_a_preview_is_not_given_again_when_something_was_said_since(consenting: Desk) -> None:
    reply = an_answered(consenting.check_one(consenting.a_check(preview=True)))
    work = CheckMessages(consenting.gate)
    asked = (consenting.connection, consenting.organisation, reply)
    assert work.superseded(*asked, now=BY_DAY) is None
    expired = work.superseded(*asked, now=BY_DAY + timedelta(minutes=10))
    assert isinstance(expired, DecisionSupersededError)
    consenting.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, at=BY_DAY))
    assert isinstance(work.superseded(*asked, now=BY_DAY), DecisionSupersededError)
