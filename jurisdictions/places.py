"""Where a recipient may be: country, regions, and every possible time zone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from jurisdictions.addresses import Address
from jurisdictions.binding import jurisdictions_of
from jurisdictions.regions import area_named
from jurisdictions.time_zones import EVERY_HOUR, known_zone, zones_of_country

ZoneSource = Literal["given", "region", "number", "country"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What binds, and what time it may be there.

    ``jurisdictions``: widest first. ``region``: the one region known or implied, or None where
    there is none or several are possible. ``time_zones`` are all possible ones, never empty;
    where nothing tells even the country, they hold every whole hour of the day.
    """

    country: str | None
    jurisdictions: tuple[str, ...]
    region: str | None
    time_zones: tuple[ZoneInfo, ...]
    zone_source: ZoneSource


def locate(
    address: Address,
    *,
    region: str | None,
    time_zone: str | None,
    with_sheet: frozenset[str],
) -> Place:
    """Join what the sender knows with what the address implies; the known wins.

    Zone: the one given; else the region's, if it has one; else the number's; where the number
    is of another region, all of the known region's; else all of the country's.
    ``with_sheet``: see ``binding.jurisdictions_of``. Raises ``UnknownRegionError`` and
    ``UnknownTimeZoneError``.
    """
    return _place(
        address.country,
        address.regions,
        address.zones,
        region=region,
        time_zone=time_zone,
        with_sheet=with_sheet,
    )


# Keyed by what the address implies, never by the address: a million numbers are few places.
@lru_cache(maxsize=16_384)
def _place(
    country: str | None,
    regions: tuple[str, ...],
    zones: tuple[str, ...],
    *,
    region: str | None,
    time_zone: str | None,
    with_sheet: frozenset[str],
) -> Place:
    source: ZoneSource = "number"
    if region is not None:
        area = area_named(region)
        # A country alone tells nothing that a number of that country does not tell better.
        if area.codes or area.country != country:
            zones, source = _zones_in(area.zones, zones)
            country, regions = area.country, area.codes
    if time_zone is not None:
        zones, source = (known_zone(time_zone),), "given"
    if not zones:
        zones, source = _zones_of(country), "country"
    return Place(
        country=country,
        jurisdictions=jurisdictions_of(country, regions, with_sheet=with_sheet),
        region=_one_region(regions, known=region is not None),
        time_zones=tuple(ZoneInfo(zone) for zone in zones),
        zone_source=source,
    )


def _zones_in(
    possible: tuple[str, ...], implied: tuple[str, ...]
) -> tuple[tuple[str, ...], ZoneSource]:
    """The zones of a known region, narrowed by the number where the number lies in it."""
    both = tuple(zone for zone in implied if zone in possible)
    if len(possible) == 1 or not both:
        return possible, "region"
    return both, "number"


def _zones_of(country: str | None) -> tuple[str, ...]:
    zones = () if country is None else zones_of_country(country)
    return zones or EVERY_HOUR


def _one_region(regions: tuple[str, ...], *, known: bool) -> str | None:
    if known:
        return regions[-1] if regions else None
    return regions[0] if len(regions) == 1 else None
