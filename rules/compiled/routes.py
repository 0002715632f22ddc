"""The routes of ``rules/kinds/routes.py``, held against one message and one instant's date."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, tzinfo
from functools import lru_cache

from rules.compiled.person import Person
from rules.facts import Facts
from rules.history import Event, folded_brand, is_confirmed
from rules.kinds.registers import RegisterTest
from rules.kinds.routes import (
    ConfirmationRoute,
    GrantRoute,
    OpenRoute,
    Record,
    RelationRoute,
    Route,
    Scope,
    lift_of,
    record_of,
)
from rules.periods import FAR_OFF, Period, Unit, anniversary_of, lapse_of, local_dates
from rules.rule import Found
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality

Standing = tuple[Event | None, datetime | None]
"""A ground without its name: the event, if there is one, and the instant from which it lapses."""

Said = tuple[tuple[Event, ...], datetime | None]
"""A ``Record`` without its name: the events, and the instant of the opt-out that ended them."""

_SENT, _CONFIRM, _REVOKE = EventKind.SENT, EventKind.CONFIRM, EventKind.REVOKE
_IMPLIED = Level.IMPLIED
_DOUBLE = Quality.DOUBLE_OPT_IN


class ScopeCheck:
    """``Scope`` of one message, with everything that can be compared made ready."""

    __slots__ = ("brand", "channels", "folded", "purposes", "scope")

    def __init__(self, scope: Scope, channel: Channel, purpose: Purpose) -> None:
        self.scope = scope
        self.brand = scope.brand
        self.folded = folded_brand(scope.brand)
        # What is named most often stands first.
        self.channels: tuple[Channel | None, ...] = (channel, None)
        self.purposes: tuple[Purpose | None, ...] = (purpose, None, *(scope.purposes - {purpose}))

    def names(self, event: Event) -> bool:
        """Tell what ``Event.names`` tells of the sender's brand."""
        brand = event.brand
        return brand is None or brand == self.brand or folded_brand(brand) == self.folded

    def includes(self, event: Event) -> bool:
        """Tell what ``Scope.includes`` tells."""
        return (
            event.channel in self.channels and event.purpose in self.purposes and self.names(event)
        )


class RegisterCheck:
    """A register's test on one local date. What a copy of one day says is worked out once."""

    __slots__ = ("_absent", "_at", "_facts", "_known", "_test", "registry")

    def __init__(self, test: RegisterTest, facts: Facts, at: datetime) -> None:
        self.registry = test.registry
        self._test, self._facts, self._at = test, facts, at
        self._absent = test.findings(facts, at, since=None)
        self._known: dict[tuple[date, bool], tuple[Found, ...]] = {}

    def against(self, facts: Facts, since: Event | None = None) -> tuple[Found, ...]:
        """Give what the register has against the address: listed, stale, or both."""
        entry = facts.registries.get(self.registry)
        if entry is None:
            return self._absent
        key = (entry.as_of, entry.listed)
        found = self._known.get(key)
        if found is None:
            alone = {self.registry: entry}
            nobody = Facts(
                sender=self._facts.sender,
                recipient=self._facts.recipient,
                message=self._facts.message,
                registries=alone,
            )
            found = self._known[key] = self._test.findings(nobody, self._at, since=None)
        if found and since is not None and self._test.consent_after_entry:
            return self._test.findings(facts, self._at, since=since)
        return found


class GrantCheck:
    """``GrantRoute`` for one message: the latest grant that serves."""

    __slots__ = (
        "_brand",
        "_channels",
        "_folded",
        "_level",
        "_purposes",
        "_qualities",
        "_zones",
        "register",
        "route",
    )

    def __init__(self, route: GrantRoute, scope: ScopeCheck, facts: Facts, at: datetime) -> None:
        self.route = route
        self.register = RegisterCheck(route.register, facts, at) if route.register else None
        self._brand, self._folded = scope.brand, scope.folded
        self._channels, self._purposes = scope.channels, scope.purposes
        if route.own_scope:
            self._channels = tuple(channel for channel in scope.channels if channel is not None)
            self._purposes = tuple(purpose for purpose in scope.purposes if purpose is not None)
        self._level = route.level
        self._qualities = route.qualities
        self._zones = facts.recipient.time_zones

    def ground(
        self, grants: Sequence[Event], said: Said, facts: Facts, at: datetime
    ) -> Standing | None:
        """Give the best of ``grants``, those in ``said`` that no opt-out has ended."""
        for grant in reversed(grants):
            if grant.channel not in self._channels or grant.purpose not in self._purposes:
                continue
            brand = grant.brand
            if brand is not None and brand != self._brand and folded_brand(brand) != self._folded:
                continue
            if (grant.level or _IMPLIED) < self._level:
                continue
            qualities = grant.qualities
            if qualities is not self._qualities and not self._qualities <= qualities:
                continue
            until = grant.expires_at
            if self.route.lapse is not None:
                until = self._until(grant, said, facts)
            if until is not None and until <= at:
                continue
            if qualities and _DOUBLE in qualities and not is_confirmed(grant, said[0], self._brand):
                continue
            if self.register is not None and self.register.against(facts, grant):
                continue
            return grant, until
        return None

    def _until(self, grant: Event, said: Said, facts: Facts) -> datetime | None:
        lapse = self.route.lapse
        assert lapse is not None
        if lapse.unless_dated and grant.expires_at is not None:
            return grant.expires_at
        if lapse.renewable and any(event.event is _CONFIRM for event in said[0]):
            return self.route.until(grant, Record(*said), facts)
        end = lapse_on(grant.at, lapse.after, self._zones, day_before=lapse.day_before)
        return end if grant.expires_at is None else min(grant.expires_at, end)


class RelationCheck:
    """``RelationRoute`` for one message: the latest relation that stands."""

    __slots__ = ("_scope", "_zones", "register", "route")

    def __init__(self, route: RelationRoute, scope: ScopeCheck, facts: Facts, at: datetime) -> None:
        self.route = route
        self.register = RegisterCheck(route.register, facts, at) if route.register else None
        self._scope = scope
        self._zones = facts.recipient.time_zones

    def ground(
        self, relations: Sequence[Event], said: Said, facts: Facts, at: datetime
    ) -> Standing | None:
        """Give the best of ``relations``, those in ``said``; none serves under an opt-out."""
        route = self.route
        for relation in reversed(relations):
            if relation.event not in route.events or not self._scope.names(relation):
                continue
            if not route.qualities <= relation.qualities:
                continue
            if route.since is not None and (
                min(local_dates(relation.at, self._zones)) < route.since
            ):
                continue
            until = self._until(relation, said, facts)
            if until is not None and until <= at:
                continue
            if self.register is not None and self.register.against(facts):
                continue
            return relation, until
        return None

    def _until(self, relation: Event, said: Said, facts: Facts) -> datetime | None:
        route = self.route
        if route.running:
            return relation.ends_at
        if route.within is None:
            return None
        lasting = relation.event in (EventKind.CONTRACT, EventKind.MEMBERSHIP)
        if lasting and not route.from_start:
            if relation.ends_at is None:
                return None
            return lapse_on(relation.ends_at, route.within, self._zones)
        if route.used_within is not None and any(e.event is _SENT for e in said[0]):
            return route.until(relation, Record(*said), self._scope.scope, facts)
        return lapse_on(relation.at, route.within, self._zones)


class OpenCheck:
    """``OpenRoute`` for one message."""

    __slots__ = ("register", "route")

    def __init__(self, route: OpenRoute, facts: Facts, at: datetime) -> None:
        self.route = route
        self.register = RegisterCheck(route.register, facts, at) if route.register else None

    def ground(self, facts: Facts) -> Standing | None:
        """Permit, unless the register stands against it; none is asked where an opt-out stands."""
        boxes = self.route.mailboxes
        if boxes and (facts.recipient.local_part or "").casefold() not in boxes:
            return None
        if self.register is not None and self.register.against(facts):
            return None
        return None, None


class ConfirmationCheck:
    """``ConfirmationRoute`` for one message; somebody who made no opt-out has none to confirm."""

    __slots__ = ("_scope", "route")

    def __init__(self, route: ConfirmationRoute, scope: ScopeCheck) -> None:
        self.route = route
        self._scope = scope.scope

    def ground(self, facts: Facts, at: datetime) -> Standing | None:
        """Permit a message that may confirm an opt-out just made."""
        ground = self.route.answer(record_of(facts.history, at), self._scope, facts, at).ground
        return None if ground is None else (ground.event, ground.until)


RouteCheck = GrantCheck | RelationCheck | OpenCheck | ConfirmationCheck


def checks_of(
    routes: Sequence[Route], scope: ScopeCheck, facts: Facts, at: datetime
) -> tuple[RouteCheck, ...]:
    """Make the routes ready; those for another kind of recipient fall away."""
    checks: list[RouteCheck] = []
    for route in routes:
        match route:
            case GrantRoute():
                checks.append(GrantCheck(route, scope, facts, at))
            case RelationRoute():
                if not route.kinds or facts.recipient.kind in route.kinds:
                    checks.append(RelationCheck(route, scope, facts, at))
            case OpenRoute():
                if not route.kinds or facts.recipient.kind in route.kinds:
                    checks.append(OpenCheck(route, facts, at))
            case ConfirmationRoute():
                checks.append(ConfirmationCheck(route, scope))
    return tuple(checks)


def asks_register(route: Route) -> bool:
    """Tell whether a register has a say in this route."""
    return not isinstance(route, ConfirmationRoute) and route.register is not None


class LiftCheck:
    """``lift_of`` for one message and one tuple of routes.

    ``spares_the_unusual``: only a quality of a grant lifts it, or an opt-out to be confirmed.
    ``asks_register``: whether it stands may depend on the day.
    """

    __slots__ = ("_checks", "_scope", "asks_register", "confirms", "routes", "spares_the_unusual")

    def __init__(self, routes: tuple[Route, ...], facts: Facts, at: datetime) -> None:
        message = facts.message
        scope = Scope(facts.sender.name, frozenset({message.channel}), frozenset({message.purpose}))
        self.routes = routes
        self._scope = ScopeCheck(scope, message.channel, message.purpose)
        self._checks = checks_of(routes, self._scope, facts, at)
        self.confirms = any(isinstance(route, ConfirmationRoute) for route in routes)
        self.spares_the_unusual = all(
            isinstance(route, ConfirmationRoute)
            or (isinstance(route, GrantRoute) and bool(route.qualities))
            for route in routes
        )
        self.asks_register = any(asks_register(route) for route in routes)

    def lasting(self, person: Person, facts: Facts, at: datetime) -> Standing | None:
        """Give what stands longest of what the person has on record; None if no route stands."""
        if person.erased:
            lift = lift_of(self.routes, facts, at)
            return None if lift is None else (lift.event, lift.until)
        best: Standing | None = None
        for event, until in self._standing(person, facts, at):
            if until is None:
                return event, until
            if best is None or best[1] is None or best[1] < until:
                best = event, until
        return best

    def _standing(self, person: Person, facts: Facts, at: datetime) -> Iterator[Standing]:
        grants, relations = person.grants, person.relations
        ended = None
        for event in person.opt_outs:
            if event.event is _REVOKE and self._scope.includes(event):
                ended = event.at if ended is None else max(ended, event.at)
        if ended is not None:
            grants, relations = tuple(grant for grant in grants if grant.at > ended), ()
        said = (person.events, ended)
        for check in self._checks:
            if isinstance(check, GrantCheck):
                stands = check.ground(grants, said, facts, at) if grants else None
            elif isinstance(check, ConfirmationCheck):
                stands = check.ground(facts, at)
            elif isinstance(check, RelationCheck):
                stands = check.ground(relations, said, facts, at) if relations else None
            else:
                stands = check.ground(facts) if ended is None else None
            if stands is not None:
                yield stands


def lapse_on(
    since: datetime, period: Period, zones: tuple[tzinfo, ...], *, day_before: bool = False
) -> datetime:
    """Give what ``lapse_of`` or ``anniversary_of`` gives; each day is worked out once for all."""
    if period.unit in (Unit.MINUTES, Unit.HOURS) or since >= FAR_OFF:
        return (anniversary_of if day_before else lapse_of)(since, period, zones)
    if len(zones) == 1:
        return _lapse_of_day(since.astimezone(zones[0]).date(), period, zones[0], day_before)
    return min(
        _lapse_of_day(since.astimezone(zone).date(), period, zone, day_before) for zone in zones
    )


@lru_cache(maxsize=16384)
def _lapse_of_day(day: date, period: Period, zone: tzinfo, day_before: bool) -> datetime:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    return (anniversary_of if day_before else lapse_of)(noon, period, (zone,))
