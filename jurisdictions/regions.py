"""What the codes of countries, regions and territories mean: ISO 3166-1 and 3166-2."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import msgspec
import pycountry

from jurisdictions.errors import UnknownRegionError
from jurisdictions.strict_yaml import decode, load
from jurisdictions.time_zones import zones_of_country, zones_of_region

_DATA = Path(__file__).parent / "data"
_LONGEST_PREFIX = 9


class Territory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a state with an alpha-2 code of its own, where the state's law binds."""

    code: str
    country: str
    regions: tuple[str, ...]


class Territories(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/territories.yaml`` as it is written."""

    under_a_state: tuple[Territory, ...]
    own_law: dict[str, str]
    not_in_iso: frozenset[str]
    prefixes: dict[str, str]
    region_prefixes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Area:
    """A country, or a region of it (``codes``: ISO 3166-2, widest first), and its clocks."""

    country: str
    codes: tuple[str, ...]
    zones: tuple[str, ...]


@lru_cache(maxsize=8192)
def area_named(code: str) -> Area:
    """The area of an ISO 3166-2 or alpha-2 code. Raises ``UnknownRegionError``."""
    code = territories().own_law.get(code, code)
    if "-" not in code:
        if not _is_country(code):
            raise _unknown()
        return area_of_country(code)
    chain = _with_parents(code)
    if not chain:
        raise _unknown()
    territory = _by_region().get(code)
    zones = zones_of_region(chain) if territory is None else zones_of_country(territory.code)
    return Area(code.split("-")[0], chain, zones)


@cache
def area_of_country(code: str) -> Area:
    """The area of an alpha-2 code; a territory under a state's law becomes the state's region."""
    territory = _by_code().get(code)
    if territory is None:
        return Area(code, (), zones_of_country(code))
    codes = territory.regions if len(territory.regions) == 1 else ()
    zones = zones_of_country(code) or zones_of_country(territory.country)
    return Area(territory.country, codes, zones)


def country_of_prefix(digits: str) -> str | None:
    """The alpha-2 code of a number range in ``prefixes``, or None. ``digits``: E.164 without +."""
    return _longest(territories().prefixes, digits)


def regions_of_prefix(digits: str) -> tuple[str, ...]:
    """The region, and those around it, that a number range tells; () where it tells none."""
    region = _longest(territories().region_prefixes, digits)
    return () if region is None else area_named(region).codes


@cache
def territories() -> Territories:
    """The checked table of ``data/territories.yaml``."""
    path = _DATA / "territories.yaml"
    return decode(load(path, name="jurisdictions/data/territories.yaml"), Territories)


@cache
def _by_code() -> Mapping[str, Territory]:
    return {territory.code: territory for territory in territories().under_a_state}


@cache
def _by_region() -> Mapping[str, Territory]:
    return {
        region: territory
        for territory in territories().under_a_state
        for region in territory.regions
    }


def _longest(prefixes: Mapping[str, str], digits: str) -> str | None:
    for length in range(_LONGEST_PREFIX, 0, -1):
        found = prefixes.get(digits[:length])
        if found is not None:
            return found
    return None


def _with_parents(code: str) -> tuple[str, ...]:
    """A region's code after those of the regions around it; () where ISO has no such code."""
    chain: tuple[str, ...] = ()
    around: str | None = code
    while around is not None and around not in chain:
        found = pycountry.subdivisions.get(code=around)  # type: ignore[no-untyped-call]
        # pycountry does not care for case, and we do.
        if found is None or found.code != around:
            break
        chain = (around, *chain)
        around = found.parent_code
    return chain


def _is_country(code: str) -> bool:
    if code in territories().not_in_iso:
        return True
    return len(code) == 2 and code.isupper() and pycountry.countries.get(alpha_2=code) is not None


def _unknown() -> UnknownRegionError:
    return UnknownRegionError(
        "this region is neither ISO 3166-2 nor ISO 3166-1 alpha-2, write one such as US-NY or LU"
    )
