"""What was said at another address of the same person: it counts, and never loosens."""

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import decide
from rules.facts import Facts
from rules.history import Event, History
from rules.plan import compile_plan
from rules.rule import Rule
from rules.vocabulary import STRICTNESS, EventKind
from tests.support.law_strategies import releases
from tests.support.strategies import batches, events

AGAINST = (EventKind.REVOKE, EventKind.COMPLAINT, EventKind.SENT, EventKind.HOLD)
"""What counts at an address that has itself said stop."""


def said_elsewhere() -> st.SearchStrategy[list[Event]]:
    turned = st.builds(
        lambda event, kind: replace(event, event=kind, elsewhere=True, held_until=None),
        events(),
        st.sampled_from(AGAINST),
    )
    return st.lists(turned, min_size=1, max_size=3)


@pytest.mark.slow
@settings(max_examples=100)
@given(rules=releases(), batch=batches(most=1), said=said_elsewhere())
def test_what_stands_against_a_message_elsewhere_never_loosens_it_here(
    rules: tuple[Rule, ...], batch: Sequence[Facts], said: list[Event]
) -> None:
    (alone,) = batch[:1]
    united = tuple(sorted((*alone.history.events, *said), key=attrgetter("at")))
    linked = replace(alone, history=History(united))
    before, after = decide(alone, rules), decide(linked, rules)
    assert STRICTNESS.index(after.verdict) >= STRICTNESS.index(before.verdict)
    assert compile_plan(rules).decide_many([linked]) == [after]
