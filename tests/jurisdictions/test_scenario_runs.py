"""The bundled scenarios are the specification of the law; each is decided on the pure path."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from jurisdictions.loader import DATA
from jurisdictions.releases import Release, bundled_release
from jurisdictions.scenario_files import Scenario, read_folder
from jurisdictions.scenario_runs import compare, facts_of, run
from rules.decision import Decision
from rules.engine import decide
from rules.facts import Facts
from rules.plan import compile_plan
from rules.vocabulary import ObligationCode, ReasonCode, Verdict

FOLDER = DATA.parent / "scenarios"
READ = read_folder(FOLDER)


@pytest.fixture(scope="module")
def release() -> Release:
    return bundled_release()


@pytest.mark.parametrize("file", sorted(READ))
def test_every_scenario_is_answered_as_the_law_asks(file: str, release: Release) -> None:
    def by_the_reference(facts: Sequence[Facts]) -> list[Decision]:
        return [decide(each, release.rules) for each in facts]

    outcomes = run(READ[file], by_the_reference, with_sheet=release.with_sheet)
    assert [(o.scenario.id, o.shortfalls) for o in outcomes if not o.passed] == []
    # The compiled plan is what serves; it gives the very decision, not only the verdict.
    facts = [facts_of(scenario, with_sheet=release.with_sheet) for scenario in READ[file]]
    assert compile_plan(release.rules).decide_many(facts) == by_the_reference(facts)


def test_a_scenario_that_falls_short_says_in_what() -> None:
    scenario = next(s for s in READ["kr.yaml"] if s.id == "kr-sms-ad-2130")
    said = _shortfalls(scenario, Verdict.ALLOW, None)
    assert said == ("verdict allow, not defer", "no reason quiet_hours")
    late = datetime(2026, 11, 21, 1, tzinfo=UTC)
    (wrong_instant,) = _shortfalls(scenario, Verdict.DEFER, late, ReasonCode.QUIET_HOURS)
    assert wrong_instant.startswith("not_before 2026-11-21 01:00")
    right = scenario.expect.not_before
    assert _shortfalls(scenario, Verdict.DEFER, right, ReasonCode.QUIET_HOURS) == ()


def test_a_missing_obligation_is_a_shortfall() -> None:
    scenario = next(s for s in READ["kr.yaml"] if s.id == "kr-sms-ad-duties")
    asked = frozenset({ObligationCode.INCLUDE_LABEL})
    scenario = _expecting(scenario, asked)
    assert _shortfalls(scenario, Verdict.ALLOW, None) == ("no obligation include_label",)


def _expecting(scenario: Scenario, obligations: frozenset[ObligationCode]) -> Scenario:
    expect = type(scenario.expect)(verdict=Verdict.ALLOW, obligations=obligations)
    fields = {name: getattr(scenario, name) for name in scenario.__struct_fields__}
    return Scenario(**(fields | {"expect": expect}))


def _shortfalls(
    scenario: Scenario, verdict: Verdict, not_before: datetime | None, *reasons: ReasonCode
) -> tuple[str, ...]:
    return compare(scenario, verdict, not_before, reasons=reasons, obligations=()).shortfalls
