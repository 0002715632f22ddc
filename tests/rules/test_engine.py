"""The reference, on the law of country XA."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from functools import partial

import pytest

from rules.decision import Decision
from rules.engine import decide, decide_each
from rules.facts import Facts
from rules.kinds.consent import Consent, GrantRoute, OpenRoute
from rules.kinds.content import Identity
from rules.kinds.duties import RecordKeeping
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.preconditions import KnownJurisdiction, ValidAddress
from rules.kinds.sending_hours import Day, SendingHours, Window
from rules.places import Span, decide_in_order
from rules.plan import compile_plan
from rules.rule import SINCE_EVER, Binds, Case, Found, Rule, Terms
from rules.vocabulary import EventKind, Level, ObligationCode, Purpose, ReasonCode, Verdict
from tests.support.law import NOON, a_grant, a_message_to, a_rule, an_event, at

DAYTIME: Day = (Window(time(8), time(21)),)
HOURS = a_rule(SendingHours(week=(DAYTIME,) * 7), name="xa-hours")
CONSENT = a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS_WRITTEN),)), name="xa-consent")
CAP = a_rule(FrequencyCap(limit=2, hours=24), name="xa-cap")
NIGHT = at("2026-03-02T22:00:00-05:00")


def codes(decision: Decision) -> list[ReasonCode]:
    return [finding.code for finding in decision.findings]


def test_nothing_against_a_message_allows_it_and_says_on_what_it_rests() -> None:
    grant = a_grant(expires_at=at("2026-03-02T20:00:00-05:00"))
    decision = decide(a_message_to(grant), (CONSENT, HOURS))
    assert decision.verdict is Verdict.ALLOW
    assert decision.rests_on == (grant,)
    assert decision.permitted_until == grant.expires_at


def test_every_rule_is_asked_and_the_strictest_finding_wins() -> None:
    decision = decide(a_message_to(send_at=NIGHT), (HOURS, CONSENT))
    assert decision.verdict is Verdict.DENY
    assert codes(decision) == [ReasonCode.QUIET_HOURS, ReasonCode.CONSENT_MISSING]
    assert decision.not_before is None
    assert decision.obligations == ()
    assert decision.rests_on == ()


def test_a_message_that_only_has_to_wait_is_told_until_when() -> None:
    decision = decide(a_message_to(a_grant(), send_at=NIGHT), (CONSENT, HOURS))
    assert decision.verdict is Verdict.DEFER
    assert decision.not_before == at("2026-03-03T08:00:00-05:00")
    assert decision.rests_on == (a_grant(),)


def test_the_first_instant_satisfies_hours_and_cap_together() -> None:
    """The cap is free again at 22:30, when the hours are over until the morning."""
    sent = [an_event(EventKind.SENT, f"2026-03-01T22:3{minute}:00-05:00") for minute in range(2)]
    facts = a_message_to(a_grant(), *sent, send_at=NIGHT - timedelta(hours=2))
    decision = decide(facts, (CONSENT, HOURS, CAP))
    assert codes(decision) == [ReasonCode.FREQUENCY_CAP]
    assert decision.not_before == at("2026-03-03T08:00:00-05:00")


def test_hours_that_never_open_deny() -> None:
    never = a_rule(SendingHours(week=((),) * 7))
    decision = decide(a_message_to(), (never,))
    assert decision.verdict is Verdict.DENY
    assert codes(decision) == [ReasonCode.FORBIDDEN_DAY]


def test_hours_that_a_coming_law_opens_are_waited_for() -> None:
    change = date(2026, 3, 10)
    rule = a_rule(SendingHours(week=((),) * 7), SendingHours(week=(DAYTIME,) * 7), since=(change,))
    decision = decide(a_message_to(), (rule,))
    assert decision.not_before == at("2026-03-10T08:00:00-04:00")


@pytest.mark.parametrize(
    ("discard_after", "verdict"),
    [("2026-03-03T08:00:00-05:00", Verdict.DEFER), ("2026-03-03T07:59:59-05:00", Verdict.DENY)],
)
def test_a_message_that_would_come_too_late_is_denied(discard_after: str, verdict: Verdict) -> None:
    facts = a_message_to(send_at=NIGHT, discard_after=at(discard_after))
    assert decide(facts, (HOURS,)).verdict is verdict


@pytest.mark.parametrize(
    ("send_at", "needed"),
    [
        ("2026-03-01T23:59:59-05:00", Level.IMPLIED),
        ("2026-03-02T00:00:00-05:00", Level.EXPRESS_WRITTEN),
    ],
)
def test_law_changes_at_midnight_where_the_recipient_is(send_at: str, needed: Level) -> None:
    old = Consent(routes=(GrantRoute(level=Level.IMPLIED),))
    new = Consent(routes=(GrantRoute(level=Level.EXPRESS_WRITTEN),))
    rule = a_rule(old, new, since=(date(2026, 3, 2),))
    decision = decide(a_message_to(send_at=at(send_at)), (rule,))
    assert decision.findings[0].detail == (("needed", needed.word),)


def test_where_two_dates_are_possible_both_laws_hold() -> None:
    rule = a_rule(Terms(), Consent(routes=()), since=(date(2026, 3, 2),))
    late = at("2026-03-01T23:30:00-05:00")
    zones = ("America/New_York", "Europe/Berlin")
    assert decide(a_message_to(send_at=late), (rule,)).verdict is Verdict.ALLOW
    assert decide(a_message_to(send_at=late, zones=zones), (rule,)).verdict is Verdict.DENY


def test_a_change_of_law_ends_the_permission() -> None:
    rule = a_rule(RecordKeeping(months=1), RecordKeeping(months=2), since=(date(2026, 3, 5),))
    decision = decide(a_message_to(), (rule,))
    assert decision.permitted_until == at("2026-03-05T00:00:00-05:00")


def test_obligations_come_with_what_may_go() -> None:
    decision = decide(a_message_to(), (a_rule(Identity()), a_rule(RecordKeeping(months=60))))
    owed = [one.code for one in decision.obligations]
    assert owed == [ObligationCode.INCLUDE_IDENTITY, ObligationCode.KEEP_RECORD]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_what_always_held_holds_in_every_zone(zone: str) -> None:
    """The day from which it holds has a first instant everywhere."""
    assert a_rule(ValidAddress()).values[0].provision.in_force_from == SINCE_EVER
    assert decide(a_message_to(zones=(zone,)), (a_rule(ValidAddress()),)).verdict is Verdict.ALLOW


def test_no_consent_rule_is_a_gap_and_no_permission() -> None:
    known = a_rule(
        KnownJurisdiction(researched=frozenset({"XA"}), spared=frozenset({Purpose.AUTHENTICATION}))
    )
    assert codes(decide(a_message_to(a_grant()), (known,))) == [ReasonCode.UNKNOWN_JURISDICTION]
    here = Binds(recipient=frozenset({"XA"}))
    ours = a_rule(Consent(routes=(OpenRoute(),)), binds=here)
    assert codes(decide(a_message_to(), (known, ours))) == []
    assert codes(decide(a_message_to(purpose=Purpose.AUTHENTICATION), (known,))) == []


@pytest.mark.parametrize(
    ("binds", "answers"),
    [
        (Binds(recipient=frozenset({"XA"})), True),
        (Binds(recipient=frozenset({"XA-1", "XA"}), sender=frozenset({"XB"})), True),
        (Binds(either=frozenset({"XA", "XB"})), True),
        (Binds(either=frozenset({"XB"})), False),
        (Binds(sender=frozenset({"XB"})), False),
        (Binds(), False),
    ],
)
def test_only_the_law_of_the_recipients_place_closes_the_gap(
    binds: Binds, *, answers: bool
) -> None:
    """What the sender's country asks of them permits nothing where nobody has read the law."""
    known = a_rule(KnownJurisdiction(researched=frozenset({"XA"}), spared=frozenset()))
    opened = a_rule(Consent(routes=(OpenRoute(),)), binds=binds)
    message = a_message_to()
    from_abroad = replace(message, sender=replace(message.sender, jurisdictions=("XB",)))
    rules = (known, opened)
    decision = decide(from_abroad, rules)
    assert codes(decision) == ([] if answers else [ReasonCode.UNKNOWN_JURISDICTION])
    assert compile_plan(rules).decide_many([from_abroad]) == [decision]


class Broken(Terms):
    def findings(self, case: Case) -> tuple[Found, ...]:
        raise ZeroDivisionError


def test_a_rule_that_raises_ends_the_check() -> None:
    with pytest.raises(ZeroDivisionError):
        decide(a_message_to(), (a_rule(Broken()), CONSENT))


def test_rules_bind_by_place_and_leave_others_alone() -> None:
    elsewhere = a_rule(Consent(routes=()), binds=Binds(recipient=frozenset({"XB"})))
    assert decide(a_message_to(), (elsewhere,)).verdict is Verdict.ALLOW
    either = a_rule(Consent(routes=()), binds=Binds(either=frozenset({"XA"})))
    assert decide(a_message_to(), (either,)).verdict is Verdict.DENY


def _in_order(*facts: Facts, rules: Sequence[Rule] = (CONSENT, HOURS, CAP)) -> list[Verdict]:
    """Decide as one batch, each of whose messages holds a place for ten minutes."""
    held = timedelta(minutes=10)
    spans = [Span(one.message.send_at, one.message.send_at + held) for one in facts]
    decided = decide_in_order(facts, spans, partial(decide_each, rules=rules))
    return [decision.verdict for _, decision in decided]


def test_an_allowed_message_holds_its_place_for_the_same_person_only() -> None:
    one, other = a_message_to(a_grant()), a_message_to(a_grant(), key="2")
    allow, defer = Verdict.ALLOW, Verdict.DEFER
    assert _in_order(one, other, one, one, other) == [allow, allow, allow, defer, allow]


def test_a_denied_message_holds_no_place() -> None:
    denied, one = a_message_to(), a_message_to(a_grant())
    assert _in_order(denied, denied, one, one)[2:] == [Verdict.ALLOW, Verdict.ALLOW]


@pytest.mark.parametrize(("minutes", "verdict"), [(9, Verdict.DEFER), (10, Verdict.ALLOW)])
def test_a_place_is_held_for_ten_minutes(minutes: int, verdict: Verdict) -> None:
    once = a_rule(FrequencyCap(limit=1, hours=24))
    first = a_message_to()
    later = a_message_to(send_at=NOON + timedelta(minutes=minutes))
    assert _in_order(first, later, rules=(once,))[1] is verdict


def test_a_place_is_held_no_longer_than_the_message_may_go() -> None:
    once = a_rule(FrequencyCap(limit=1, hours=24))
    expires = a_grant(expires_at=NOON + timedelta(minutes=5))
    lasts = a_grant()
    first = a_message_to(expires)
    later = a_message_to(lasts, send_at=NOON + timedelta(minutes=5))
    assert _in_order(first, later, rules=(CONSENT, once))[1] is Verdict.ALLOW
