"""The tables of zones hold what exists, leave nothing out, and say what they claim."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pycountry
import pytest

from jurisdictions.regions import area_named, territories
from jurisdictions.time_zones import (
    EVERY_HOUR,
    compared,
    known_zone,
    listed_zones,
    zone_table,
    zones_of_country,
)

TABLED = sorted(zone_table().regions)


@pytest.mark.parametrize("country", TABLED)
def test_every_zone_of_a_table_lies_in_its_country(country: str) -> None:
    zones = {zone for each in zone_table().regions[country].values() for zone in each}
    assert zones <= set(listed_zones()[country])


@pytest.mark.parametrize("country", TABLED)
def test_every_region_of_a_table_exists(country: str) -> None:
    codes = {each.code for each in subdivisions(country)}
    named = {f"{country}-{code}" for code in zone_table().regions[country] if code != "*"}
    assert named <= codes


@pytest.mark.parametrize("country", TABLED)
def test_no_region_is_left_to_the_whole_country(country: str) -> None:
    """A region that the table forgets would keep every zone of its country."""
    whole = set(zones_of_country(country))
    for each in subdivisions(country):
        zones = area_named(each.code).zones
        assert zones, each.code
        assert set(zones) != whole, each.code


def test_every_country_with_several_clocks_has_a_table() -> None:
    """Antarctica and the outlying islands have no regions that anybody writes to."""
    several = {country for country, zones in listed_zones().items() if len(zones) > 1}
    table = zone_table()
    assert several - set(table.regions) - set(table.countries) == {"AQ", "PF", "UM"}


@pytest.mark.parametrize(("country", "zones"), sorted(zone_table().countries.items()))
def test_a_country_read_as_one_clock_has_one_on_its_own_list(
    country: str, zones: tuple[str, ...]
) -> None:
    assert len(zones) == 1
    # Kosovo's code is not ISO's, so no list has it.
    assert country == "XK" or set(zones) < set(listed_zones()[country])


@pytest.mark.parametrize("country", ["CY", "DE", "KZ", "MH", "UZ"])
def test_zones_that_are_left_out_keep_the_same_clock(country: str) -> None:
    (kept,) = zones_of_country(country)
    for zone in listed_zones()[country]:
        assert offsets(zone, since=2025) == offsets(kept, since=2025), zone


@pytest.mark.parametrize(("name", "same_as"), sorted(zone_table().same_clock.items()))
def test_names_of_one_clock_agree(name: str, same_as: str) -> None:
    assert offsets(name, since=2020) == offsets(same_as, since=2020)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("US/Eastern", "America/New_York"),
        ("Europe/Kiev", "Europe/Kyiv"),
        # A link in the data, but a listed zone of another country: it stays.
        ("Europe/Oslo", "Europe/Oslo"),
        ("Europe/Luxembourg", "Europe/Luxembourg"),
        ("Etc/GMT+5", "Etc/GMT+5"),
    ],
)
def test_an_old_name_becomes_todays(name: str, known: str) -> None:
    assert known_zone(name) == known


def test_clocks_are_compared_once_each() -> None:
    zones = compared(["America/Boise", "America/Denver", "Asia/Calcutta", "Asia/Kolkata"])
    assert zones == ("America/Denver", "Asia/Kolkata")


def test_every_country_has_a_zone() -> None:
    codes = {country.alpha_2 for country in pycountry.countries} | territories().not_in_iso
    # Two uninhabited islands have no zone of their own.
    assert {code for code in codes if not zones_of_country(code)} == {"BV", "HM"}


def test_every_hour_has_its_zone() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    told = [at.astimezone(ZoneInfo(zone)).utcoffset() for zone in EVERY_HOUR]
    assert told == [timedelta(hours=hours) for hours in range(-12, 15)]


def subdivisions(country: str) -> list[pycountry.db.Data]:
    found = pycountry.subdivisions.get(country_code=country)  # type: ignore[no-untyped-call]
    own_law = territories().own_law
    territorial = {region for each in territories().under_a_state for region in each.regions}
    return [each for each in found if each.code not in own_law and each.code not in territorial]


def offsets(zone: str, *, since: int) -> list[timedelta | None]:
    """Twice a day until the end of 2028."""
    at = datetime(since, 1, 1, tzinfo=UTC)
    steps = (datetime(2029, 1, 1, tzinfo=UTC) - at) // timedelta(hours=12)
    clock = ZoneInfo(zone)
    return [clock.utcoffset(at.astimezone(clock) + timedelta(hours=12 * n)) for n in range(steps)]
