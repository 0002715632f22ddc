"""Unions bind in their member states, and a state's own sheet takes the place of the base."""

import pytest

from jurisdictions.binding import countries_of, jurisdictions_of
from jurisdictions.regions import area_named


@pytest.mark.parametrize(
    ("country", "with_sheet", "jurisdictions"),
    [
        ("HR", frozenset[str](), ("EEA", "EU", "EU-BASE", "HR")),
        ("HR", frozenset({"HR"}), ("EEA", "EU", "HR")),
        ("HR", frozenset({"DE"}), ("EEA", "EU", "EU-BASE", "HR")),
        ("NO", frozenset({"NO"}), ("EEA", "NO")),
        ("LI", frozenset({"NO"}), ("EEA", "EU-BASE", "LI")),
        ("GB", frozenset[str](), ("GB",)),
        ("CH", frozenset[str](), ("CH",)),
        (None, frozenset[str](), ()),
    ],
)
def test_unions_bind_their_members(
    country: str | None, with_sheet: frozenset[str], jurisdictions: tuple[str, ...]
) -> None:
    assert jurisdictions_of(country, (), with_sheet=with_sheet) == jurisdictions


def test_regions_come_last_and_all_of_them_bind() -> None:
    bound = jurisdictions_of("CA", ("CA-NS", "CA-PE"), with_sheet=frozenset({"CA"}))
    assert bound == ("CA", "CA-NS", "CA-PE")


@pytest.mark.parametrize(("union", "count"), [("EEA", 30), ("EU", 27), ("EU-BASE", 30), ("US", 0)])
def test_unions_are_whole(union: str, count: int) -> None:
    assert len(countries_of(union)) == count
    assert all(area_named(country).country == country for country in countries_of(union))


def test_the_union_lies_in_the_economic_area() -> None:
    assert countries_of("EEA") - countries_of("EU") == {"IS", "LI", "NO"}
    assert countries_of("EU-BASE") == countries_of("EEA")
