"""Hours: both sides of every opening, clocks that change, holidays, several zones."""

from datetime import date, time

import pytest

from rules.engine import decide
from rules.kinds.routes import GrantRoute
from rules.kinds.sending_hours import END_OF_DAY, Day, SendingHours, Window
from rules.vocabulary import Channel, Level, Purpose, Quality, ReasonCode, Verdict
from tests.support.law import a_grant, a_message_to, a_rule, at

DAYTIME: Day = (Window(time(8), time(21)),)
DAILY = SendingHours(week=(DAYTIME,) * 7)
WEEKDAYS = SendingHours(week=(*(DAYTIME,) * 5, (), ()))


@pytest.mark.parametrize(
    ("send_at", "not_before"),
    [
        ("2026-11-20T07:59:59-05:00", "2026-11-20T08:00:00-05:00"),
        ("2026-11-20T08:00:00-05:00", None),
        ("2026-11-20T20:59:59-05:00", None),
        ("2026-11-20T21:00:00-05:00", "2026-11-21T08:00:00-05:00"),
        # Clocks go forward at 02:00 on 8 March 2026, so the offset changes overnight.
        ("2026-03-07T22:00:00-05:00", "2026-03-08T08:00:00-04:00"),
        # And back on 1 November.
        ("2026-10-31T22:00:00-04:00", "2026-11-01T08:00:00-05:00"),
    ],
)
def test_a_message_waits_for_the_next_opening(send_at: str, not_before: str | None) -> None:
    decision = decide(a_message_to(send_at=at(send_at)), (a_rule(DAILY),))
    assert decision.not_before == (None if not_before is None else at(not_before))
    assert decision.verdict is (Verdict.DEFER if not_before else Verdict.ALLOW)


def test_what_may_go_may_go_until_the_closing() -> None:
    decision = decide(a_message_to(), (a_rule(DAILY),))
    assert decision.permitted_until == at("2026-03-02T21:00:00-05:00")


def test_an_opening_that_the_clock_skips_comes_with_the_next_second() -> None:
    early = SendingHours(week=((Window(time(2, 30), time(21)),),) * 7)
    before = a_message_to(send_at=at("2026-03-08T01:59:59-05:00"))
    assert decide(before, (a_rule(early),)).not_before == at("2026-03-08T03:30:00-04:00")


@pytest.mark.parametrize(
    ("send_at", "verdict"),
    [
        ("2026-11-01T01:29:59-04:00", Verdict.DEFER),
        ("2026-11-01T01:30:00-04:00", Verdict.DEFER),
        ("2026-11-01T01:29:59-05:00", Verdict.DEFER),
        ("2026-11-01T01:30:00-05:00", Verdict.ALLOW),
    ],
)
def test_of_an_opening_shown_twice_the_second_counts(send_at: str, verdict: Verdict) -> None:
    early = SendingHours(week=((Window(time(1, 30), time(21)),),) * 7)
    assert decide(a_message_to(send_at=at(send_at)), (a_rule(early),)).verdict is verdict


@pytest.mark.parametrize(
    ("send_at", "verdict"),
    [("2026-11-01T01:29:59-04:00", Verdict.ALLOW), ("2026-11-01T01:30:00-04:00", Verdict.DENY)],
)
def test_of_a_closing_shown_twice_the_first_counts(send_at: str, verdict: Verdict) -> None:
    late = SendingHours(week=(*((),) * 6, (Window(time(0), time(1, 30)),)))
    decision = decide(a_message_to(send_at=at(send_at)), (a_rule(late),))
    assert (decision.verdict is Verdict.ALLOW) is (verdict is Verdict.ALLOW)


def test_a_day_without_hours_is_forbidden_and_named_so() -> None:
    sunday = a_message_to(send_at=at("2026-03-01T12:00:00-05:00"))
    decision = decide(sunday, (a_rule(WEEKDAYS),))
    assert decision.findings[0].code is ReasonCode.FORBIDDEN_DAY
    assert decision.not_before == at("2026-03-02T08:00:00-05:00")


def test_holidays_and_their_eves_have_hours_of_their_own() -> None:
    def is_holiday(day: date, region: str | None) -> bool:
        return day == date(2026, 3, 3)

    terms = SendingHours(
        week=(DAYTIME,) * 7,
        holiday=(),
        eve=(Window(time(8), time(12)),),
        is_holiday=is_holiday,
    )
    for send_at, code, not_before in (
        ("2026-03-02T11:59:59-05:00", None, None),
        ("2026-03-02T12:00:00-05:00", ReasonCode.QUIET_HOURS, "2026-03-04T08:00:00-05:00"),
        ("2026-03-03T12:00:00-05:00", ReasonCode.FORBIDDEN_DAY, "2026-03-04T08:00:00-05:00"),
    ):
        decision = decide(a_message_to(send_at=at(send_at)), (a_rule(terms),))
        assert [finding.code for finding in decision.findings] == ([code] if code else [])
        assert decision.not_before == (None if not_before is None else at(not_before))


@pytest.mark.parametrize(
    ("send_at", "not_before"),
    [
        ("2026-03-02T10:59:59-05:00", "2026-03-02T11:00:00-05:00"),
        ("2026-03-02T11:00:00-05:00", None),
        ("2026-03-02T20:59:59-05:00", None),
        ("2026-03-02T21:00:00-05:00", "2026-03-03T11:00:00-05:00"),
    ],
)
def test_every_possible_zone_has_to_be_open(send_at: str, not_before: str | None) -> None:
    """New York and Los Angeles share the hours from eleven to nine on the eastern clock."""
    zones = ("America/New_York", "America/Los_Angeles")
    decision = decide(a_message_to(send_at=at(send_at), zones=zones), (a_rule(DAILY),))
    assert decision.not_before == (None if not_before is None else at(not_before))


def test_zones_that_never_share_an_open_hour_are_denied_not_guessed() -> None:
    short = SendingHours(week=((Window(time(9), time(12)),),) * 7)
    zones = ("America/New_York", "Asia/Tokyo")
    decision = decide(a_message_to(zones=zones), (a_rule(short),))
    assert decision.verdict is Verdict.DENY
    assert decision.findings[0].until is None


def test_a_whole_day_runs_into_the_next() -> None:
    always = SendingHours(week=((Window(time(0), END_OF_DAY),),) * 7)
    last = a_message_to(send_at=at("2026-03-02T23:59:59-05:00"))
    decision = decide(last, (a_rule(always),))
    assert decision.verdict is Verdict.ALLOW
    assert decision.permitted_until == at("2026-03-04T00:00:00-05:00")


def test_a_law_that_names_a_clock_is_not_asked_where_the_recipient_is() -> None:
    berlin = SendingHours(week=(DAYTIME,) * 7, zone=at("2026-03-02T12:00:00+00:00").tzinfo)
    night_there = a_message_to(send_at=at("2026-03-02T07:59:59+00:00"))
    assert decide(night_there, (a_rule(berlin),)).verdict is Verdict.DEFER
    open_there = a_message_to(send_at=at("2026-03-02T08:00:00+00:00"))
    assert decide(open_there, (a_rule(berlin),)).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("channel", "purpose", "verdict"),
    [
        (Channel.SMS, Purpose.MARKETING, Verdict.ALLOW),
        (Channel.SMS, None, Verdict.DEFER),
        (None, None, Verdict.DEFER),
    ],
)
def test_a_grant_for_the_night_lifts_the_hours_if_it_names_its_scope(
    channel: Channel | None, purpose: Purpose | None, verdict: Verdict
) -> None:
    night = GrantRoute(level=Level.EXPRESS, qualities=frozenset({Quality.NIGHT}), own_scope=True)
    terms = SendingHours(week=(DAYTIME,) * 7, lifted_by=(night,))
    grant = a_grant(qualities=frozenset({Quality.NIGHT}), channel=channel, purpose=purpose)
    late = a_message_to(grant, send_at=at("2026-03-02T23:00:00-05:00"))
    assert decide(late, (a_rule(terms),)).verdict is verdict
