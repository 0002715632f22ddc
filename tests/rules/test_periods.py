"""Spans of time on clocks and calendars."""

from datetime import date, time
from zoneinfo import ZoneInfo

import pytest

from rules.periods import (
    Period,
    Unit,
    anniversary_of,
    instant_of,
    lapse_of,
    months_before,
    start_of,
)
from tests.support.law import NEW_YORK, at

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_time_that_the_clock_skips_moves_forward() -> None:
    skipped = instant_of(date(2026, 3, 8), time(2, 30), NEW_YORK)
    assert skipped == at("2026-03-08T03:30:00-04:00")


def test_of_a_time_shown_twice_the_first_is_meant_unless_asked() -> None:
    twice = date(2026, 11, 1), time(1, 30), NEW_YORK
    assert instant_of(*twice) == at("2026-11-01T01:30:00-04:00")
    assert instant_of(*twice, later=True) == at("2026-11-01T01:30:00-05:00")
    assert instant_of(date(2026, 3, 8), time(2, 30), NEW_YORK, later=True) == at(
        "2026-03-08T03:30:00-04:00"
    )


def test_a_day_that_begins_with_a_change_of_clocks_begins_once() -> None:
    assert start_of(date(2026, 3, 8), ZoneInfo("America/Havana")) == at("2026-03-08T01:00:00-04:00")


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2024, 3, 31), 1, date(2024, 2, 29)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2026, 1, 31), -1, date(2026, 2, 28)),
    ],
)
def test_months_keep_the_day_or_take_the_last(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before


@pytest.mark.parametrize(
    ("period", "lapses"),
    [
        (Period(5, Unit.MINUTES), "2026-01-31T22:05:00-05:00"),
        (Period(48, Unit.HOURS), "2026-02-02T22:00:00-05:00"),
        (Period(1, Unit.DAYS), "2026-02-02T00:00:00-05:00"),
        (Period(1, Unit.MONTHS), "2026-03-01T00:00:00-05:00"),
        (Period(18, Unit.MONTHS), "2027-08-01T00:00:00-04:00"),
    ],
)
def test_a_calendar_period_lapses_when_its_last_day_is_over(period: Period, lapses: str) -> None:
    since = at("2026-01-31T22:00:00-05:00")
    assert lapse_of(since, period, (NEW_YORK,)) == at(lapses)


def test_the_strictest_zone_counts() -> None:
    """In Berlin it was already February, but the day before ends there six hours sooner."""
    since = at("2026-01-31T12:00:00-05:00")
    lapse = lapse_of(since, Period(1, Unit.DAYS), (NEW_YORK, BERLIN))
    assert lapse == at("2026-02-02T00:00:00+01:00")


def test_an_anniversary_is_a_day_sooner_than_a_lapse() -> None:
    since, year = at("2025-03-02T12:00:00-05:00"), Period(12, Unit.MONTHS)
    assert anniversary_of(since, year, (NEW_YORK,)) == at("2026-03-02T00:00:00-05:00")
    assert lapse_of(since, year, (NEW_YORK,)) == at("2026-03-03T00:00:00-05:00")


def test_a_period_is_said_as_people_say_it() -> None:
    assert Period(1, Unit.DAYS).words == "1 day"
    assert Period(18, Unit.MONTHS).words == "18 months"
