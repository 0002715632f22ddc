"""What an event lacks by a route: nothing exactly where the route takes it, and every shortfall."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts import Facts
from rules.history import Event, History
from rules.kinds.lacks import Lack, LackCode, lacks_of_grant, lacks_of_relation
from rules.kinds.routes import GrantRoute, Lapse, RelationRoute, Route, Scope, record_of
from rules.periods import Period, Unit
from rules.vocabulary import RELATIONS, Channel, EventKind, Level, Purpose, Quality
from tests.support.law import NOON, a_grant, a_message_to
from tests.support.law_strategies import routes
from tests.support.strategies import events, messages, recipients, senders

KINDS = (*[EventKind.GRANT] * 4, *sorted(RELATIONS))


def _taken(event: Event, kind: EventKind, *, wide: bool, asked: bool) -> History:
    """The event as one of a kind that routes take: of every scope, asked for a double opt-in."""
    if wide:
        event = replace(event, channel=None, purpose=None, brand=None)
    if asked:
        event = replace(event, qualities=event.qualities | {Quality.DOUBLE_OPT_IN})
    return History((replace(event, event=kind),))


def scope_of(facts: Facts) -> Scope:
    message = facts.message
    return Scope(facts.sender.name, frozenset({message.channel}), frozenset({message.purpose}))


def lacks_of(route: Route, event: Event, facts: Facts) -> tuple[Lack, ...] | None:
    """None: the route takes no event of that kind."""
    record, scope = record_of(facts.history, facts.message.send_at), scope_of(facts)
    if isinstance(route, GrantRoute) and event.event is EventKind.GRANT:
        return lacks_of_grant(route, event, record, scope, facts)
    if isinstance(route, RelationRoute) and event.event in route.events:
        return lacks_of_relation(route, event, record, scope, facts)
    return None


@settings(max_examples=400, deadline=None)
@given(
    st.builds(
        Facts,
        sender=senders(),
        recipient=recipients(),
        message=messages(),
        history=st.builds(
            _taken,
            events(),
            st.sampled_from(KINDS),
            wide=st.booleans(),
            asked=st.sampled_from((False, False, True)),
        ),
    ),
    routes(),
)
def test_nothing_is_lacking_exactly_where_the_route_permits(facts: Facts, route: Route) -> None:
    (event,) = facts.history.events
    if event.at > facts.message.send_at or not isinstance(route, GrantRoute | RelationRoute):
        return
    plain = replace(route, register=None)
    at = facts.message.send_at
    answer = plain.answer(record_of(facts.history, at), scope_of(facts), facts, at)
    permits = answer.ground is not None and answer.ground.event == event
    assert permits == (lacks_of(plain, event, facts) == ())


def test_every_shortfall_is_named_at_once() -> None:
    grant = a_grant(
        level=Level.IMPLIED, brand="Other", qualities=frozenset({Quality.DOUBLE_OPT_IN})
    )
    route = GrantRoute(
        level=Level.EXPRESS,
        qualities=frozenset({Quality.SEPARATE, Quality.NIGHT}),
        lapse=Lapse(after=Period(1, Unit.DAYS)),
        own_scope=True,
    )
    lacks = lacks_of(route, grant, a_message_to(grant))
    assert lacks is not None
    assert [(one.code, one.needed) for one in lacks] == [
        (LackCode.LEVEL_TOO_LOW, "express"),
        (LackCode.QUALITY_MISSING, "night"),
        (LackCode.QUALITY_MISSING, "separate"),
        (LackCode.OTHER_SCOPE, None),
        (LackCode.SCOPE_NOT_NAMED, "channel"),
        (LackCode.SCOPE_NOT_NAMED, "purpose"),
        (LackCode.UNCONFIRMED, "confirm"),
        (LackCode.LAPSED, None),
    ]


def test_a_lapse_has_its_two_sides() -> None:
    day = Period(1, Unit.HOURS)
    route = GrantRoute(level=Level.EXPRESS, lapse=Lapse(after=day))
    at_the_end = a_grant("2026-03-02T11:00:00-05:00", channel=Channel.SMS)
    before = a_grant("2026-03-02T11:00:01-05:00", channel=Channel.SMS, purpose=Purpose.MARKETING)
    assert lacks_of(route, before, a_message_to(before, send_at=NOON)) == ()
    (lack,) = lacks_of(route, at_the_end, a_message_to(at_the_end, send_at=NOON)) or ()
    assert lack.code is LackCode.LAPSED
