"""The plan means what the reference means, for any law, any people and any messages."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import decide_in_order
from rules.facts import Facts
from rules.plan import compile_plan
from rules.rule import Rule
from tests.support.strategies import batches, releases


@settings(max_examples=400)
@given(rules=releases(), facts=batches())
def test_the_plan_decides_as_the_reference_does(
    rules: tuple[Rule, ...], facts: list[Facts]
) -> None:
    assert compile_plan(rules).decide_many(facts) == decide_in_order(facts, rules)


@settings(max_examples=200)
@given(
    rules=releases(),
    facts=batches(most=3),
    later=st.lists(st.integers(-7200, 7200) | st.integers(-3, 3), min_size=1, max_size=3),
)
def test_what_a_plan_keeps_changes_no_later_answer(
    rules: tuple[Rule, ...], facts: list[Facts], later: list[int]
) -> None:
    """The same messages again at other instants, by one plan, which keeps what it made ready."""
    plan = compile_plan(rules)
    for seconds in (0, *later, 0):
        moved = [_moved(one, seconds) for one in facts]
        assert plan.decide_many(moved) == decide_in_order(moved, rules)


def _moved(facts: Facts, seconds: int) -> Facts:
    send_at = facts.message.send_at + timedelta(seconds=seconds)
    return replace(facts, message=replace(facts.message, send_at=send_at))
