"""Kinds that look at the person: age, registers, numbers that changed hands, transfers abroad."""

from datetime import date

import pytest

from rules.engine import decide
from rules.facts import RegistryEntry
from rules.kinds.consent import Consent, GrantRoute, OpenRoute
from rules.kinds.cross_border import CrossBorder
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.registers import Age, RegisterTest
from rules.kinds.registry_listing import NumberReassignment, RegistryListing
from rules.rule import Terms
from rules.vocabulary import Level, Quality, ReasonCode
from tests.support.law import a_grant, a_message_to, a_rule, codes_of

GUARDIAN = a_grant(qualities=frozenset({Quality.GUARDIAN}))
GRANTED = a_rule(Consent(routes=(GrantRoute(level=Level.EXPRESS),)))
OPEN = a_rule(Consent(routes=(OpenRoute(),)))


@pytest.mark.parametrize(("age", "is_minor"), [(12, True), (13, False), (None, False)])
def test_a_person_below_the_age_needs_a_guardian(age: int | None, is_minor: bool) -> None:
    terms = MinimumAge(age=13)
    assert codes_of(terms, a_message_to(a_grant(), age=age)) == (
        [ReasonCode.MINOR] if is_minor else []
    )
    assert codes_of(terms, a_message_to(GUARDIAN, age=age)) == []


def test_where_no_consent_helps_a_guardian_does_not_either() -> None:
    terms = MinimumAge(age=13, guardian_cures=False)
    assert codes_of(terms, a_message_to(GUARDIAN, age=12)) == [ReasonCode.MINOR]


def test_own_consent_only_spares_what_rests_on_nothing_of_the_childs() -> None:
    rule = a_rule(MinimumAge(age=13, own_consent_only=True))
    child = a_message_to(a_grant(), age=12)
    assert decide(child, (GRANTED, rule)).findings[0].code is ReasonCode.MINOR
    assert decide(child, (OPEN, rule)).findings == ()


def entry(*, listed: bool, as_of: date = date(2026, 3, 1)) -> RegistryEntry:
    return RegistryEntry(registry="xa-register", listed=listed, as_of=as_of)


@pytest.mark.parametrize(
    ("age", "last", "first_stale"),
    [
        (Age(days=31), date(2026, 1, 30), date(2026, 1, 29)),
        (Age(months=1), date(2026, 2, 2), date(2026, 2, 1)),
        (Age(same_month=True), date(2026, 3, 1), date(2026, 2, 28)),
        (
            Age(working_days=2, is_working_day=lambda day: day.weekday() < 5),
            date(2026, 2, 26),
            date(2026, 2, 25),
        ),
    ],
)
def test_a_copy_serves_through_its_last_day(age: Age, last: date, first_stale: date) -> None:
    terms = RegistryListing(register=RegisterTest(registry="xa-register", age=age))
    fresh = a_message_to(registries=(entry(listed=False, as_of=last),))
    stale = a_message_to(registries=(entry(listed=False, as_of=first_stale),))
    assert codes_of(terms, fresh) == []
    assert codes_of(terms, stale) == [ReasonCode.REGISTRY_STALE]


def test_a_register_that_is_not_loaded_is_stale_and_never_passed_over() -> None:
    terms = RegistryListing(register=RegisterTest(registry="xa-register"))
    assert codes_of(terms, a_message_to()) == [ReasonCode.REGISTRY_STALE]


@pytest.mark.parametrize(("approvals", "listed"), [(False, True), (True, False)])
def test_a_listing_bars_and_in_a_register_of_approvals_its_absence(
    approvals: bool, listed: bool
) -> None:
    test = RegisterTest(registry="xa-register", approvals=approvals)
    terms = RegistryListing(register=test)
    assert codes_of(terms, a_message_to(registries=(entry(listed=listed),))) == [
        ReasonCode.REGISTRY_LISTED
    ]
    assert codes_of(terms, a_message_to(registries=(entry(listed=not listed),))) == []


def test_a_grant_lifts_a_listing_where_the_law_says_so() -> None:
    test = RegisterTest(registry="xa-register")
    terms = RegistryListing(register=test, lifted_by=(GrantRoute(level=Level.EXPRESS),))
    listed = (entry(listed=True),)
    assert codes_of(terms, a_message_to(a_grant(), registries=listed)) == []
    assert codes_of(terms, a_message_to(registries=listed)) == [ReasonCode.REGISTRY_LISTED]


@pytest.mark.parametrize(("required", "codes"), [(False, []), (True, [ReasonCode.REGISTRY_STALE])])
def test_a_required_answer_has_to_be_there(required: bool, codes: list[ReasonCode]) -> None:
    assert (
        codes_of(NumberReassignment(registry="xa-register", required=required), a_message_to())
        == codes
    )


def test_a_number_that_changed_hands_takes_nothing_that_rests_on_its_former_holder() -> None:
    rule = a_rule(NumberReassignment(registry="xa-register"))
    facts = a_message_to(a_grant(), registries=(entry(listed=True),))
    assert decide(facts, (GRANTED, rule)).findings[0].code is ReasonCode.NUMBER_REASSIGNED
    assert decide(facts, (OPEN, rule)).findings == ()
    every: Terms = NumberReassignment(registry="xa-register", every_message=True)
    assert codes_of(every, facts) == [ReasonCode.NUMBER_REASSIGNED]


def test_a_transfer_abroad_needs_a_grant_that_covers_it() -> None:
    rule = a_rule(CrossBorder(qualities=frozenset({Quality.SEPARATE})))
    covering = frozenset({Quality.CROSS_BORDER})
    for qualities, codes in (
        (frozenset[Quality](), [ReasonCode.CROSS_BORDER_TRANSFER]),
        (covering, [ReasonCode.CONSENT_INSUFFICIENT]),
        (covering | {Quality.SEPARATE}, []),
    ):
        found = decide(a_message_to(a_grant(qualities=qualities)), (GRANTED, rule)).findings
        assert [finding.code for finding in found] == codes
    assert decide(a_message_to(a_grant()), (OPEN, rule)).findings == ()
