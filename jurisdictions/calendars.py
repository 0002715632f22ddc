"""Public holidays, fixed and movable, by country and region; and working days."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, timedelta
from functools import lru_cache

import holidays

from jurisdictions.errors import UnknownCalendarError, UnknownRegionError
from jurisdictions.regions import area_named

HolidayCalendar = Callable[[date, str | None], bool]
"""Is this local date a holiday there? The text is the recipient's ISO 3166-2 region, or None."""

_FIXED = re.compile(r"(?P<month>\d\d)-(?P<day>\d\d)\Z")
_ONCE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_EASTER = re.compile(r"(?P<rite>easter|orthodox_easter)(?P<days>[+-]\d{1,2})?\Z")
_YEARS_TRIED = (2025, 2026, 2027, 2028)


def holiday_calendar(
    country: str,
    *,
    subdivision: str | None = None,
    categories: Collection[str] = ("public",),
    observed: bool = False,
    by_region: bool = False,
    only: Collection[str] | None = None,
    also: Collection[str] = (),
    in_regions: Mapping[str, Collection[str]] | None = None,
) -> HolidayCalendar:
    """A calendar that works out a year when it is first asked for it.

    ``subdivision`` (ISO 3166-2) fixes one region's holidays; ``by_region`` takes those of the
    recipient's region where it is known and the holiday data has it. ``observed`` adds the
    substitute days that the data knows. ``only`` keeps what it names, ``also`` adds to it; both
    hold names of the holiday data in English, or days that need no data: ``12-25``,
    ``2026-09-28``, ``easter``, ``easter-2``, ``orthodox_easter+1``. ``in_regions`` adds such days
    for recipients who are known to be in a region. Raises
    ``UnknownCalendarError`` at once where the data has no such country, category or name.
    """
    source = _Source(country, tuple(categories), observed)
    source.check(subdivision)
    names = frozenset(item for item in only or () if not _is_day(item))
    days = tuple(item for item in (*(only or ()), *also) if _is_day(item))
    _check_days(days)
    for region, local in (in_regions or {}).items():
        source.check_local(region, local)
    source.check_names({item for item in also if not _is_day(item)} | names, subdivision)
    wanted = None if only is None else names | {item for item in also if not _is_day(item)}
    return _Calendar(
        source,
        subdivision,
        by_region=by_region,
        wanted=wanted,
        days=days,
        in_regions={region: tuple(local) for region, local in (in_regions or {}).items()},
    )


@lru_cache(maxsize=512)
def business_days(country: str | None) -> Callable[[date], bool]:
    """Tell of a date whether it is a working day there: its weekend and public holidays are none.

    Of a country that the holiday data lacks only Saturday and Sunday are known, which makes a
    deadline that is counted in such days the earlier one.
    """
    try:
        known = holidays.country_holidays(country or "")
    except NotImplementedError:
        return lambda day: day.isoweekday() < 6
    return known.is_working_day


class _Source:
    """The holiday data of one country."""

    def __init__(self, country: str, categories: tuple[str, ...], observed: bool) -> None:
        self.country = country
        self.categories = categories
        self.observed = observed

    def check(self, subdivision: str | None) -> None:
        try:
            known = holidays.country_holidays(self.country)
        except NotImplementedError:
            raise UnknownCalendarError(
                f"the holiday data has no country {self.country}, write an alpha-2 code"
            ) from None
        for category in self.categories:
            if category not in known.supported_categories:
                choice = ", ".join(known.supported_categories)
                raise UnknownCalendarError(
                    f"the holidays of {self.country} have no category {category}, write {choice}"
                )
        if subdivision is not None and self.code_of(subdivision) is None:
            raise UnknownCalendarError(f"the holiday data has no region {subdivision}")

    def check_local(self, region: str, days: Collection[str]) -> None:
        if self.country not in (region.partition("-")[0], region) or not _codes_of(region):
            raise UnknownCalendarError(f"{region} is no region of {self.country}")
        for item in days:
            if not _is_day(item):
                raise UnknownCalendarError(
                    f"{item} is no day for a region, write one such as 12-26 or easter-2"
                )
        _check_days(days)

    def check_names(self, names: Collection[str], subdivision: str | None) -> None:
        known = {name for year in _YEARS_TRIED for _, name in self.named_days(year, subdivision)}
        for name in sorted(names):
            if name not in known:
                raise UnknownCalendarError(
                    f"the holidays of {self.country} have no {name!r}, write one of "
                    + ", ".join(sorted(known))
                )

    def code_of(self, region: str) -> str | None:
        """The holiday data's code for a region or for the nearest region around it."""
        known = holidays.country_holidays(self.country)
        try:
            area = area_named(region)
        except UnknownRegionError:
            return None
        if area.country != self.country:
            return None
        for code in reversed(area.codes):
            short = code.partition("-")[2]
            if short in known.subdivisions:
                return short
            if short in known.subdivisions_aliases:
                return str(known.subdivisions_aliases[short])
        return None

    def named_days(self, year: int, region: str | None) -> list[tuple[date, str]]:
        """Every holiday of the year by name; a day that holds two stands twice."""
        found = holidays.country_holidays(
            self.country,
            subdiv=None if region is None else self.code_of(region),
            years=year,
            observed=self.observed,
            categories=self.categories,
            language=self._english(),
        )
        return [(day, name.strip()) for day, names in found.items() for name in names.split(";")]

    def _english(self) -> str | None:
        languages = holidays.country_holidays(self.country).supported_languages
        return next((tongue for tongue in ("en_US", "en_GB", "en") if tongue in languages), None)


class _Calendar:
    """Answers from sets of dates, worked out once for each year and region."""

    def __init__(
        self,
        source: _Source,
        subdivision: str | None,
        *,
        by_region: bool,
        wanted: frozenset[str] | None,
        days: tuple[str, ...],
        in_regions: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._source = source
        self._subdivision = subdivision
        self._by_region = by_region
        self._wanted = wanted
        self._days = days
        self._in_regions = in_regions
        self._worked_out: dict[tuple[int, str | None], frozenset[date]] = {}

    def __call__(self, day: date, region: str | None) -> bool:
        where = region if self._by_region or self._in_regions else None
        dates = self._worked_out.get((day.year, where))
        if dates is None:
            dates = self._work_out(day.year, where)
            self._worked_out[day.year, where] = dates
        return day in dates

    def _work_out(self, year: int, region: str | None) -> frozenset[date]:
        listed_in = region if self._by_region else None
        named = self._source.named_days(year, listed_in or self._subdivision)
        kept = {day for day, name in named if self._wanted is None or name in self._wanted}
        around = () if region is None else _codes_of(region)
        local = [item for code in around for item in self._in_regions.get(code, ())]
        kept.update(day for item in (*self._days, *local) for day in _day_in(item, year))
        return frozenset(kept)


def _codes_of(region: str) -> tuple[str, ...]:
    """A region and those around it, widest first; none where there is no such region."""
    try:
        return area_named(region).codes
    except UnknownRegionError:
        return ()


def _is_day(item: str) -> bool:
    return bool(_FIXED.match(item) or _ONCE.match(item) or _EASTER.match(item))


def _check_days(days: Collection[str]) -> None:
    for item in days:
        try:
            # Of these years one is a leap year; a day that none of them has does not exist.
            exists = _ONCE.match(item) or any(_day_in(item, year) for year in _YEARS_TRIED)
            if _ONCE.match(item):
                date.fromisoformat(item)
        except ValueError:
            exists = False
        if not exists:
            raise UnknownCalendarError(f"{item} is no day of the calendar, write MM-DD")


def _day_in(item: str, year: int) -> list[date]:
    """The date of a day that needs no holiday data, in one year; [] where it has none."""
    moving = _EASTER.match(item)
    if moving is not None:
        sunday = _easter(year) if moving["rite"] == "easter" else _orthodox_easter(year)
        return [sunday + timedelta(days=int(moving["days"] or 0))]
    text = item if _ONCE.match(item) else f"{year:04d}-{item}"
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return []  # 29 February in a common year.
    return [day] if day.year == year else []


def _easter(year: int) -> date:
    """Easter Sunday of the western churches: the Gregorian computus of Meeus, Jones, Butcher."""
    golden = year % 19
    century = year // 100
    moon = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon -= moon // 28 * (1 - moon // 28 * (29 // (moon + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    offset = moon - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))


def _orthodox_easter(year: int) -> date:
    """Easter Sunday of the eastern churches, by the Julian computus, as a Gregorian date."""
    moon = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + weekday + 114, 31)
    # The Julian calendar is 13 days behind from March 1900 to February 2100.
    return date(year, month, day + 1) + timedelta(days=13)
