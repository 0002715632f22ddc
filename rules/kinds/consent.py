"""Rule kind ``consent``: what a law accepts as leave to send, and what takes it away.

One rule holds all that a law says for its channels and purposes: the routes by which a
message may rest on something, and how far an opt-out or an erasure reaches. It gives the
reasons that a person would give, most telling first, not one for every route that failed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from rules.decision import Detail
from rules.facts import Facts
from rules.history import STOPPED_BY_ANY_OPT_OUT, Event, is_confirmed, last_erasure
from rules.kinds.routes import (
    Answer,
    ConfirmationRoute,
    GrantRoute,
    OpenRoute,
    Record,
    RelationRoute,
    Route,
    Scope,
    record_of,
)
from rules.periods import Period, local_dates
from rules.rule import Case, Found, Ground, Terms
from rules.vocabulary import RELATIONS, EventKind, Level, Purpose, ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutReach:
    """How far an opt-out reaches, and how long an erasure stands.

    ``ended_contract_stops``: the end of a contract is an opt-out.
    ``erased_until_granted``: after an erasure only a grant begins anew, a relation does not.
    ``unscoped_stops``: whether one that names no purpose stops this rule's messages; None
    leaves it to the purpose. ``scoped_stops_all_from``: an opt-out of that local date or
    later that names another purpose stops these messages too. ``unstoppable``: neither an
    opt-out nor an erasure stops them.
    """

    unscoped_stops: bool | None = None
    scoped_stops_all_from: date | None = None
    unstoppable: bool = False
    ended_contract_stops: bool = False
    erased_until_granted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(Terms):
    """``routes`` in order of preference; any one that stands permits.

    ``treated_as``: events for that purpose speak for this message as well.
    ``confirmation``: for that long after an opt-out on the same channel, one message that
    confirms it may go, whatever else stands.
    """

    routes: tuple[Route, ...]
    reach: OptOutReach = OptOutReach()
    treated_as: Purpose | None = None
    confirmation: Period | None = None

    def grounds(self, facts: Facts, at: datetime) -> tuple[Ground, ...]:
        """Give everything that permits the message under these terms."""
        confirming = self._confirming(facts, at)
        if confirming is not None:
            return (confirming,)
        record, scope = self.record(facts, at), self.scope(facts)
        if self._is_erased(record, facts, at):
            return ()
        answers = (route.answer(record, scope, facts, at) for route in self.routes)
        return tuple(answer.ground for answer in answers if answer.ground is not None)

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give why nothing permits the message; nothing if something does."""
        facts, at = case.facts, case.at
        if self.grounds(facts, at):
            return ()
        record, scope = self.record(facts, at), self.scope(facts)
        answers = [route.answer(record, scope, facts, at) for route in self.routes]
        register = _distinct(self._register_findings(record, scope, facts, at, answers))
        spoken = _distinct(self._spoken(record, scope, facts, at, answers))
        if spoken or register:
            return (*spoken, *register)
        return (self._unspoken(record, scope, answers),)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when the longest-lasting ground lapses."""
        ends = [ground.until for ground in self.grounds(case.facts, case.at)]
        return max((end for end in ends if end is not None), default=None) if all(ends) else None

    def _spoken(
        self, record: Record, scope: Scope, facts: Facts, at: datetime, answers: list[Answer]
    ) -> Iterator[Found]:
        """What was said: a grant that falls short, else an erasure or an opt-out, the later."""
        weak = [a for a, route in zip(answers, self.routes, strict=True) if _falls_short(a, route)]
        if weak:
            for answer in weak:
                assert answer.problem is not None
                yield _denied(answer.problem, self._detail_of(answer))
            return
        ended_at, erased = record.ended_at, last_erasure(facts.history.until(at))
        if erased is not None and not self._is_erased(record, facts, at):
            erased = None
        if erased is not None and (ended_at is None or ended_at <= erased.at):
            yield _denied(ReasonCode.ERASED, (("at", erased.at.isoformat()),))
        elif ended_at is not None:
            yield _denied(ReasonCode.CONSENT_REVOKED, (("at", ended_at.isoformat()),))

    def _unspoken(self, record: Record, scope: Scope, answers: list[Answer]) -> Found:
        """Nothing was said that reaches this message: a lapsed relation, another scope, nothing."""
        for answer in answers:
            if answer.problem is not None:
                return _denied(answer.problem, self._detail_of(answer))
        if any(_held_elsewhere(grant, record, scope) for grant in record.standing):
            return _denied(ReasonCode.CONSENT_OUT_OF_SCOPE)
        return _denied(ReasonCode.CONSENT_MISSING, self._needed())

    def _register_findings(
        self, record: Record, scope: Scope, facts: Facts, at: datetime, answers: list[Answer]
    ) -> Iterator[Found]:
        """What registers hold against routes that would else be open, opt-out or not."""
        if record.ended_at is not None:
            unended = Record(record.events)
            answers = [route.answer(unended, scope, facts, at) for route in self.routes]
        for answer in answers:
            for found in answer.register:
                approvals = ("approvals", 1) in found.detail
                if not (approvals and found.code is ReasonCode.REGISTRY_LISTED):
                    yield found

    def record(self, facts: Facts, at: datetime) -> Record:
        """Give the person's events as these terms see them, with what an opt-out has ended."""
        record = record_of(facts.history, at)
        if self.reach.unstoppable:
            return record
        # An erasure takes away what could permit a message, and never what was said against one.
        said = facts.history.until(at)
        ended = [event.at for event in said if self._ends(event, facts)]
        if self.reach.ended_contract_stops:
            ended += _ends_of_contracts(said, facts.sender.name, at)
        ended_at = max(ended, default=None)
        if ended_at is not None and self._reopened(record.events, ended_at, facts, at):
            return Record(tuple(event for event in record.events if event.at > ended_at))
        return Record(record.events, ended_at)

    def _reopened(
        self, events: tuple[Event, ...], ended_at: datetime, facts: Facts, at: datetime
    ) -> bool:
        """Tell whether a grant of the needed level stands since; nothing else re-opens."""
        levels = [route.level for route in self.routes if isinstance(route, GrantRoute)]
        needed = min(levels, default=Level.EXPRESS)
        scope = self.scope(facts)
        return any(
            event.at > ended_at
            and (event.level or Level.IMPLIED) >= needed
            and is_given(event, events, scope, at)
            for event in events
        )

    def _ends(self, event: Event, facts: Facts) -> bool:
        """Tell whether this event is an opt-out that reaches the message."""
        if event.event not in (EventKind.REVOKE, EventKind.COMPLAINT):
            return False
        message = facts.message
        if event.channel not in (None, message.channel) or not event.names(facts.sender.name):
            return False
        purpose = event.purpose
        if event.event is EventKind.COMPLAINT:
            purpose = Purpose.MARKETING
        if purpose is None:
            stops = self.reach.unscoped_stops
            return message.purpose in STOPPED_BY_ANY_OPT_OUT if stops is None else stops
        if purpose in self.scope(facts).purposes:
            return True
        since = self.reach.scoped_stops_all_from
        return since is not None and any(
            day >= since for day in local_dates(event.at, facts.recipient.time_zones)
        )

    def _is_erased(self, record: Record, facts: Facts, at: datetime) -> bool:
        """Tell whether an erasure stands, with nothing since that begins anew."""
        if self.reach.unstoppable or last_erasure(facts.history.until(at)) is None:
            return False
        by_relation = not self.reach.erased_until_granted
        return not _begun_anew(record.events, self.scope(facts), at, by_relation=by_relation)

    def _confirming(self, facts: Facts, at: datetime) -> Ground | None:
        """Give the ground of the one message that may confirm an opt-out just made."""
        if self.confirmation is None:
            return None
        route = ConfirmationRoute(within=self.confirmation)
        return route.answer(record_of(facts.history, at), self.scope(facts), facts, at).ground

    def is_ended_by(self, event: Event, facts: Facts) -> bool:
        """Tell whether this event is an opt-out that these terms heed."""
        return not self.reach.unstoppable and self._ends(event, facts)

    def scope(self, facts: Facts) -> Scope:
        """Give what events have to speak of to speak to this message."""
        purposes = {facts.message.purpose}
        if self.treated_as is not None:
            purposes.add(self.treated_as)
        return Scope(facts.sender.name, frozenset({facts.message.channel}), frozenset(purposes))

    def _needed(self) -> Detail:
        levels = [route.level for route in self.routes if isinstance(route, GrantRoute)]
        return (("needed", min(levels).word),) if levels else ()

    def _detail_of(self, answer: Answer) -> Detail:
        pairs: list[tuple[str, str | int]] = list(self._needed())
        if answer.event is not None:
            pairs.append(("at", answer.event.at.isoformat()))
            if answer.event.level is not None:
                pairs.append(("level", answer.event.level.word))
        return tuple(sorted(pairs))


def _ends_of_contracts(events: tuple[Event, ...], brand: str, at: datetime) -> list[datetime]:
    """Give when contracts with this brand ended, as far as that lies behind ``at``."""
    contracts = (e for e in events if e.event is EventKind.CONTRACT and e.names(brand))
    return [e.ends_at for e in contracts if e.ends_at is not None and e.ends_at <= at]


def _falls_short(answer: Answer, route: Route) -> bool:
    return answer.problem is not None and isinstance(route, GrantRoute)


def _begun_anew(
    events: tuple[Event, ...], scope: Scope, at: datetime, *, by_relation: bool
) -> bool:
    """Tell whether a grant in scope, or a relation with the brand, has come since the erasure."""
    return any(
        (by_relation and event.event in RELATIONS and event.names(scope.brand))
        or is_given(event, events, scope, at)
        for event in events
    )


def is_given(grant: Event, events: tuple[Event, ...], scope: Scope, at: datetime) -> bool:
    """Tell whether this is a grant in scope that was confirmed, if asked, and has not expired."""
    return (
        grant.event is EventKind.GRANT
        and scope.includes(grant)
        and (grant.expires_at is None or grant.expires_at > at)
        and is_confirmed(grant, events, scope.brand)
    )


def _held_elsewhere(grant: Event, record: Record, scope: Scope) -> bool:
    """Tell whether this is a grant for another channel, purpose or brand that still stands."""
    if grant.event is not EventKind.GRANT or scope.includes(grant):
        return False
    return not any(
        event.event is EventKind.REVOKE
        and event.at >= grant.at
        and event.channel in (None, grant.channel)
        and event.purpose in (None, grant.purpose)
        and (event.brand is None or event.names(grant.brand or scope.brand))
        for event in record.events
    )


def _denied(code: ReasonCode, detail: Detail = ()) -> Found:
    return Found(Verdict.DENY, code, detail=detail)


def _distinct(found: Iterator[Found]) -> tuple[Found, ...]:
    return tuple(dict.fromkeys(found))


__all__ = ["Consent", "GrantRoute", "OpenRoute", "OptOutReach", "RelationRoute"]
