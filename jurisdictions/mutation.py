"""Move every parameter of every rule by one step: some scenario must fail, or one is missing.

A parameter is what stands in a value and a verdict can show. What no verdict shows, such as how
long records are kept, is left to unit tests; so are sources, and the first day of law that is
older than ``OLDEST_SHOWN``, which no message of today can tell.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jurisdictions.errors import RegulationFileError
from jurisdictions.loader import DATA, regulations_of
from jurisdictions.releases import Release, preconditions
from jurisdictions.scenario_files import Scenario
from jurisdictions.scenario_runs import facts_of, outcome_of
from jurisdictions.strict_yaml import StrictDocument, load
from rules.engine import decide
from rules.facts import Facts
from rules.rule import Rule

OLDEST_SHOWN = date(2020, 1, 1)
UNSHOWN_KINDS = frozenset({"record_keeping", "opt_out_deadline"})
"""Kinds whose parameters no verdict shows; tests/jurisdictions holds them."""
UNSHOWN_FIELDS = frozenset({"source"})
LEVELS = ("implied", "express", "express_written")

_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_PERIOD = re.compile(r"(\d+) ((?:working |business )?(?:minute|hour|day|month|year)s?)\Z")
_CLOCK = re.compile(r"\d\d:\d\d")

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One parameter moved: where it stands, what it said, what it says now."""

    file: str
    line: int
    rule: str
    path: str
    was: object
    now: object


@dataclass(frozen=True, slots=True)
class Score:
    """How many mutants some scenario caught, and which survived."""

    caught: int
    survivors: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """The share that was caught, 1.0 where there was none to catch."""
        total = self.caught + len(self.survivors)
        return self.caught / total if total else 1.0


def score(
    release: Release,
    scenarios: Sequence[Scenario],
    *,
    root: Path = DATA,
    files: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Score:
    """Mutate the regulation files (or only ``files``) and count what the scenarios catch."""
    cases = [(s, facts_of(s, with_sheet=release.with_sheet)) for s in scenarios]
    bench = _Bench(release, cases)
    chosen = [r.file for r in release.regulations if files is None or r.file in files]
    caught, survivors = 0, []
    for done, name in enumerate(chosen):
        if progress is not None:
            progress(done, len(chosen))
        document = load(root / name, name=name)
        for mutant, mutated in _mutants(document):
            is_caught = bench.catches(mutant, mutated)
            if is_caught is None:
                continue
            caught += is_caught
            if not is_caught:
                survivors.append(mutant)
    return Score(caught, tuple(survivors))


class _Bench:
    """The scenarios and the rules that bind each, worked out once."""

    def __init__(self, release: Release, cases: list[tuple[Scenario, Facts]]) -> None:
        self.first = preconditions(release.researched)
        self.by_file = {r.file: r.rules for r in release.regulations}
        self.bound = [
            (scenario, facts, [rule for rule in release.rules if rule.binds.match(facts)])
            for scenario, facts in cases
        ]

    def catches(self, mutant: Mutant, mutated: StrictDocument) -> bool | None:
        """Tell whether any scenario falls short under the mutant; None if the loader refuses it."""
        try:
            (regulation,) = regulations_of([mutated])
        except RegulationFileError:
            return None
        changed = {rule.id: rule for rule in regulation.rules}
        replaced: dict[str, Rule] = {mutant.rule: changed[mutant.rule]}
        for scenario, facts, bound in self.bound:
            if not any(rule.id == mutant.rule for rule in bound):
                continue
            rules = [replaced.get(rule.id, rule) for rule in bound]
            if not outcome_of(scenario, decide(facts, rules)).passed:
                return True
        return False


def _mutants(document: StrictDocument) -> Iterator[tuple[Mutant, StrictDocument]]:
    data: Any = document.data
    for index, rule in enumerate(data["rules"]):
        if rule["kind"] in UNSHOWN_KINDS:
            continue
        for number, value in enumerate(rule["values"]):
            base: Steps = ("rules", index, "values", number)
            for path, was, now in _moves(value, (), is_first=number == 0):
                mutated = deepcopy(data)
                _put(mutated, (*base, *path), now)
                where = ".".join(str(step) for step in path)
                line = document.line_of((*base, *path))
                mutant = Mutant(document.name, line, rule["id"], where, was, now)
                lines = document.lines
                yield mutant, StrictDocument(document.name, mutated, lines, document.raises)


def _moves(node: Any, path: Steps, *, is_first: bool) -> Iterator[tuple[Steps, object, object]]:
    if isinstance(node, dict):
        for key, inner in node.items():
            if key not in UNSHOWN_FIELDS:
                yield from _moves(inner, (*path, key), is_first=is_first)
    elif isinstance(node, list):
        yield from _moves_of_list(node, path, is_first=is_first)
    elif isinstance(node, bool):
        yield path, node, not node
    elif isinstance(node, int):
        yield path, node, node + 1
        if node > 1:
            yield path, node, node - 1
    elif isinstance(node, str):
        if path == ("in_force_from",) and is_first and node < OLDEST_SHOWN.isoformat():
            return
        for moved in _moved(node):
            yield path, node, moved


def _moves_of_list(
    node: list[Any], path: Steps, *, is_first: bool
) -> Iterator[tuple[Steps, object, object]]:
    if all(isinstance(item, str) for item in node):
        # A list of words is one parameter: none of them is heard any more.
        mutated = ["\N{SNOWMAN}"] if path[-1] in ("words", "labels") else node[:1]
        if mutated != node:
            yield path, node, mutated
        return
    for index, item in enumerate(node):
        yield from _moves(item, (*path, index), is_first=is_first)


def _moved(text: str) -> Iterator[str]:
    """Give the text moved by one step either way; nothing for a name, which has no step."""
    if _DATE.match(text):
        day = date.fromisoformat(text)
        yield (day + timedelta(days=1)).isoformat()
        yield (day - timedelta(days=1)).isoformat()
    elif match := _PERIOD.match(text):
        count = int(match[1])
        yield f"{count + 1} {match[2]}"
        if count > 1:
            yield f"{count - 1} {match[2]}"
    elif text in LEVELS:
        at = LEVELS.index(text)
        yield from (LEVELS[to] for to in (at - 1, at + 1) if 0 <= to < len(LEVELS))
    elif _CLOCK.search(text):
        for clock in _CLOCK.finditer(text):
            for step in (-1, 1):
                moved = _minutes_later(clock.group(), step)
                if moved is not None:
                    yield text[: clock.start()] + moved + text[clock.end() :]
    elif text == "closed":
        yield "00:00-24:00"


def _minutes_later(clock: str, step: int) -> str | None:
    minutes = int(clock[:2]) * 60 + int(clock[3:]) + step
    return f"{minutes // 60:02}:{minutes % 60:02}" if 0 <= minutes <= 1440 else None


def _put(data: Any, path: Steps, value: object) -> None:
    for step in path[:-1]:
        data = data[step]
    data[path[-1]] = value
