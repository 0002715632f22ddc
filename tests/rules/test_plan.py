"""The plan means what the reference means, for any law, any people and any messages."""

import importlib
import pkgutil
from dataclasses import replace
from datetime import date, time, timedelta
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import kinds
from rules.compiled.folding import KNOWN
from rules.engine import decide_each
from rules.facts import Facts, RegistryEntry
from rules.history import Event, History
from rules.kinds.consent import Consent
from rules.kinds.content import Identity
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.registers import RegisterTest
from rules.kinds.routes import ConfirmationRoute, GrantRoute
from rules.kinds.sending_hours import SendingHours, Window
from rules.periods import Period, Unit
from rules.places import Span, decide_in_order
from rules.plan import compile_plan
from rules.rule import Case, Found, Rule, Terms
from rules.vocabulary import EventKind, Level, Purpose, Quality, ReasonCode, Verdict, Via
from tests.support.campaigns import a_campaign
from tests.support.law import NOON, a_grant, a_message_to, a_rule, an_event, at
from tests.support.law_strategies import releases
from tests.support.strategies import batches


@pytest.mark.slow
@settings(max_examples=150)
@given(rules=releases(), facts=batches())
def test_the_plan_decides_as_the_reference_does(
    rules: tuple[Rule, ...], facts: list[Facts]
) -> None:
    plan = compile_plan(rules)
    assert plan.decide_many(facts) == decide_each(facts, rules)
    # And so in a batch, where those allowed hold places for those after them.
    held = timedelta(minutes=10)
    spans = [Span(one.message.send_at, one.message.send_at + held) for one in facts]
    by_reference = partial(decide_each, rules=rules)
    by_plan = decide_in_order(facts, spans, plan.decide_many)
    assert by_plan == decide_in_order(facts, spans, by_reference)


@pytest.mark.slow
@settings(max_examples=50)
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
        assert plan.decide_many(moved) == decide_each(moved, rules)


@settings(max_examples=250)
@given(seed=st.integers(0, 10**9))
def test_a_campaign_is_decided_as_the_reference_does(seed: int) -> None:
    """Signed consent and little else: here most people are decided on in one pass.

    Then once more by the same plan, which has kept what it made ready, a little later or
    sooner, and with another text.
    """
    chance = Random(seed)
    rules, facts = a_campaign(chance)
    plan = compile_plan(rules)
    assert plan.decide_many(facts) == decide_each(facts, rules)
    moved = [_moved(one, chance.choice((-1, 1, 3600, -86400, 9 * 3600))) for one in facts]
    assert plan.decide_many(moved) == decide_each(moved, rules)
    nameless = [replace(one, message=replace(one.message, text="sale")) for one in facts]
    assert plan.decide_many(nameless) == decide_each(nameless, rules)


def test_what_lifts_the_hours_later_is_seen_in_time() -> None:
    """Two laws share no hour, until a grant on record that lies ahead lifts one of them."""
    night = GrantRoute(level=Level.EXPRESS, qualities=frozenset({Quality.NIGHT}))
    day = SendingHours(week=((Window(time(8), time(21)),),) * 7, lifted_by=(night,))
    late = SendingHours(week=((Window(time(22), time(23)),),) * 7)
    ahead = a_grant("2026-03-02T15:00:00-05:00", qualities=frozenset({Quality.NIGHT}))
    rules, facts = (a_rule(day), a_rule(late)), (a_message_to(ahead),)
    decisions = compile_plan(rules).decide_many(facts)
    assert decisions[0].not_before == at("2026-03-02T22:00:00-05:00")
    assert decisions == decide_each(facts, rules)


def test_the_short_way_leaves_out_nobody_whose_opt_out_lifts_the_hours() -> None:
    confirms = ConfirmationRoute(within=Period(1, Unit.DAYS))
    hours = SendingHours(week=((Window(time(8), time(21)),),) * 7, lifted_by=(confirms,))
    rules = (a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS),))), a_rule(hours))
    stopped = an_event(EventKind.REVOKE, "2026-03-02T20:00:00-05:00")
    again = a_grant("2026-03-02T20:30:00-05:00")
    late = at("2026-03-02T22:00:00-05:00")
    facts = (a_message_to(stopped, again, send_at=late, purpose=Purpose.SERVICE),)
    decisions = compile_plan(rules).decide_many(facts)
    assert decisions[0].verdict is Verdict.ALLOW
    assert decisions == decide_each(facts, rules)


def test_a_place_held_for_long_counts_as_long_as_it_is_held() -> None:
    cap = FrequencyCap(limit=1, hours=1)
    held = an_event(EventKind.SENT, "2026-02-01T12:00:00-05:00", held_until=NOON + timedelta(1))
    rules, facts = (a_rule(cap),), (a_message_to(held),)
    decisions = compile_plan(rules).decide_many(facts)
    assert decisions[0].verdict is Verdict.DEFER
    assert decisions == decide_each(facts, rules)


@pytest.mark.slow
@settings(max_examples=100)
@given(rules=releases(), facts=batches(most=1), minutes=st.integers(0, 7))
def test_a_confirmation_is_permitted_no_longer_than_its_window(
    rules: tuple[Rule, ...], facts: list[Facts], minutes: int
) -> None:
    """Beside any law, one under which nothing but the confirmation of an opt-out may go."""
    five = Period(5, Unit.MINUTES)
    rules = (*rules, a_rule(Consent(routes=(), confirmation=five)))
    made_at = facts[0].message.send_at - timedelta(minutes=minutes)
    stopped = Event(event=EventKind.REVOKE, at=made_at)
    message = replace(facts[0].message, purpose=Purpose.SERVICE, discard_after=None)
    notice = replace(facts[0], message=message, history=History((stopped,)))
    (decision,) = compile_plan(rules).decide_many([notice])
    assert [decision] == decide_each([notice], rules)
    if decision.verdict is Verdict.ALLOW:
        assert minutes <= 5
        assert decision.permitted_until is not None
        assert decision.permitted_until <= made_at + timedelta(minutes=5, microseconds=1)


def test_a_grant_made_after_the_entry_stands_in_spite_of_it() -> None:
    test = RegisterTest(registry="xa-register", consent_after_entry=True)
    rules = (a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS, register=test),))),)
    listed = RegistryEntry(registry="xa-register", listed=True, as_of=date(2026, 3, 1))
    entered = an_event(EventKind.REVOKE, "2026-01-01T12:00:00-05:00", via=Via.REGISTRY)
    facts = (
        a_message_to(entered, a_grant(), registries=(listed,), key="1"),
        a_message_to(a_grant(), registries=(listed,), key="2"),
    )
    decisions = compile_plan(rules).decide_many(facts)
    assert [decision.verdict for decision in decisions] == [Verdict.ALLOW, Verdict.DENY]
    assert decisions == decide_each(facts, rules)


def test_the_plan_knows_every_kind() -> None:
    """One that it does not know is asked by the reference, which is right, and slow."""
    for module in pkgutil.iter_modules(kinds.__path__):
        importlib.import_module(f"rules.kinds.{module.name}")
    ours = {kind for kind in Terms.__subclasses__() if kind.__module__.startswith("rules.")}
    # A class with slots is made twice, so that classes are told apart by name.
    assert {kind.__qualname__ for kind in ours} == {kind.__qualname__ for kind in KNOWN}


class Unknown(Terms):
    """A kind that the plan has never seen."""

    def findings(self, case: Case) -> tuple[Found, ...]:
        young = (case.facts.recipient.age or 0) < 18
        return (Found(Verdict.DENY, ReasonCode.MINOR),) if young else ()


def test_a_kind_that_the_plan_does_not_know_is_asked_all_the_same() -> None:
    plan = compile_plan((a_rule(Unknown()),))
    young, old = a_message_to(key="1", age=17), a_message_to(key="2", age=18)
    verdicts = [decision.verdict for decision in plan.decide_many((young, old))]
    assert verdicts == [Verdict.DENY, Verdict.ALLOW]


def test_a_rule_that_raises_ends_the_whole_batch() -> None:
    plan = compile_plan((a_rule(Broken()),))
    with pytest.raises(ZeroDivisionError):
        plan.decide_many((a_message_to(),))


class Broken(Terms):
    def findings(self, case: Case) -> tuple[Found, ...]:
        raise ZeroDivisionError


def test_what_is_kept_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.plan.MESSAGES_KEPT", 3)
    monkeypatch.setattr("rules.plan.PLACES_KEPT", 3)
    plan = compile_plan((a_rule(Identity()),))
    zones = ("America/New_York", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo")
    for number in range(10):
        facts = a_message_to(text=f"Acme {number}", zones=(zones[number % 4],))
        assert plan.decide_many((facts,))[0].verdict is Verdict.ALLOW
        assert len(plan._messages) <= 3
    for zone in zones:
        plan.decide_many((a_message_to(text="Acme", zones=(zone,)),))
    assert all(len(foldings) <= 3 for foldings in plan._messages.values())


def _moved(facts: Facts, seconds: int) -> Facts:
    send_at = facts.message.send_at + timedelta(seconds=seconds)
    return replace(facts, message=replace(facts.message, send_at=send_at))
