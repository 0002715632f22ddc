"""Holidays are those of the law's list, of the recipient's region, in the year asked for."""

from datetime import date, timedelta

import pytest

from jurisdictions.calendars import holiday_calendar
from jurisdictions.errors import UnknownCalendarError


@pytest.mark.parametrize(
    ("day", "region", "is_holiday"),
    [
        (date(2026, 12, 25), None, True),
        (date(2026, 12, 24), None, False),
        (date(2026, 4, 6), None, True),
        (date(2027, 3, 29), None, True),
        (date(2027, 4, 6), None, False),
        (date(2026, 5, 25), None, True),
        # Good Friday and St Stephen's Day in Alsace-Moselle only.
        (date(2026, 4, 3), None, False),
        (date(2026, 4, 3), "FR-67", True),
        (date(2026, 4, 3), "FR-57", True),
        (date(2026, 4, 3), "FR-13", False),
        (date(2026, 5, 27), "FR-971", True),
        # A region of another country, or none that exists, is as if it were not known.
        (date(2026, 4, 3), "DE-BY", False),
        # New Caledonia's day; ES-NC is Navarre.
        (date(2026, 9, 24), "ES-NC", False),
        (date(2026, 12, 25), "FR-ZZ", True),
    ],
)
def test_france_by_region(day: date, region: str | None, *, is_holiday: bool) -> None:
    assert holiday_calendar("FR", by_region=True)(day, region) is is_holiday


def test_the_region_counts_only_where_the_rule_says_so() -> None:
    good_friday = date(2026, 4, 3)
    assert holiday_calendar("FR", by_region=True)(good_friday, "FR-67")
    assert not holiday_calendar("FR")(good_friday, "FR-67")


def test_a_rule_may_name_the_days_of_a_region_alone() -> None:
    local = ("easter-2", "12-26")
    calendar = holiday_calendar("FR", in_regions={"FR-57": local, "FR-6AE": local})
    good_friday, second_day = date(2026, 4, 3), date(2028, 12, 26)
    for region in ("FR-57", "FR-67", "FR-6AE"):
        assert calendar(good_friday, region)
        assert calendar(second_day, region)
    for elsewhere in (None, "FR-GES", "FR-971", "FR-ZZ", "DE-BY"):
        assert not calendar(good_friday, elsewhere)
        assert not calendar(second_day, elsewhere)
    assert calendar(date(2026, 11, 11), "FR-971")
    assert not calendar(date(2026, 5, 27), "FR-971")


@pytest.mark.parametrize(
    ("region", "day", "problem"),
    [
        ("DE-BY", "12-26", "no region of FR"),
        ("FR-ZZ", "12-26", "no region of FR"),
        ("FR-57", "02-30", "no day of the calendar"),
        ("FR-57", "Good Friday", "no day for a region"),
    ],
)
def test_a_region_or_day_that_does_not_exist_is_refused(
    region: str, day: str, problem: str
) -> None:
    with pytest.raises(UnknownCalendarError, match=problem):
        holiday_calendar("FR", in_regions={region: (day,)})


def test_a_province_has_the_holidays_of_its_community() -> None:
    second_of_may = date(2026, 5, 2)
    spain = holiday_calendar("ES", by_region=True)
    assert spain(second_of_may, "ES-MD")
    assert spain(second_of_may, "ES-M")
    assert not spain(second_of_may, "ES-B")


def test_a_fixed_subdivision_needs_no_region() -> None:
    assert holiday_calendar("FR", subdivision="FR-67")(date(2026, 4, 3), None)


def test_substitute_days_count_where_the_rule_says_so() -> None:
    # 9 August 2026, South African Women's Day, is a Sunday.
    monday = date(2026, 8, 10)
    assert holiday_calendar("ZA", observed=True)(monday, None)
    assert not holiday_calendar("ZA")(monday, None)


def test_categories_widen_the_list() -> None:
    christmas_eve = date(2026, 12, 24)
    assert not holiday_calendar("PT")(christmas_eve, None)
    assert holiday_calendar("PT", categories=("public", "optional"))(christmas_eve, None)


def test_only_what_the_law_names_counts() -> None:
    calendar = holiday_calendar("IT", only=("01-01", "easter+1", "Liberation Day", "2026-09-28"))
    holidays = [date(2026, 1, 1), date(2026, 4, 6), date(2026, 4, 25), date(2026, 9, 28)]
    assert all(calendar(day, None) for day in holidays)
    others = [date(2026, 6, 2), date(2026, 12, 25), date(2027, 9, 28)]
    assert not any(calendar(day, None) for day in others)


def test_more_can_be_added() -> None:
    calendar = holiday_calendar("NO", also=("easter-1",))
    assert calendar(date(2026, 4, 4), None)
    assert calendar(date(2026, 5, 17), None)
    assert not holiday_calendar("NO")(date(2026, 4, 4), None)


@pytest.mark.parametrize(
    ("western", "orthodox"),
    [
        (date(2024, 3, 31), date(2024, 5, 5)),
        (date(2025, 4, 20), date(2025, 4, 20)),
        (date(2026, 4, 5), date(2026, 4, 12)),
        (date(2027, 3, 28), date(2027, 5, 2)),
        (date(2028, 4, 16), date(2028, 4, 16)),
        (date(2038, 4, 25), date(2038, 4, 25)),
        (date(2049, 4, 18), date(2049, 4, 25)),
    ],
)
def test_easter_moves(western: date, orthodox: date) -> None:
    assert holiday_calendar("GR", only=("easter",))(western, None)
    assert holiday_calendar("GR", only=("orthodox_easter",))(orthodox, None)
    # Greece's own calendar agrees with the computation.
    assert holiday_calendar("GR")(orthodox + timedelta(days=1), None)


def test_a_leap_day_is_a_day_of_leap_years() -> None:
    calendar = holiday_calendar("GB", only=("02-29",))
    assert calendar(date(2028, 2, 29), None)
    assert not calendar(date(2027, 3, 1), None)


@pytest.mark.parametrize(
    ("country", "terms", "says"),
    [
        ("ZZ", {}, "has no country ZZ"),
        ("FR", {"categories": ("bank",)}, "write public, school"),
        ("FR", {"subdivision": "DE-BY"}, "no region DE-BY"),
        ("FR", {"only": ("Beaujolais Day",)}, "write one of"),
        ("FR", {"also": ("Beaujolais Day",)}, "write one of"),
        ("FR", {"only": ("13-01",)}, "no day of the calendar"),
        ("FR", {"only": ("02-30",)}, "no day of the calendar"),
        ("FR", {"also": ("2026-02-29",)}, "no day of the calendar"),
    ],
)
def test_what_the_data_does_not_hold_is_refused(
    country: str, terms: dict[str, tuple[str, ...]], says: str
) -> None:
    with pytest.raises(UnknownCalendarError, match=says):
        holiday_calendar(country, **terms)  # type: ignore[arg-type]
