"""A check with the law of every country loaded against one with a single country's.

``./dev bench countries [COUNTRY]`` decides the bundled scenarios of the country (us), each a
message of its own, by the plan of the whole release and by the plan of that country alone, in
turn, and prints the CPU time a check of each and their ratio. Target: under 1.1. It also says
how long it takes from the files to the first decision. Target: under 2 seconds.
"""

import argparse
import time
from collections.abc import Sequence

from jurisdictions.releases import bundled_release, release_of
from jurisdictions.scenario_files import BUNDLED, read_scenarios
from jurisdictions.scenario_runs import facts_of
from rules.facts import Facts
from rules.plan import Plan, compile_plan

ROUNDS = 9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("country", nargs="?", default="us")
    country = parser.parse_args().country

    began = time.process_time()
    whole = bundled_release()
    plans = {"all": compile_plan(whole.rules)}
    loading = time.process_time() - began
    own = [r for r in whole.regulations if r.file.startswith(f"{country}/")]
    plans[country] = compile_plan(release_of(country, "0" * 64, own).rules)

    files = sorted(BUNDLED.glob(f"{country}*.yaml"))
    scenarios = [scenario for file in files for scenario in read_scenarios(file)]
    facts = [facts_of(s, with_sheet=whole.with_sheet) for s in scenarios]
    facts = [f for f in facts if f.sender.country == country.upper()]
    best = {name: min(_seconds(plan, facts) for _ in range(ROUNDS)) for name, plan in plans.items()}

    print(f"countries loaded: {len(whole.with_sheet)}; messages: {len(facts)}; rounds: {ROUNDS}")
    print(f"from files to plan: {loading:.2f} s of CPU time (target: under 2)")
    for name, seconds in best.items():
        print(f"{name:>5}: {seconds / len(facts) * 1e6:.1f} us a check")
    print(f"ratio: {best['all'] / best[country]:.3f} (target: under 1.1)")


def _seconds(plan: Plan, facts: Sequence[Facts]) -> float:
    """Decide each message by itself; foldings are kept, as they are between requests."""
    began = time.process_time()
    for each in facts:
        plan.decide_many((each,))
    return time.process_time() - began


if __name__ == "__main__":
    main()
