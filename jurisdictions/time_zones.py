"""Clocks of countries and regions, by the pinned time zone data and a checked table."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from jurisdictions.errors import UnknownTimeZoneError
from jurisdictions.strict_yaml import decode, load

_DATA = Path(__file__).parent / "data"
_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})

EVERY_HOUR: tuple[str, ...] = tuple(f"Etc/GMT{12 - step:+d}" for step in range(27))
"""One zone for each whole hour, UTC-12 to UTC+14: where nothing tells even the country."""


class ZoneTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/time_zones.yaml`` as it is written."""

    countries: dict[str, tuple[str, ...]]
    same_clock: dict[str, str]
    numbers: dict[str, tuple[str, ...]]
    regions: dict[str, dict[str, tuple[str, ...]]]


def zones_of_country(country: str) -> tuple[str, ...]:
    """Every zone of an alpha-2 code, its own territories elsewhere left out; () if unknown."""
    return _zones_by_country().get(country, ())


@cache
def zones_of_region(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Every zone of a region. ``codes``: ISO 3166-2, the widest first, the region itself last."""
    country = codes[-1].split("-")[0]
    table = zone_table().regions.get(country)
    if table is None:
        return zones_of_country(country)
    for code in reversed(codes):
        zones = table.get(code.partition("-")[2])
        if zones is not None:
            return zones
    return table.get("*", zones_of_country(country))


@cache
def known_zone(name: str) -> str:
    """The name under which we compare a zone; an old alias becomes today's name."""
    names, aliases, listed = _names()
    if name not in names or name in _NOT_PLACES:
        raise UnknownTimeZoneError(
            "this time zone is not in the IANA database, write one such as Europe/Paris"
        )
    return name if name in listed else aliases.get(name, name)


def zones_of_prefix(digits: str) -> tuple[str, ...] | None:
    """Zones of a number range that the number data knows too little of, or None."""
    numbers = zone_table().numbers
    for length in _prefix_lengths():
        zones = numbers.get(digits[:length])
        if zones is not None:
            return zones
    return None


def compared(zones: Iterable[str]) -> tuple[str, ...]:
    """Zones in the names that we compare them by, each clock once, in the order given."""
    same_clock = zone_table().same_clock
    named = (known_zone(same_clock.get(zone, zone)) for zone in zones)
    return tuple(dict.fromkeys(named))


@cache
def zone_table() -> ZoneTable:
    """The checked table of ``data/time_zones.yaml``."""
    path = _DATA / "time_zones.yaml"
    return decode(load(path, name="jurisdictions/data/time_zones.yaml"), ZoneTable)


@cache
def _prefix_lengths() -> tuple[int, ...]:
    return tuple(sorted({len(prefix) for prefix in zone_table().numbers}, reverse=True))


@cache
def _zones_by_country() -> Mapping[str, tuple[str, ...]]:
    table = zone_table()
    zones = listed_zones()
    for country, regions in table.regions.items():
        zones[country] = tuple(dict.fromkeys(zone for each in regions.values() for zone in each))
    return zones | table.countries


def listed_zones() -> dict[str, tuple[str, ...]]:
    """Country to zones as the tzdata package's ``zone.tab`` lists them."""
    zones: dict[str, tuple[str, ...]] = {}
    for line in _tzdata_file("zone.tab").splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones[country] = (*zones.get(country, ()), zone)
    return zones


@cache
def _names() -> tuple[frozenset[str], Mapping[str, str], frozenset[str]]:
    """All names; alias to the name it links to; the names that ``zone.tab`` lists."""
    names = frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
    aliases: dict[str, str] = {}
    for line in _tzdata_file("tzdata.zi").splitlines():
        if line.startswith("L "):
            _, target, alias = line.split()
            aliases[alias] = target
    listed = frozenset(zone for zones in listed_zones().values() for zone in zones)
    return names, aliases, listed


def _tzdata_file(name: str) -> str:
    return resources.files("tzdata").joinpath("zoneinfo", name).read_text("utf-8")
