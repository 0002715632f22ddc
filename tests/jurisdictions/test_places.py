"""What the sender knows goes before what the address implies; doubt keeps every zone."""

from datetime import datetime, timedelta

import pytest

from jurisdictions.addresses import parse_address
from jurisdictions.errors import UnknownRegionError, UnknownTimeZoneError
from jurisdictions.places import Place, locate

WITH_SHEET = frozenset({"US", "CA", "FR", "DE", "GB", "AU", "ES", "ID"})
EMAIL = "someone@example.com"
NEW_YORK = "+12125550123"


def place_of(text: str, region: str | None = None, time_zone: str | None = None) -> Place:
    address = parse_address(text)
    return locate(address, region=region, time_zone=time_zone, with_sheet=WITH_SHEET)


def zones_of(place: Place) -> set[str]:
    return {zone.key for zone in place.time_zones}


@pytest.mark.parametrize(
    ("text", "region", "time_zone", "zones", "source"),
    [
        # A given zone goes before all.
        (NEW_YORK, "US-CA", "Asia/Tokyo", {"Asia/Tokyo"}, "given"),
        (EMAIL, None, "Asia/Tokyo", {"Asia/Tokyo"}, "given"),
        (EMAIL, "LU", "Asia/Calcutta", {"Asia/Kolkata"}, "given"),
        # A region with one zone goes before the number.
        (NEW_YORK, "US-CA", None, {"America/Los_Angeles"}, "region"),
        ("+61412345678", "AU-NSW", None, {"Australia/Sydney"}, "region"),
        ("+6281234567890", "ID-JK", None, {"Asia/Jakarta"}, "region"),
        ("+6281234567890", "ID-PA", None, {"Asia/Jayapura"}, "region"),
        ("+34612319859", "ES-MD", None, {"Europe/Madrid"}, "region"),
        (EMAIL, "ES-GC", None, {"Atlantic/Canary"}, "region"),
        (EMAIL, "PT-20", None, {"Atlantic/Azores"}, "region"),
        (EMAIL, "US-PR", None, {"America/Puerto_Rico"}, "region"),
        (EMAIL, "PR", None, {"America/Puerto_Rico"}, "region"),
        (EMAIL, "FR-974", None, {"Indian/Reunion"}, "region"),
        (EMAIL, "RE", None, {"Indian/Reunion"}, "region"),
        (EMAIL, "FR", None, {"Europe/Paris"}, "region"),
        (EMAIL, "CN-XJ", None, {"Asia/Shanghai"}, "region"),
        (EMAIL, "CN-HK", None, {"Asia/Hong_Kong"}, "region"),
        # A region with several: the number tells which, where it lies in the region.
        ("+13055550123", "US-FL", None, {"America/New_York"}, "number"),
        ("+18505550123", "US-FL", None, {"America/New_York", "America/Chicago"}, "number"),
        (NEW_YORK, "US-TX", None, {"America/Chicago", "America/Denver"}, "region"),
        (EMAIL, "US-FL", None, {"America/New_York", "America/Chicago"}, "region"),
        # A country alone tells no more than a number of that country.
        (NEW_YORK, "US", None, {"America/New_York"}, "number"),
        ("+17875550123", "US", None, {"America/Puerto_Rico"}, "number"),
        ("+590690000000", "FR", None, {"America/Guadeloupe"}, "number"),
        # A known country goes before a number of another.
        (NEW_YORK, "LU", None, {"Europe/Luxembourg"}, "region"),
        (NEW_YORK, None, None, {"America/New_York"}, "number"),
    ],
)
def test_the_zone_is_the_given_else_the_regions_else_the_numbers(
    text: str, region: str | None, time_zone: str | None, zones: set[str], source: str
) -> None:
    place = place_of(text, region, time_zone)
    assert zones_of(place) == zones
    assert place.zone_source == source


@pytest.mark.parametrize("text", ["+18005550123", "+15005550123"])
def test_a_number_without_a_place_keeps_every_zone_of_the_country(text: str) -> None:
    place = place_of(text)
    assert place.zone_source == "country"
    assert {"America/New_York", "America/Adak", "Pacific/Honolulu"} <= zones_of(place)
    assert place.jurisdictions == ("US",)


def test_an_australian_mobile_may_be_anywhere_in_australia() -> None:
    place = place_of("+61412345678")
    assert {"Australia/Sydney", "Australia/Perth", "Australia/Darwin"} <= zones_of(place)
    assert place.zone_source == "country"


def test_where_nothing_tells_the_country_it_may_be_any_hour() -> None:
    place = place_of(EMAIL)
    assert (place.country, place.jurisdictions, place.region) == (None, (), None)
    at = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
    hours = {at.astimezone(zone).hour for zone in place.time_zones}
    assert hours == set(range(24))


@pytest.mark.parametrize(
    ("text", "region", "jurisdictions", "known_region"),
    [
        (NEW_YORK, None, ("US", "US-NY"), "US-NY"),
        (NEW_YORK, "US-CA", ("US", "US-CA"), "US-CA"),
        (NEW_YORK, "US", ("US", "US-NY"), "US-NY"),
        ("+19025550123", None, ("CA", "CA-NS", "CA-PE"), None),
        ("+19025550123", "CA-PE", ("CA", "CA-PE"), "CA-PE"),
        (NEW_YORK, "LU", ("EEA", "EU", "EU-BASE", "LU"), None),
        (EMAIL, "HR", ("EEA", "EU", "EU-BASE", "HR"), None),
        (EMAIL, "DE", ("EEA", "EU", "DE"), None),
        (EMAIL, "IS", ("EEA", "EU-BASE", "IS"), None),
        (EMAIL, "FR-971", ("EEA", "EU", "FR", "FR-971"), "FR-971"),
        ("+590690000000", None, ("EEA", "EU", "FR", "FR-971"), "FR-971"),
        (EMAIL, "GP", ("EEA", "EU", "FR", "FR-971"), "FR-971"),
        (EMAIL, "FR-NC", ("NC",), None),
        (EMAIL, "ES-M", ("EEA", "EU", "ES", "ES-MD", "ES-M"), "ES-M"),
        (EMAIL, "JE", ("JE",), None),
        ("+447781000000", "GB", ("GB",), None),
        (EMAIL, "CH", ("CH",), None),
    ],
)
def test_the_known_region_beats_the_number_for_the_law_too(
    text: str, region: str | None, jurisdictions: tuple[str, ...], known_region: str | None
) -> None:
    place = place_of(text, region)
    assert place.jurisdictions == jurisdictions
    assert place.region == known_region


@pytest.mark.parametrize("region", ["US-ZZ", "ZZ", "us-ny", "USA", "EU", "UK", "", "-", "New York"])
def test_a_region_that_does_not_exist_is_refused(region: str) -> None:
    with pytest.raises(UnknownRegionError):
        place_of(EMAIL, region)


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "europe/paris", "", "Factory", "../etc/passwd", "GMT+25", "+01:00"]
)
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(UnknownTimeZoneError):
        place_of(NEW_YORK, time_zone=zone)


def test_the_pinned_zone_data_decides_not_the_machines() -> None:
    """Since 2026 British Columbia keeps UTC-7 in winter; older data says UTC-8."""
    (vancouver,) = place_of("+16045550123").time_zones
    winter = datetime.fromisoformat("2026-12-21T12:00:00+00:00").astimezone(vancouver)
    assert winter.utcoffset() == timedelta(hours=-7)
