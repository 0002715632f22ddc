"""Spans of time as laws count them: hours on the clock, days and months on a local calendar."""

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum


class Unit(StrEnum):
    """What a span is counted in."""

    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class Period:
    """``count`` units. Minutes and hours run on the clock, days and months on the calendar."""

    count: int
    unit: Unit

    @property
    def words(self) -> str:
        """The period as a person says it: ``18 months``."""
        unit = self.unit.value if self.count != 1 else self.unit.value.removesuffix("s")
        return f"{self.count} {unit}"


def instant_of(day: date, at: time, zone: tzinfo, *, later: bool = False) -> datetime:
    """Give the instant, in UTC, at which ``zone`` shows ``at`` on ``day``.

    A time that the clock skips moves forward. Of a time that it shows twice, the first is
    meant, or the second with ``later``.
    """
    local = datetime.combine(day, at, tzinfo=zone)
    return (local.replace(fold=1) if later and _shown_twice(local) else local).astimezone(UTC)


def start_of(day: date, zone: tzinfo) -> datetime:
    """Give the first instant of ``day`` in ``zone``, in UTC."""
    return instant_of(day, time.min, zone)


def local_dates(at: datetime, zones: Iterable[tzinfo]) -> frozenset[date]:
    """Give every date that ``at`` may be where the recipient is."""
    return frozenset(at.astimezone(zone).date() for zone in zones)


def months_before(day: date, months: int) -> date:
    """Give the same day of the month, ``months`` earlier, or that month's last day."""
    year, month0 = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = calendar.monthrange(year, month0 + 1)[1]
    return date(year, month0 + 1, min(day.day, last))


FAR_OFF = datetime(9000, 1, 1, tzinfo=UTC)
"""An end from then on is none: whoever writes 9999 means never, and years end at 9999."""


def lapse_of(since: datetime, period: Period, zones: Iterable[tzinfo]) -> datetime:
    """Give the instant from which ``since`` is more than ``period`` ago, in the strictest zone.

    On the clock the period has passed at its last instant. On the calendar the same date
    still counts, so the lapse is the start of the day after it.
    """
    if since >= FAR_OFF:
        return FAR_OFF
    if period.unit is Unit.MINUTES:
        return since.astimezone(UTC) + timedelta(minutes=period.count)
    if period.unit is Unit.HOURS:
        return since.astimezone(UTC) + timedelta(hours=period.count)
    return min(start_of(_first_day_past(since, period, zone), zone) for zone in zones)


def anniversary_of(since: datetime, period: Period, zones: Iterable[tzinfo]) -> datetime:
    """Give the start of the day on which ``period`` is complete, in the strictest zone.

    One day sooner than ``lapse_of``: for laws whose last day is the day before.
    """
    if since >= FAR_OFF:
        return FAR_OFF
    return min(
        start_of(_first_day_past(since, period, zone) - timedelta(days=1), zone) for zone in zones
    )


def _first_day_past(since: datetime, period: Period, zone: tzinfo) -> date:
    day = since.astimezone(zone).date()
    if period.unit is Unit.DAYS:
        return day + timedelta(days=period.count + 1)
    past = months_before(day, -period.count) + timedelta(days=1)
    while months_before(past, period.count) <= day:
        past += timedelta(days=1)
    return past


def _shown_twice(local: datetime) -> bool:
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset() and (
        local.replace(fold=1).astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None)
        == local.replace(tzinfo=None, fold=0)
    )
