"""How long a copy of a public register may be used, by all the rules that ask for it."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, timedelta

from rules.kinds.registers import Age, RegisterTest
from rules.rule import Rule

_DAYS_MAX = 1100


def goes_stale_on(rules: Sequence[Rule], registry: str, as_of: date) -> date | None:
    """The first day on which some rule in force takes a copy of ``as_of`` no more.

    The strictest counts. None: every rule that asks takes a copy of any age, or none asks.
    """
    for count in range(1, _DAYS_MAX):
        day = as_of + timedelta(days=count)
        if any(not age.allows(as_of, day) for age in _ages(rules, registry, day)):
            return day
    return None


def _ages(rules: Sequence[Rule], registry: str, day: date) -> Iterator[Age]:
    for rule in rules:
        for value in rule.values:
            if value.in_force(day):
                for test in _tests_in(value.terms):
                    if test.registry == registry and test.age is not None:
                        yield test.age


def _tests_in(part: object) -> Iterator[RegisterTest]:
    if isinstance(part, RegisterTest):
        yield part
    elif isinstance(part, tuple | frozenset):
        for one in part:
            yield from _tests_in(one)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _tests_in(getattr(part, field.name))
