"""Consent: levels, scope, ends, opt-outs, erasure, and the one reason that tells most."""

from datetime import date

import pytest

from rules.facts import RegistryEntry
from rules.history import Event
from rules.kinds.consent import Consent, OptOutReach
from rules.kinds.registers import Age, RegisterTest
from rules.kinds.routes import GrantRoute, Lapse, OpenRoute, RelationRoute
from rules.periods import Period, Unit
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, ReasonCode
from tests.support.law import NOON, a_grant, a_message_to, an_event, at, codes_of

SIGNED = Consent(routes=(GrantRoute(level=Level.EXPRESS_WRITTEN),))
STOP = "2026-02-01T12:00:00-05:00"
AFTER = "2026-02-01T12:00:01-05:00"
REVOKE, SENT = EventKind.REVOKE, EventKind.SENT
MISSING, EXPIRED = ReasonCode.CONSENT_MISSING, ReasonCode.CONSENT_EXPIRED
REVOKED, WEAK = ReasonCode.CONSENT_REVOKED, ReasonCode.CONSENT_INSUFFICIENT
ELSEWHERE, ERASED = ReasonCode.CONSENT_OUT_OF_SCOPE, ReasonCode.ERASED


@pytest.mark.parametrize(
    ("history", "codes"),
    [
        ([], [MISSING]),
        ([a_grant()], []),
        ([a_grant(level=Level.EXPRESS)], [WEAK]),
        ([a_grant(level=None)], [WEAK]),
        ([a_grant(channel=Channel.EMAIL)], [ELSEWHERE]),
        ([a_grant(purpose=Purpose.SERVICE)], [ELSEWHERE]),
        ([a_grant(brand="Other")], [ELSEWHERE]),
        ([a_grant(brand="ACME")], []),
        ([a_grant("2026-03-02T12:00:01-05:00")], [MISSING]),
        ([a_grant("2026-03-02T12:00:00-05:00")], []),
        ([a_grant(expires_at=NOON)], [EXPIRED]),
        ([a_grant(expires_at=at("2026-03-02T12:00:01-05:00"))], []),
        ([a_grant(), an_event(REVOKE, STOP)], [REVOKED]),
        ([a_grant(), an_event(REVOKE, STOP, channel=Channel.EMAIL)], []),
        ([a_grant(), an_event(REVOKE, STOP, brand="Other")], []),
        ([a_grant(), an_event(REVOKE, STOP, purpose=Purpose.SERVICE)], []),
        ([a_grant(), an_event(EventKind.COMPLAINT, STOP)], [REVOKED]),
        ([a_grant(), an_event(REVOKE, STOP), a_grant(AFTER)], []),
        ([a_grant(), an_event(REVOKE, STOP), a_grant(STOP)], [REVOKED]),
        ([a_grant(), an_event(REVOKE, STOP), a_grant(AFTER, level=Level.EXPRESS)], [WEAK]),
        ([a_grant(), an_event(EventKind.ERASE, STOP)], [ERASED]),
        ([a_grant(), an_event(EventKind.ERASE, STOP), a_grant(AFTER)], []),
    ],
)
def test_the_reason_is_what_was_said_last(history: list[Event], codes: list[ReasonCode]) -> None:
    assert codes_of(SIGNED, a_message_to(*history)) == codes


def test_an_opt_out_that_names_no_purpose_stops_what_the_law_says() -> None:
    stopped = (a_grant(), an_event(REVOKE, STOP))
    one_time_code = a_message_to(*stopped, purpose=Purpose.AUTHENTICATION)
    assert codes_of(SIGNED, one_time_code) == []
    stops = Consent(routes=SIGNED.routes, reach=OptOutReach(unscoped_stops=True))
    assert codes_of(stops, one_time_code) == [REVOKED]
    spares = Consent(routes=SIGNED.routes, reach=OptOutReach(unscoped_stops=False))
    assert codes_of(spares, a_message_to(*stopped)) == []


@pytest.mark.parametrize(
    ("day", "codes"),
    [("2026-01-31T23:59:59-05:00", []), ("2026-02-01T00:00:00-05:00", [REVOKED])],
)
def test_from_its_day_on_one_opt_out_stops_all(day: str, codes: list[ReasonCode]) -> None:
    reach = OptOutReach(scoped_stops_all_from=date(2026, 2, 1))
    stopped = (a_grant(), an_event(REVOKE, day, purpose=Purpose.SERVICE))
    assert codes_of(Consent(routes=SIGNED.routes, reach=reach), a_message_to(*stopped)) == codes


def test_what_nothing_stops_goes_in_spite_of_opt_out_and_erasure() -> None:
    reach = OptOutReach(unstoppable=True)
    terms = Consent(routes=(OpenRoute(),), reach=reach)
    gone = (an_event(REVOKE, STOP), an_event(EventKind.ERASE, AFTER))
    assert codes_of(terms, a_message_to(*gone)) == []
    assert codes_of(Consent(routes=(OpenRoute(),)), a_message_to(*gone)) == [ERASED]


@pytest.mark.parametrize(
    ("send_at", "codes"),
    [("2026-07-05T23:59:59-04:00", []), ("2026-07-06T00:00:00-04:00", [EXPIRED])],
)
def test_a_grant_serves_through_the_same_date(send_at: str, codes: list[ReasonCode]) -> None:
    lapse = Lapse(after=Period(6, Unit.MONTHS))
    terms = Consent(routes=(GrantRoute(level=Level.EXPRESS, lapse=lapse),))
    assert codes_of(terms, a_message_to(a_grant(), send_at=at(send_at))) == codes


def test_a_confirm_renews_only_what_has_not_lapsed() -> None:
    lapse = Lapse(after=Period(1, Unit.MONTHS), renewable=True)
    terms = Consent(routes=(GrantRoute(level=Level.EXPRESS, lapse=lapse),))
    in_time = an_event(EventKind.CONFIRM, "2026-02-05T23:59:59-05:00")
    too_late = an_event(EventKind.CONFIRM, "2026-02-06T00:00:00-05:00")
    assert codes_of(terms, a_message_to(a_grant(), in_time)) == []
    assert codes_of(terms, a_message_to(a_grant(), too_late)) == [EXPIRED]


def test_a_double_opt_in_waits_for_its_answer() -> None:
    asked = a_grant(qualities=frozenset({Quality.DOUBLE_OPT_IN}), channel=Channel.SMS)
    assert codes_of(SIGNED, a_message_to(asked)) == [ReasonCode.CONSENT_UNCONFIRMED]
    assert codes_of(SIGNED, a_message_to(asked, an_event(EventKind.CONFIRM, STOP))) == []
    elsewhere = an_event(EventKind.CONFIRM, STOP, channel=Channel.EMAIL)
    assert codes_of(SIGNED, a_message_to(asked, elsewhere)) == [ReasonCode.CONSENT_UNCONFIRMED]


RELATION = RelationRoute(events=frozenset({EventKind.PURCHASE}), within=Period(1, Unit.MONTHS))


@pytest.mark.parametrize(
    ("day", "codes"),
    [
        ("2026-02-01T23:59:59-05:00", [MISSING]),
        ("2026-02-02T00:00:00-05:00", []),
        ("2026-03-02T12:00:00-05:00", []),
    ],
)
def test_a_sale_stands_in_for_consent_for_a_month(day: str, codes: list[ReasonCode]) -> None:
    terms = Consent(routes=(*SIGNED.routes, RELATION))
    assert codes_of(terms, a_message_to(an_event(EventKind.PURCHASE, day))) == codes


def test_an_opt_out_ends_a_relation_and_only_a_grant_begins_anew() -> None:
    terms = Consent(routes=(*SIGNED.routes, RELATION))
    sale = an_event(EventKind.PURCHASE, AFTER.replace("-02-01", "-02-20"))
    stop = an_event(REVOKE, STOP)
    assert codes_of(terms, a_message_to(stop, sale)) == [REVOKED]
    assert codes_of(terms, a_message_to(stop, sale, a_grant("2026-02-21T12:00:00-05:00"))) == []


@pytest.mark.parametrize(
    ("as_of", "listed", "codes"),
    [
        (date(2026, 1, 30), False, []),
        (date(2026, 1, 29), False, [ReasonCode.REGISTRY_STALE]),
        (date(2026, 2, 28), True, [ReasonCode.REGISTRY_LISTED]),
        (date(2026, 1, 29), True, [ReasonCode.REGISTRY_LISTED, ReasonCode.REGISTRY_STALE]),
    ],
)
def test_an_open_route_needs_a_fresh_register_without_the_address(
    as_of: date, listed: bool, codes: list[ReasonCode]
) -> None:
    test = RegisterTest(registry="xa-register", age=Age(days=31))
    entry = RegistryEntry(registry="xa-register", listed=listed, as_of=as_of)
    facts = a_message_to(registries=(entry,))
    assert codes_of(Consent(routes=(OpenRoute(register=test),)), facts) == codes


@pytest.mark.parametrize(
    ("minutes", "codes"),
    [("05:00", []), ("05:01", [REVOKED])],
)
def test_one_message_may_confirm_an_opt_out_just_made(
    minutes: str, codes: list[ReasonCode]
) -> None:
    terms = Consent(routes=SIGNED.routes, confirmation=Period(5, Unit.MINUTES))
    send_at = at(f"2026-02-01T12:{minutes}-05:00")
    stopped = (a_grant(), an_event(REVOKE, STOP))
    notice = a_message_to(*stopped, send_at=send_at, purpose=Purpose.SERVICE)
    assert codes_of(terms, notice) == codes
    confirmed = (*stopped, an_event(SENT, AFTER))
    again = a_message_to(*confirmed, send_at=send_at, purpose=Purpose.SERVICE)
    assert codes_of(terms, again) == [REVOKED]
    assert codes_of(terms, a_message_to(*stopped, send_at=send_at)) == [REVOKED]
    elsewhere = (a_grant(), an_event(REVOKE, STOP, elsewhere=True))
    at_another = a_message_to(*elsewhere, send_at=send_at, purpose=Purpose.SERVICE)
    assert codes_of(terms, at_another) == [REVOKED]


def test_a_double_opt_in_is_not_answered_from_elsewhere() -> None:
    asked = a_grant(qualities=frozenset({Quality.DOUBLE_OPT_IN}), channel=Channel.SMS)
    answered = an_event(EventKind.CONFIRM, STOP)
    assert codes_of(SIGNED, a_message_to(asked, answered)) == []
    there = an_event(EventKind.CONFIRM, STOP, elsewhere=True)
    assert codes_of(SIGNED, a_message_to(asked, there)) == [ReasonCode.CONSENT_UNCONFIRMED]
