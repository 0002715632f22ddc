"""Routes: what may stand for a person's will, and until when.

A consent rule lists the routes that the law accepts; other rules name the routes that lift
them ("not where the person agreed to night hours"). A route looks at the events since the
last erasure, and at what an opt-out has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rules.facts import Facts
from rules.history import Event, History, answers, is_confirmed, last_erasure
from rules.kinds.registers import RegisterTest
from rules.periods import Period, anniversary_of, lapse_of, local_dates
from rules.rule import Case, Found, Ground, Terms
from rules.vocabulary import (
    Channel,
    EventKind,
    Level,
    Purpose,
    Quality,
    ReasonCode,
    RecipientKind,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is being asked: the channels and purposes whose events speak to this message.

    ``purposes`` holds the message's own and any that the law treats like it.
    """

    brand: str
    channels: frozenset[Channel]
    purposes: frozenset[Purpose]

    def includes(self, event: Event) -> bool:
        """Tell whether the event names nothing that lies outside."""
        return (
            (event.channel is None or event.channel in self.channels)
            and (event.purpose is None or event.purpose in self.purposes)
            and event.names(self.brand)
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: a ground, or why not (``problem``), or nothing at all.

    ``register`` holds what a register has against a ground that would stand without it.
    """

    ground: Ground | None = None
    problem: ReasonCode | None = None
    event: Event | None = None
    register: tuple[Found, ...] = ()


NOTHING = Answer()


@dataclass(frozen=True, slots=True)
class Record:
    """A person's events as one question sees them.

    ``events`` are those since the last erasure, at or before the instant asked about.
    ``ended_at``: the instant of the last opt-out in scope, before the erasure or since, which
    ended all that came before.
    """

    events: tuple[Event, ...]
    ended_at: datetime | None = None

    @property
    def standing(self) -> tuple[Event, ...]:
        """Give the events that no opt-out has ended."""
        if self.ended_at is None:
            return self.events
        return tuple(event for event in self.events if event.at > self.ended_at)


def record_of(history: History, at: datetime) -> Record:
    """Give what counts at ``at``: everything since the last erasure."""
    events = history.until(at)
    erased = last_erasure(events)
    if erased is None:
        return Record(events)
    return Record(tuple(event for event in events if event.at > erased.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """How long a grant serves. ``renewable``: a later ``confirm`` starts a new period.

    ``day_before``: the last day is the one before the anniversary. ``unless_dated``: a
    grant that names its own end follows that instead.
    """

    after: Period
    renewable: bool = False
    day_before: bool = False
    unless_dated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRoute:
    """A grant of at least ``level``, with every one of ``qualities``.

    ``own_scope``: the grant must itself name the message's channel and purpose.
    """

    level: Level
    qualities: frozenset[Quality] = frozenset()
    lapse: Lapse | None = None
    own_scope: bool = False
    register: RegisterTest | None = None

    def answer(self, record: Record, scope: Scope, facts: Facts, at: datetime) -> Answer:
        """Look for the best grant in scope; the latest one that serves, if any does."""
        worst = NOTHING
        for grant in reversed(record.standing):
            if grant.event is not EventKind.GRANT or not scope.includes(grant):
                continue
            if self.own_scope and (grant.channel is None or grant.purpose is None):
                continue
            answer = self._weigh(grant, record, facts, at)
            if answer.ground is not None:
                return answer
            if worst is NOTHING or answer.register:
                worst = answer
        return worst

    def _weigh(self, grant: Event, record: Record, facts: Facts, at: datetime) -> Answer:
        until = self.until(grant, record, facts)
        if until is not None and until <= at:
            return Answer(problem=ReasonCode.CONSENT_EXPIRED, event=grant)
        if (grant.level or Level.IMPLIED) < self.level or not self.qualities <= grant.qualities:
            return Answer(problem=ReasonCode.CONSENT_INSUFFICIENT, event=grant)
        if not is_confirmed(grant, record.events, facts.sender.name):
            return Answer(problem=ReasonCode.CONSENT_UNCONFIRMED, event=grant)
        against = self.register.findings(facts, at, since=grant) if self.register else ()
        if against:
            return Answer(register=against, event=grant)
        return Answer(ground=Ground(grant, until))

    def until(self, grant: Event, record: Record, facts: Facts) -> datetime | None:
        """Give the instant from which the grant serves no more, or None."""
        ends = [] if grant.expires_at is None else [grant.expires_at]
        if self.lapse and not (self.lapse.unless_dated and grant.expires_at is not None):
            zones = facts.recipient.time_zones
            ending = anniversary_of if self.lapse.day_before else lapse_of
            end = ending(grant.at, self.lapse.after, zones)
            if self.lapse.renewable:
                for confirm in record.standing:
                    renews = answers(confirm, grant, facts.sender.name)
                    if renews and grant.at <= confirm.at < end:
                        end = ending(confirm.at, self.lapse.after, zones)
            ends.append(end)
        return min(ends, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationRoute:
    """A relation on record: a sale, a contract, an inquiry.

    ``within`` counts from the event, or from the end of a contract or membership that has
    ended; one that still runs counts however old it is, unless ``from_start``.
    ``running``: one that has ended serves no more. ``since``: only events of that local date
    or later. ``expires``: one that has run out gives ``consent_expired``, not nothing.
    ``used_within``: a message of this channel and purpose within that time keeps it alive,
    if it went to this address.
    """

    events: frozenset[EventKind]
    within: Period | None = None
    from_start: bool = False
    running: bool = False
    qualities: frozenset[Quality] = frozenset()
    since: date | None = None
    kinds: frozenset[RecipientKind] = frozenset()
    expires: bool = False
    used_within: Period | None = None
    register: RegisterTest | None = None

    def answer(self, record: Record, scope: Scope, facts: Facts, at: datetime) -> Answer:
        """Look for a relation that stands; the latest one, if any does."""
        if record.ended_at is not None:
            return NOTHING
        best = NOTHING
        if self.kinds and facts.recipient.kind not in self.kinds:
            return NOTHING
        for relation in reversed(record.standing):
            if not self._fits(relation, scope, facts):
                continue
            until = self.until(relation, record, scope, facts)
            if until is not None and until <= at:
                if best is NOTHING and self.expires:
                    best = Answer(problem=ReasonCode.CONSENT_EXPIRED, event=relation)
                continue
            against = self.register.findings(facts, at, since=None) if self.register else ()
            if not against:
                return Answer(ground=Ground(relation, until))
            best = Answer(register=against, event=relation)
        return best

    def _fits(self, relation: Event, scope: Scope, facts: Facts) -> bool:
        zones = facts.recipient.time_zones
        return (
            relation.event in self.events
            and relation.names(scope.brand)
            and self.qualities <= relation.qualities
            and (self.since is None or min(local_dates(relation.at, zones)) >= self.since)
        )

    def until(self, relation: Event, record: Record, scope: Scope, facts: Facts) -> datetime | None:
        """Give the instant from which the relation serves no more, or None."""
        zones = facts.recipient.time_zones
        if self.running:
            return relation.ends_at
        if self.within is None:
            return None
        lasting = relation.event in (EventKind.CONTRACT, EventKind.MEMBERSHIP)
        if lasting and not self.from_start:
            if relation.ends_at is None:
                return None
            return lapse_of(relation.ends_at, self.within, zones)
        until = lapse_of(relation.at, self.within, zones)
        if self.used_within is not None:
            for used in record.standing:
                went = used.event is EventKind.SENT and used.held_until is None
                kept = went and not used.elsewhere
                if kept and scope.includes(used) and relation.at <= used.at < until:
                    until = max(until, lapse_of(used.at, self.used_within, zones))
        return until


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute:
    """The law asks for nothing, or only that a register holds nothing against the address.

    ``mailboxes``: only where the part before the @ is one of these, a function and no person.
    """

    register: RegisterTest | None = None
    kinds: frozenset[RecipientKind] = frozenset()
    mailboxes: frozenset[str] = frozenset()

    def answer(self, record: Record, scope: Scope, facts: Facts, at: datetime) -> Answer:
        """Permit, unless an opt-out or the register stands against it."""
        if record.ended_at is not None:
            return NOTHING
        if self.kinds and facts.recipient.kind not in self.kinds:
            return NOTHING
        if self.mailboxes and (facts.recipient.local_part or "").casefold() not in self.mailboxes:
            return NOTHING
        against = self.register.findings(facts, at, since=None) if self.register else ()
        return Answer(register=against) if against else Answer(ground=Ground(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationRoute:
    """The one service message that confirms an opt-out at the same address and channel.

    ``within`` so long after it; a message of any other purpose confirms nothing.
    """

    within: Period

    def answer(self, record: Record, scope: Scope, facts: Facts, at: datetime) -> Answer:
        """Permit where an opt-out was just made and none of the kind was sent since."""
        message = facts.message
        if message.purpose is not Purpose.SERVICE:
            return NOTHING
        here = [
            event
            for event in record.events
            if event.channel in (None, message.channel) and event.names(scope.brand)
        ]
        opt_outs = [e.at for e in here if e.event is EventKind.REVOKE and not e.elsewhere]
        last = max(opt_outs, default=None)
        if last is None:
            return NOTHING
        # The last instant of the window is in it.
        until = lapse_of(last, self.within, facts.recipient.time_zones) + timedelta.resolution
        if until <= at:
            return NOTHING
        confirmed = any(
            event.event is EventKind.SENT
            and event.at >= last
            and event.purpose in (None, message.purpose)
            for event in here
        )
        return NOTHING if confirmed else Answer(ground=Ground(None, until))


Route = GrantRoute | RelationRoute | OpenRoute | ConfirmationRoute


def lift_of(routes: tuple[Route, ...], facts: Facts, at: datetime) -> Ground | None:
    """Give the longest lasting of what stands under ``routes``, so that the rule which names them
    does not apply; None where it does."""
    if not routes:
        return None
    message = facts.message
    scope = Scope(facts.sender.name, frozenset({message.channel}), frozenset({message.purpose}))
    ended = [
        event.at
        for event in facts.history.until(at)
        if event.event is EventKind.REVOKE and scope.includes(event)
    ]
    record = Record(record_of(facts.history, at).events, max(ended, default=None))
    answers = (route.answer(record, scope, facts, at) for route in routes)
    return longest([answer.ground for answer in answers if answer.ground is not None])


def lifted(routes: tuple[Route, ...], facts: Facts, at: datetime) -> bool:
    """Tell whether any of ``routes`` stands, so that the rule which names them does not apply."""
    return lift_of(routes, facts, at) is not None


def longest(grounds: Sequence[Ground]) -> Ground | None:
    """Give the ground that lasts longest, one that never lapses before all others."""
    best: Ground | None = None
    for ground in grounds:
        if ground.until is None:
            return ground
        if best is None or best.until is None or best.until < ground.until:
            best = ground
    return best


def spared_until(bare: Terms, routes: tuple[Route, ...], case: Case) -> datetime | None:
    """Give when what lifts a rule lapses. ``bare``: the same terms, which nothing lifts.

    None where nothing lifts it, or for ever, or it says nothing of the message anyway.
    """
    lift = lift_of(routes, case.facts, case.at)
    if lift is None or lift.until is None:
        return None
    return lift.until if bare.findings(case) or bare.obligations(case) else None
