"""Where a recipient may be: country, regions, and every possible time zone."""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from jurisdictions.addresses import Address

ZoneSource = Literal["given", "region", "number", "country"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What binds and what time it may be. ``jurisdictions``: widest first."""

    country: str | None
    jurisdictions: tuple[str, ...]
    region: str | None
    time_zones: tuple[ZoneInfo, ...]
    zone_source: ZoneSource


def locate(
    address: Address, *, region: str | None, time_zone: str | None, with_sheet: frozenset[str]
) -> Place:
    """Join what the sender knows with what the address implies; the known wins.

    ``with_sheet``: see ``binding.jurisdictions_of``. Raises ``UnknownRegionError`` and
    ``UnknownTimeZoneError``.
    """
    raise NotImplementedError
