"""The table of area codes is what the numbering data says today."""

from pathlib import Path

import pytest

from jurisdictions import area_codes
from jurisdictions.area_codes import AreaCodes, generate, written
from jurisdictions.regions import area_named

# Areas that span two clocks, and overlays of such areas.
SPANNING = (
    208, 219, 250, 270, 308, 418, 423, 541, 574, 605, 606, 620, 701, 709, 775,
    785, 807, 812, 850, 867, 879, 906, 907, 928, 986, 236, 364, 367, 448, 458,
    581, 672, 778, 859, 930, 931,
)  # fmt: skip
TABLE = Path(area_codes.__file__).parent / "data" / "nanp.json"


@pytest.fixture(scope="module")
def generated() -> AreaCodes:
    return generate()


def test_the_table_is_up_to_date(generated: AreaCodes) -> None:
    assert TABLE.read_text(encoding="utf-8") == written(generated), (
        "python -m jurisdictions.area_codes writes it anew"
    )


def test_every_area_has_zones_of_its_regions() -> None:
    for code, area in area_codes.area_codes().items():
        assert area.zones, code
        if area.regions:
            possible = {zone for region in area.regions for zone in area_named(region).zones}
            assert set(area.zones) <= possible, code
            assert {region.split("-")[0] for region in area.regions} == {area.country}, code


def test_every_state_has_an_area_code() -> None:
    told = {region for area in area_codes.area_codes().values() for region in area.regions}
    states = [code for code in told if code.startswith("US-")]
    provinces = [code for code in told if code.startswith("CA-")]
    assert (len(states), len(provinces)) == (56, 13)  # 50, DC and five territories.


@pytest.mark.parametrize("code", SPANNING)
def test_areas_over_two_clocks_keep_both(code: int) -> None:
    assert len(area_codes.area_codes()[str(code)].zones) > 1


@pytest.mark.parametrize("code", ["500", "533", "600", "700", "800", "833", "888", "900"])
def test_codes_that_mean_no_place_are_left_out(code: str) -> None:
    assert code not in area_codes.area_codes()
