"""Every parameter moves by one step, and a scenario that stands on it falls."""

from jurisdictions.loader import DATA
from jurisdictions.mutation import score
from jurisdictions.releases import bundled_release
from jurisdictions.scenario_files import read_scenarios

SCENARIOS = DATA.parent / "scenarios"
FILE = "kr/network-act.yaml"


def test_the_scenarios_of_a_country_hold_nearly_all_of_its_parameters() -> None:
    scenarios = [
        *read_scenarios(SCENARIOS / "kr.yaml"),
        *read_scenarios(SCENARIOS / "kr-more.yaml"),
    ]
    result = score(bundled_release(), scenarios, files=[FILE])
    assert result.caught > 40
    assert result.share >= 0.9


def test_without_scenarios_every_mutant_survives_and_is_named() -> None:
    result = score(bundled_release(), [], files=[FILE])
    assert result.caught == 0
    assert result.share == 0
    hours = [m for m in result.survivors if m.rule == "kr-ad-night" and m.path == "hours.daily"]
    assert {m.now for m in hours} == {"07:59-21:00", "08:01-21:00", "08:00-20:59", "08:00-21:01"}
    assert all(mutant.file == FILE and mutant.line > 1 for mutant in hours)
