"""A copy of a register serves until the strictest rule takes it no more."""

from dataclasses import replace
from datetime import date

import pytest

from rules.freshness import goes_stale_on
from rules.kinds.registers import Age, RegisterTest
from rules.kinds.registry_listing import RegistryListing
from rules.rule import Rule, Value
from tests.rules.test_rule import a_rule

AS_OF = date(2026, 11, 1)


def asking(age: Age | None, registry: str = "xa-list", since: date = date.min) -> Rule:
    rule = a_rule(since)
    terms = RegistryListing(register=RegisterTest(registry=registry, age=age))
    return replace(rule, values=(Value(terms, rule.values[0].provision),))


@pytest.mark.parametrize(
    ("rules", "day"),
    [
        ([asking(Age(days=31))], date(2026, 12, 3)),
        ([asking(Age(same_month=True))], date(2026, 12, 1)),
        ([asking(Age(days=31)), asking(Age(days=10))], date(2026, 11, 12)),
        ([asking(Age(days=31)), asking(Age(days=1), "xa-other")], date(2026, 12, 3)),
        ([asking(Age(days=31)), asking(Age(days=1), since=date(2026, 11, 20))], date(2026, 11, 20)),
        ([asking(None)], None),
        ([], None),
    ],
)
def test_the_strictest_rule_in_force_says_when(rules: list[Rule], day: date | None) -> None:
    assert goes_stale_on(rules, "xa-list", AS_OF) == day
