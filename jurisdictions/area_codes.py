"""What a North American area code tells: country, states, and every zone in its area.

``data/nanp.json`` is generated from the numbering data's own tables, because those take 98 MB
and a third of a second to load: ``python -m jurisdictions.area_codes`` writes it anew after an
update of phonenumbers, and a test tells when that was forgotten.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
import phonenumbers
import pycountry
from phonenumbers.tzdata import TIMEZONE_DATA

from jurisdictions.regions import area_named, area_of_country
from jurisdictions.strict_yaml import decode, load
from jurisdictions.time_zones import compared

_DATA = Path(__file__).parent / "data"
_TABLE = _DATA / "nanp.json"


class AreaCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where numbers of one area code belong. Several ``regions``: the area lies in all of them."""

    country: str
    regions: tuple[str, ...]
    zones: tuple[str, ...]


class AreaCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/nanp.json`` as it is written: area code to its area, and what it was made from."""

    phonenumbers: str
    areas: dict[str, AreaCode]


class Corrections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/area_code_corrections.yaml`` as it is written."""

    regions: dict[str, tuple[str, ...]]
    names: dict[str, tuple[str, ...]]
    same_area_as: dict[str, str]
    zones_too: dict[str, tuple[str, ...]]
    zones_of_regions: frozenset[str]


@cache
def area_codes() -> Mapping[str, AreaCode]:
    """Area code (three digits) to its area. Codes that mean no place are not in it."""
    return msgspec.json.decode(_TABLE.read_bytes(), type=AreaCodes).areas


def generate() -> AreaCodes:
    """Work the table out from the numbering data; takes a second and 100 MB."""
    # Imported here, for no start of the service needs it.
    from phonenumbers.geodata import GEOCODE_DATA  # noqa: PLC0415

    corrections = _corrections()
    names = {key[1:]: names["en"] for key, names in GEOCODE_DATA.items() if _is_area_code(key)}
    zones = _zones_by_code()
    areas: dict[str, AreaCode] = {}
    for code in sorted(zones):
        regions = corrections.regions.get(code) or _regions_named(names.get(code), corrections)
        if not regions:
            areas[code] = _area_elsewhere(code)
            continue
        donor = corrections.same_area_as.get(code, code)
        possible = tuple(
            dict.fromkeys(zone for region in regions for zone in area_named(region).zones)
        )
        told = compared(sorted(zones[donor]))
        told = (*told, *corrections.zones_too.get(donor, ()), *corrections.zones_too.get(code, ()))
        kept = tuple(zone for zone in possible if zone in told)
        if code in corrections.zones_of_regions or not kept:
            kept = possible
        areas[code] = AreaCode(regions[0].split("-")[0], regions, kept)
    return AreaCodes(phonenumbers.__version__, areas)


def written(table: AreaCodes) -> str:
    """The table as the file holds it, a line for each area code."""
    lines = [
        f'  "{code}": {msgspec.json.encode(area).decode()}' for code, area in table.areas.items()
    ]
    head = f'{{"phonenumbers": "{table.phonenumbers}", "areas": {{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def _corrections() -> Corrections:
    path = _DATA / "area_code_corrections.yaml"
    return decode(load(path, name="jurisdictions/data/area_code_corrections.yaml"), Corrections)


def _is_area_code(prefix: str) -> bool:
    return len(prefix) == 4 and prefix.startswith("1")


def _zones_by_code() -> Mapping[str, set[str]]:
    """Each area code's zones: those of every prefix in it, for the short one is a default."""
    zones: defaultdict[str, set[str]] = defaultdict(set)
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4:
            zones[prefix[1:4]].update(names)
    return zones


def _regions_named(name: str | None, corrections: Corrections) -> tuple[str, ...]:
    """ISO 3166-2 codes for a name such as "New York, NY" or "Ohio"; () for no name."""
    if name is None:
        return ()
    if name in corrections.names:
        return corrections.names[name]
    last = name.rpartition(", ")[2]
    for country in ("US", "CA"):
        for subdivision in pycountry.subdivisions.get(country_code=country):  # type: ignore[no-untyped-call]
            if last in (subdivision.name, subdivision.code.partition("-")[2]):
                return (subdivision.code,)
    raise LookupError(f"no subdivision is called {name}: add it to area_code_corrections.yaml")


def _area_elsewhere(code: str) -> AreaCode:
    """A territory or an island state: the numbering data knows which country has the code."""
    for rest in ("2345678", "5550123", "2225678", "7345678"):
        number = phonenumbers.PhoneNumber(country_code=1, national_number=int(code + rest))
        country = phonenumbers.region_code_for_number(number)
        if country is not None:
            area = area_of_country(country)
            return AreaCode(area.country, area.codes, area.zones)
    raise LookupError(f"no country has {code}: add its regions to area_code_corrections.yaml")


if __name__ == "__main__":
    _TABLE.write_text(written(generate()), encoding="utf-8")
    sys.stdout.write(f"{len(area_codes())} area codes written\n")
