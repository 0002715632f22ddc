"""What spares a message a rule may lapse, and no permission outlives it: on both sides of that."""

from datetime import date, time, timedelta

import pytest

from rules.decision import Decision
from rules.engine import decide_each
from rules.facts import Facts, RegistryEntry
from rules.history import Event
from rules.kinds.consent import Consent, GrantRoute, OpenRoute, RelationRoute
from rules.kinds.content import Contact, ContactItem, Identity, Label, OptOutNotice
from rules.kinds.cross_border import CrossBorder
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.registers import RegisterTest
from rules.kinds.registry_listing import RegistryListing
from rules.kinds.sending_hours import Day, SendingHours, Window
from rules.plan import compile_plan
from rules.rule import Rule, Terms
from rules.vocabulary import EventKind, Level, Quality, Verdict
from tests.support.law import NOON, a_grant, a_message_to, a_rule, an_event

SOON = NOON + timedelta(minutes=4)
MOMENT = timedelta(microseconds=1)
BY_GRANT = (GrantRoute(level=Level.EXPRESS_WRITTEN),)
AFTERNOON: Day = (Window(time(13), time(21)),)
MORNING: Day = (Window(time(8), time(12, 10)),)
LISTED = RegistryEntry(registry="xa-register", listed=True, as_of=date(2026, 3, 1))
REGISTER = RegisterTest(registry="xa-register")
ANYBODY = Consent(routes=(OpenRoute(),))


def decided(facts: Facts, *rules: Rule) -> Decision:
    """By the fast way, which says what the reference says."""
    decisions = compile_plan(rules).decide_many([facts])
    assert decisions == decide_each([facts], rules)
    return decisions[0]


def lapsing(*qualities: Quality) -> Event:
    """A grant that is older than others, and lapses soon."""
    return a_grant("2026-01-04T12:00:00-05:00", expires_at=SOON, qualities=frozenset(qualities))


@pytest.mark.parametrize(
    "terms",
    [
        SendingHours(week=(AFTERNOON,) * 7, lifted_by=BY_GRANT),
        RegistryListing(register=REGISTER, lifted_by=BY_GRANT),
        FrequencyCap(limit=1, hours=1, lifted_by=BY_GRANT),
        Identity(lifted_by=BY_GRANT),
        Label(labels=("[AD]",), lifted_by=BY_GRANT),
        OptOutNotice(words=("STOP",), lifted_by=BY_GRANT),
        Contact(needs=(frozenset({ContactItem.PHONE}),), lifted_by=BY_GRANT),
    ],
    ids=lambda terms: type(terms).__name__,
)
@pytest.mark.parametrize("text", ["Hello", None])
def test_a_permit_ends_with_what_lifts_a_rule_that_else_would_speak(
    terms: Terms, text: str | None
) -> None:
    sent = an_event(EventKind.SENT, "2026-03-02T11:30:00-05:00")
    facts = a_message_to(lapsing(), sent, text=text, registries=(LISTED,))
    rules = (a_rule(ANYBODY, name="xa-consent"), a_rule(terms))
    before = decided(facts, *rules)
    assert (before.verdict, before.permitted_until) == (Verdict.ALLOW, SOON)
    last = a_message_to(lapsing(), sent, text=text, registries=(LISTED,), send_at=SOON - MOMENT)
    assert decided(last, *rules).verdict is Verdict.ALLOW
    after = a_message_to(lapsing(), sent, text=text, registries=(LISTED,), send_at=SOON)
    then = decided(after, *rules)
    assert then.verdict is not Verdict.ALLOW or (then.obligations and not before.obligations)


@pytest.mark.parametrize(
    "terms",
    [
        RegistryListing(register=REGISTER, lifted_by=BY_GRANT),
        FrequencyCap(limit=1, hours=1, lifted_by=BY_GRANT),
        OptOutNotice(words=("STOP",), lifted_by=BY_GRANT),
    ],
    ids=lambda terms: type(terms).__name__,
)
def test_what_lifts_a_rule_that_has_nothing_to_say_ends_nothing(terms: Terms) -> None:
    free = RegistryEntry(registry="xa-register", listed=False, as_of=date(2026, 3, 1))
    facts = a_message_to(lapsing(), text="Hello, reply STOP", registries=(free,))
    assert decided(facts, a_rule(ANYBODY, name="xa-consent"), a_rule(terms)).permitted_until is None


def test_of_two_that_lift_a_rule_the_longer_counts() -> None:
    hours = SendingHours(
        week=(AFTERNOON,) * 7,
        lifted_by=(*BY_GRANT, RelationRoute(events=frozenset({EventKind.CONTRACT}))),
    )
    rules = (a_rule(ANYBODY, name="xa-consent"), a_rule(hours))
    later = SOON + timedelta(minutes=1)
    contract = an_event(EventKind.CONTRACT, "2026-01-05T12:00:00-05:00")
    assert decided(a_message_to(lapsing(), contract), *rules).permitted_until is None
    running = RelationRoute(events=frozenset({EventKind.CONTRACT}), running=True)
    hours = SendingHours(week=(AFTERNOON,) * 7, lifted_by=(*BY_GRANT, running))
    rules = (a_rule(ANYBODY, name="xa-consent"), a_rule(hours))
    contract = an_event(EventKind.CONTRACT, "2026-01-05T12:00:00-05:00", ends_at=later)
    assert decided(a_message_to(lapsing(), contract), *rules).permitted_until == later


def test_hours_that_are_open_anyway_close_in_their_time() -> None:
    hours = SendingHours(week=(MORNING,) * 7, lifted_by=BY_GRANT)
    rules = (a_rule(ANYBODY, name="xa-consent"), a_rule(hours))
    closes = NOON + timedelta(minutes=10)
    assert decided(a_message_to(lapsing()), *rules).permitted_until == closes
    longer = a_grant(expires_at=closes + MOMENT)
    assert decided(a_message_to(longer), *rules).permitted_until == closes + MOMENT


def test_a_childs_permit_ends_with_the_guardians_consent() -> None:
    guardians = lapsing(Quality.GUARDIAN)
    consent = a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS),)), name="xa-consent")
    age = a_rule(MinimumAge(age=16))
    facts = a_message_to(guardians, a_grant(), age=12)
    assert decided(facts, consent, age).permitted_until == SOON
    assert decided(a_message_to(guardians, a_grant(), age=17), consent, age).permitted_until is None
    own = a_rule(MinimumAge(age=16, own_consent_only=True, guardian_cures=False))
    bought = an_event(EventKind.CONTRACT, "2026-01-05T12:00:00-05:00", ends_at=SOON)
    either = Consent(
        routes=(
            GrantRoute(level=Level.EXPRESS),
            RelationRoute(events=frozenset({EventKind.CONTRACT}), running=True),
        )
    )
    facts = a_message_to(a_grant(), bought, age=12)
    assert decided(facts, a_rule(either, name="xa-consent"), own).permitted_until == SOON
    after = a_message_to(a_grant(), bought, age=12, send_at=SOON)
    assert decided(after, a_rule(either, name="xa-consent"), own).verdict is Verdict.DENY


def test_a_transfer_abroad_is_permitted_as_long_as_the_grant_that_covers_it() -> None:
    covering = lapsing(Quality.CROSS_BORDER)
    consent = a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS),)), name="xa-consent")
    transfer = a_rule(CrossBorder())
    facts = a_message_to(covering, a_grant())
    assert decided(facts, consent, transfer).permitted_until == SOON
    after = a_message_to(covering, a_grant(), send_at=SOON)
    assert decided(after, consent, transfer).verdict is Verdict.DENY
