"""What one event is worth by itself under each law that binds."""

from datetime import date, datetime

import pytest

from rules.history import Event
from rules.kinds.consent import Consent, OptOutReach
from rules.kinds.cross_border import CrossBorder
from rules.kinds.duties import RecordKeeping
from rules.kinds.lacks import LackCode
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.registers import RegisterTest
from rules.kinds.routes import GrantRoute, Lapse, OpenRoute, RelationRoute
from rules.periods import Period, Unit
from rules.rule import Binds, Terms
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, ReasonCode, Via
from rules.worth import Assessment, UnderLaw, Worth, assess
from tests.support.law import NOON, a_grant, a_message_to, a_rule, an_event, at

WRITTEN = Consent(routes=(GrantRoute(level=Level.EXPRESS_WRITTEN),))
A_YEAR = Lapse(after=Period(12, Unit.MONTHS))


def assessed(event: Event, *terms: Terms, age: int | None = None) -> Assessment:
    rules = [a_rule(one, name=f"xa-rule-{place}") for place, one in enumerate(terms)]
    return assess(event, a_message_to(event, age=age), rules)


def under(event: Event, terms: Terms) -> UnderLaw:
    (law,) = assessed(event, terms).laws
    return law


def test_a_grant_that_does_permits_and_says_until_when() -> None:
    law = under(a_grant(), Consent(routes=(GrantRoute(level=Level.EXPRESS, lapse=A_YEAR),)))
    assert (law.worth, law.lacks, law.needed) == (Worth.PERMITS, (), "express")
    # A year after 5 January the day still counts.
    assert law.lapses_at == at("2027-01-06T00:00:00-05:00")
    assert under(a_grant(), WRITTEN).lapses_at is None


def test_the_route_that_comes_nearest_says_what_is_lacking() -> None:
    terms = Consent(
        routes=(
            GrantRoute(
                level=Level.EXPRESS_WRITTEN, qualities=frozenset({Quality.SEPARATE, Quality.NIGHT})
            ),
            GrantRoute(level=Level.EXPRESS, qualities=frozenset({Quality.DOUBLE_OPT_IN})),
        )
    )
    law = under(a_grant(level=Level.EXPRESS), terms)
    assert (law.worth, law.needed) == (Worth.FALLS_SHORT, "express")
    assert [(one.code, one.needed) for one in law.lacks] == [
        (LackCode.QUALITY_MISSING, "double_opt_in")
    ]


def test_of_routes_that_serve_the_one_that_lasts_longest_counts() -> None:
    asked = GrantRoute(level=Level.IMPLIED, register=RegisterTest(registry="xa-list"))
    terms = Consent(routes=(asked, GrantRoute(level=Level.EXPRESS, lapse=A_YEAR)))
    law = under(a_grant(), terms)
    assert (law.worth, law.registries) == (Worth.PERMITS, ())
    assert law.lapses_at is not None
    (register,) = assessed(a_grant(level=Level.IMPLIED), terms).laws
    assert (register.worth, register.registries) == (Worth.PERMITS, ("xa-list",))


def test_where_the_law_asks_for_nothing_nothing_is_lacking() -> None:
    open_to_all = Consent(routes=(OpenRoute(register=RegisterTest(registry="xa-list")),))
    law = under(a_grant(level=Level.IMPLIED), open_to_all)
    assert (law.worth, law.registries) == (Worth.NOT_NEEDED, ("xa-list",))


def test_an_event_that_the_law_does_not_take_is_worth_nothing() -> None:
    purchase = an_event(EventKind.PURCHASE, "2026-01-05T12:00:00-05:00")
    assert under(purchase, WRITTEN).worth is Worth.NOTHING
    sale = RelationRoute(
        events=frozenset({EventKind.PURCHASE}),
        within=Period(1, Unit.MONTHS),
        qualities=frozenset({Quality.OPT_OUT_OFFERED}),
        since=date(2026, 1, 6),
    )
    law = under(purchase, Consent(routes=(sale,)))
    assert [one.code for one in law.lacks] == [
        LackCode.QUALITY_MISSING,
        LackCode.BEFORE_THE_LAW,
        LackCode.LAPSED,
    ]


def test_a_contract_whose_end_is_an_opt_out_has_ended() -> None:
    contract = an_event(
        EventKind.CONTRACT, "2026-01-05T12:00:00-05:00", ends_at=at("2026-02-01T12:00:00-05:00")
    )
    route = RelationRoute(events=frozenset({EventKind.CONTRACT}), within=Period(6, Unit.MONTHS))
    assert under(contract, Consent(routes=(route,))).worth is Worth.PERMITS
    ending = OptOutReach(ended_contract_stops=True)
    law = under(contract, Consent(routes=(route,), reach=ending))
    assert (law.worth, [one.code for one in law.lacks]) == (Worth.FALLS_SHORT, [LackCode.ENDED])


@pytest.mark.parametrize(
    ("purpose", "reach", "worth"),
    [
        (None, OptOutReach(), Worth.STOPS),
        (Purpose.MARKETING, OptOutReach(), Worth.STOPS),
        (Purpose.SERVICE, OptOutReach(), Worth.NOTHING),
        (None, OptOutReach(unscoped_stops=False), Worth.NOTHING),
        (None, OptOutReach(unstoppable=True), Worth.NOTHING),
    ],
)
def test_an_opt_out_stops_what_the_law_says(
    purpose: Purpose | None, reach: OptOutReach, worth: Worth
) -> None:
    revoke = an_event(
        EventKind.REVOKE, "2026-01-05T12:00:00-05:00", purpose=purpose, via=Via.KEYWORD
    )
    terms = Consent(routes=(GrantRoute(level=Level.EXPRESS),), reach=reach)
    assert under(revoke, terms).worth is worth


def test_ages_transfers_and_records_are_told_beside_it() -> None:
    child = MinimumAge(age=16)
    found = assessed(a_grant(), WRITTEN, child, CrossBorder(), RecordKeeping(months=36), age=12)
    assert [one.code for one in found.findings] == [
        ReasonCode.MINOR,
        ReasonCode.CROSS_BORDER_TRANSFER,
    ]
    assert [months for _, months in found.keep] == [36]
    assert len(found.laws) == 1


def test_a_law_that_does_not_bind_says_nothing() -> None:
    voice = a_rule(WRITTEN, binds=Binds(channels=frozenset({Channel.VOICE})))
    assert assess(a_grant(), a_message_to(a_grant()), [voice]).laws == ()


def test_the_law_of_the_day_is_asked() -> None:
    changing = a_rule(
        Consent(routes=(GrantRoute(level=Level.IMPLIED),)), WRITTEN, since=(date(2026, 3, 2),)
    )
    grant = a_grant(level=Level.EXPRESS)
    before = a_message_to(grant, send_at=datetime.fromisoformat("2026-03-01T12:00:00-05:00"))
    told = [
        assess(grant, facts, [changing]).laws[0].worth for facts in (before, a_message_to(grant))
    ]
    assert told == [Worth.PERMITS, Worth.FALLS_SHORT]
    assert NOON.date() == date(2026, 3, 2)
