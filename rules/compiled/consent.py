"""The kind ``consent``, held against one message: what is left is what the person said."""

from collections.abc import Sequence
from datetime import datetime

from rules.compiled.answers import refusing
from rules.compiled.person import Person
from rules.compiled.routes import (
    ConfirmationCheck,
    GrantCheck,
    RelationCheck,
    RouteCheck,
    Said,
    ScopeCheck,
    Standing,
    asks_register,
    checks_of,
)
from rules.decision import Finding
from rules.facts import Facts
from rules.history import STOPPED_BY_ANY_OPT_OUT, Event
from rules.kinds.consent import Consent, is_given
from rules.kinds.routes import ConfirmationRoute, GrantRoute, RelationRoute, Scope
from rules.periods import local_dates
from rules.rule import Case, Value
from rules.vocabulary import EventKind, Level, Purpose, ReasonCode

_COMPLAINT, _MARKETING, _IMPLIED = EventKind.COMPLAINT, Purpose.MARKETING, Level.IMPLIED
_REVOKED, _INSUFFICIENT = ReasonCode.CONSENT_REVOKED, ReasonCode.CONSENT_INSUFFICIENT
_NOTHING_STANDS: tuple[Standing, ...] = ()


class ConsentCheck:
    """One consent rule in force, for one message and its sender."""

    __slots__ = (
        "_checks",
        "_confirms",
        "_contracts_end",
        "_law",
        "_needed_word",
        "_only",
        "_registers",
        "_since",
        "_stoppable",
        "_terms",
        "_unscoped_stops",
        "_zones",
        "is_plain",
        "level_only",
        "missing",
        "needed",
        "relations_expire",
        "scope",
    )

    def __init__(self, law: Value, facts: Facts, at: datetime) -> None:
        terms = law.terms
        assert isinstance(terms, Consent)
        message = facts.message
        purposes = frozenset({message.purpose, terms.treated_as or message.purpose})
        scope = Scope(facts.sender.name, frozenset({message.channel}), purposes)
        self._law, self._terms = law, terms
        self.scope = ScopeCheck(scope, message.channel, message.purpose)
        self._checks = checks_of(terms.routes, self.scope, facts, at)
        self._only = _only_grant(self._checks)
        self._registers = any(map(asks_register, terms.routes))
        levels = [route.level for route in terms.routes if isinstance(route, GrantRoute)]
        self.needed = min(levels, default=Level.EXPRESS)
        self._needed_word = self.needed.word
        self.level_only = _is_level_alone(self._only)
        self._stoppable = not terms.reach.unstoppable
        stops = terms.reach.unscoped_stops
        self._unscoped_stops = message.purpose in STOPPED_BY_ANY_OPT_OUT if stops is None else stops
        self._since = terms.reach.scoped_stops_all_from
        self._contracts_end = terms.reach.ended_contract_stops
        self._confirms = terms.confirmation is not None or any(
            isinstance(route, ConfirmationRoute) for route in terms.routes
        )
        # Nothing but grants, and opt-outs that end them.
        self.is_plain = self.level_only and not (
            terms.reach.unstoppable
            or terms.reach.ended_contract_stops
            or self._confirms
            or self._registers
        )
        self._zones = facts.recipient.time_zones
        detail = (("needed", min(levels).word),) if levels else ()
        self.missing = (refusing(ReasonCode.CONSENT_MISSING, law.provision, detail),)
        self.relations_expire = any(
            isinstance(route, RelationRoute) and route.expires for route in terms.routes
        )

    def grounds(self, person: Person, facts: Facts, at: datetime) -> Sequence[Standing]:
        """Give everything that permits the message."""
        grants, relations = person.grants, person.relations
        said: Said = (person.events, None)
        if self._is_rare(person):
            return tuple((one.event, one.until) for one in self._terms.grounds(facts, at))
        if person.opt_outs and self._stoppable:
            ended = self.ended_at(person.opt_outs)
            if ended is not None:
                if not self._reopened(person, ended, at):
                    return _NOTHING_STANDS
                grants = tuple(grant for grant in grants if grant.at > ended)
                relations = tuple(relation for relation in relations if relation.at > ended)
                said = (tuple(event for event in person.events if event.at > ended), None)
        only = self._only
        if only is not None:
            found = only.ground(grants, said, facts, at) if grants else None
            return _NOTHING_STANDS if found is None else (found,)
        standing: list[Standing] = []
        for check in self._checks:
            if isinstance(check, GrantCheck):
                found = check.ground(grants, said, facts, at) if grants else None
            elif isinstance(check, RelationCheck):
                found = check.ground(relations, said, facts, at) if relations else None
            elif isinstance(check, ConfirmationCheck):
                continue
            else:
                found = check.ground(facts)
            if found is not None:
                standing.append(found)
        return standing

    def refusal(self, person: Person, facts: Facts, at: datetime) -> tuple[Finding, ...]:
        """Give why nothing permits the message."""
        if self._registers or self._is_rare(person):
            return self._by_reference(facts, at)
        grants, opt_outs = person.grants, person.opt_outs
        ended = self.ended_at(opt_outs) if opt_outs and self._stoppable else None
        if ended is not None:
            for grant in grants:
                if grant.at > ended:
                    return self._by_reference(facts, at)
            return self.revoked(ended)
        if not grants and not (person.relations and self.relations_expire):
            return self.missing
        if self.level_only and len(grants) == 1:
            return self.weak(grants[0], facts, at)
        return self._by_reference(facts, at)

    def _is_rare(self, person: Person) -> bool:
        """Tell whether the kind itself has to be asked."""
        return (
            person.erased
            or (self._confirms and bool(person.opt_outs))
            or (self._contracts_end and bool(person.relations))
        )

    def _by_reference(self, facts: Facts, at: datetime) -> tuple[Finding, ...]:
        found = self._terms.findings(Case(facts, at))
        return tuple(map(self._law.finding, found))

    def revoked(self, ended: datetime) -> tuple[Finding, ...]:
        """Say that an opt-out at that instant has ended what there was."""
        detail = (("at", ended.isoformat()),)
        return (refusing(_REVOKED, self._law.provision, detail),)

    def weak(self, grant: Event, facts: Facts, at: datetime) -> tuple[Finding, ...]:
        """Say that the person's one grant, which no opt-out ended, is of too low a level."""
        until = grant.expires_at
        expired = until is not None and until <= at
        strong = (grant.level or _IMPLIED) >= self.needed
        if expired or strong or not self.scope.includes(grant):
            return self._by_reference(facts, at)
        detail: list[tuple[str, str | int]] = [("at", grant.at.isoformat())]
        if grant.level is not None:
            detail.append(("level", grant.level.word))
        detail.append(("needed", self._needed_word))
        provision = self._law.provision
        return (refusing(_INSUFFICIENT, provision, tuple(detail)),)

    def ended_at(self, opt_outs: Sequence[Event]) -> datetime | None:
        """Give the instant of the last of these opt-outs that reaches the message."""
        ended = None
        for event in opt_outs:
            if (ended is None or event.at > ended) and self._ends(event):
                ended = event.at
        return ended

    def _ends(self, event: Event) -> bool:
        """Tell whether this opt-out reaches the message."""
        scope = self.scope
        if event.channel not in scope.channels or not scope.names(event):
            return False
        purpose = _MARKETING if event.event is _COMPLAINT else event.purpose
        if purpose is None:
            return self._unscoped_stops
        if purpose in scope.purposes:
            return True
        since = self._since
        return since is not None and any(day >= since for day in local_dates(event.at, self._zones))

    def _reopened(self, person: Person, ended: datetime, at: datetime) -> bool:
        """Tell whether a grant of the needed level stands since."""
        return any(
            grant.at > ended
            and (grant.level or _IMPLIED) >= self.needed
            and is_given(grant, person.events, self.scope.scope, at)
            for grant in person.grants
        )


def _only_grant(checks: tuple[RouteCheck, ...]) -> GrantCheck | None:
    """Give the one route, where it is a grant: what most marketing needs."""
    if len(checks) == 1 and isinstance(checks[0], GrantCheck):
        return checks[0]
    return None


def _is_level_alone(only: GrantCheck | None) -> bool:
    """Tell whether a grant in scope can only fall short by its level, or by its own end."""
    if only is None:
        return False
    route = only.route
    return not (route.own_scope or route.lapse or route.qualities)
