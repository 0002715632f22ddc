"""Rule kind ``sending_hours``: on which days, and between which hours, messages may arrive."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import ClassVar

from rules.facts import Facts
from rules.kinds.routes import Route, lift_of, lifted
from rules.periods import instant_of, start_of
from rules.rule import Case, Found, Terms
from rules.vocabulary import ReasonCode, Verdict

IsHoliday = Callable[[date, str | None], bool]
"""Tells whether a date is a holiday, where the recipient's region is known in that region too."""

END_OF_DAY = time.max
"""Stands for 24:00: the window lasts as long as the day."""

LONGEST_CLOSURE = 31
"""Days that are looked ahead for an opening."""


@dataclass(frozen=True, slots=True)
class Window:
    """Open from ``opens`` until just before ``closes``, local time, within one day."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        assert self.opens < self.closes, "the loader rejects windows that cross midnight"

    def on(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        """Give the window's first instant and the first instant after it, in UTC."""
        opens = instant_of(day, self.opens, zone, later=True)
        if self.closes == END_OF_DAY:
            return opens, start_of(day + timedelta(days=1), zone)
        return opens, instant_of(day, self.closes, zone)

    @property
    def words(self) -> str:
        """The window as a person writes it: ``08:00-21:00``."""
        closes = "24:00" if self.closes == END_OF_DAY else self.closes.strftime("%H:%M")
        return f"{self.opens:%H:%M}-{closes}"


Day = tuple[Window, ...]
"""The windows of a day, in order; an empty one is a day on which nothing may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingHours(Terms):
    """The hours of each weekday, Monday first, and of holidays and their eves if they differ.

    The hours are the recipient's, or those of ``zone`` where the law names a clock. They have
    to be open in every zone that is possible.
    """

    waits: ClassVar[bool] = True

    week: tuple[Day, ...]
    holiday: Day | None = None
    eve: Day | None = None
    is_holiday: IsHoliday | None = None
    zone: tzinfo | None = None
    lifted_by: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.week) == 7, "a week has seven days"

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``forbidden_day`` on a day without hours, ``quiet_hours`` outside the hours."""
        region = case.facts.recipient.region
        zones = self.zones_of(case.facts)
        closed = [zone for zone in zones if self.open_interval(case.at, zone, region) is None]
        if not closed or lifted(self.lifted_by, case.facts, case.at):
            return ()
        code, zone = ReasonCode.QUIET_HOURS, closed[0]
        for candidate in closed:
            if not self.hours_of(case.at.astimezone(candidate).date(), region):
                code, zone = ReasonCode.FORBIDDEN_DAY, candidate
        until = self.next_permitted(case)
        local = case.at.astimezone(zone)
        hours = " ".join(window.words for window in self.hours_of(local.date(), region))
        detail = (
            ("hours", hours),
            ("local_date", local.date().isoformat()),
            ("local_time", local.strftime("%H:%M")),
            ("zone", str(zone)),
        )
        return (Found(Verdict.DEFER, code, until, detail),)

    def next_permitted(self, case: Case) -> datetime | None:
        """Find the first instant from ``case.at`` on that is open in every zone.

        An Australian mobile number fits eight zones, and the law binds in the true one. Each
        round moves on to the latest of the zones' next openings, until it is open in all.
        """
        if lifted(self.lifted_by, case.facts, case.at):
            return case.at
        zones, region = self.zones_of(case.facts), case.facts.recipient.region
        at, limit = case.at, case.at + timedelta(days=LONGEST_CLOSURE)
        while at <= limit:
            openings = [self._next_open(at, zone, region) for zone in zones]
            if any(opening is None for opening in openings):
                return None
            latest = max(opening for opening in openings if opening is not None)
            if latest == at:
                return at
            at = latest
        return None

    def permitted_until(self, case: Case) -> datetime | None:
        """Give the next closing in any zone, or when what lifts the hours lapses if it is later."""
        region = case.facts.recipient.region
        ends = [self._closes(case.at, zone, region) for zone in self.zones_of(case.facts)]
        closes = min((end for end in ends if end is not None), default=None)
        lift = lift_of(self.lifted_by, case.facts, case.at)
        if lift is None:
            return closes
        return lift.until if lift.until is None or closes is None else max(lift.until, closes)

    def hours_of(self, day: date, region: str | None) -> Day:
        """Give the hours of a local day."""
        if self.is_holiday is not None:
            if self.holiday is not None and self.is_holiday(day, region):
                return self.holiday
            if self.eve is not None and self.is_holiday(day + timedelta(days=1), region):
                usual = self.week[day.weekday()]
                return self.eve if usual else usual
        return self.week[day.weekday()]

    def open_interval(
        self, at: datetime, zone: tzinfo, region: str | None
    ) -> tuple[datetime, datetime] | None:
        """Give the opening around ``at`` on the clock of ``zone``, or None outside the hours."""
        intervals = self._intervals(at.astimezone(zone).date(), zone, region)
        around = (interval for interval in intervals if interval[0] <= at < interval[1])
        return next(around, None)

    def zones_of(self, facts: Facts) -> tuple[tzinfo, ...]:
        """Give the clocks that count: the law's own, or every one possible for the recipient."""
        return (self.zone,) if self.zone is not None else facts.recipient.time_zones

    def _intervals(
        self, day: date, zone: tzinfo, region: str | None
    ) -> Iterator[tuple[datetime, datetime]]:
        return (window.on(day, zone) for window in self.hours_of(day, region))

    def _next_open(self, at: datetime, zone: tzinfo, region: str | None) -> datetime | None:
        day = at.astimezone(zone).date()
        for _ in range(LONGEST_CLOSURE + 1):
            for opens, closes in self._intervals(day, zone, region):
                if at < closes:
                    return max(at, opens)
            day += timedelta(days=1)
        return None

    def _closes(self, at: datetime, zone: tzinfo, region: str | None) -> datetime | None:
        day, end = at.astimezone(zone).date(), at.astimezone(UTC)
        for _ in range(2):
            for opens, closes in self._intervals(day, zone, region):
                if opens <= end < closes:
                    end = closes
            day += timedelta(days=1)
        return end
