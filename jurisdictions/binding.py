"""Whose law binds: from a country and its regions to jurisdictions, unions included."""

from functools import cache, lru_cache
from pathlib import Path

import msgspec

from jurisdictions.strict_yaml import decode, load


class Union(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A union of states. ``without_sheet``: it binds members without own regulations only."""

    id: str
    members: frozenset[str]
    without_sheet: bool = False


class Unions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/unions.yaml`` as it is written."""

    unions: tuple[Union, ...]


@lru_cache(maxsize=4096)
def jurisdictions_of(
    country: str | None, regions: tuple[str, ...], *, with_sheet: frozenset[str]
) -> tuple[str, ...]:
    """Every jurisdiction whose law binds there, widest first.

    ``with_sheet``: the countries that have regulations of their own; a member state of the
    EEA without them is bound by ``EU-BASE`` as well. ``regions`` come widest first, or side
    by side where an area code lies in several states: then the law of each of them binds.
    """
    if country is None:
        return ()
    wide = tuple(
        union.id
        for union in unions()
        if country in union.members and not (union.without_sheet and country in with_sheet)
    )
    return (*wide, country, *regions)


def countries_of(jurisdiction: str) -> frozenset[str]:
    """The member states of a union; none where ``jurisdiction`` is no union."""
    return frozenset(
        country for union in unions() if union.id == jurisdiction for country in union.members
    )


@cache
def unions() -> tuple[Union, ...]:
    """The checked table of ``data/unions.yaml``, widest first."""
    path = Path(__file__).parent / "data" / "unions.yaml"
    return decode(load(path, name="jurisdictions/data/unions.yaml"), Unions).unions
