"""What the law wants kept of decisions: the longest duty that binds what was decided in a month.

Duties are data (rules of the kind ``record_keeping``). Which of them bind is told by the facts of
each decision, as they bound the message itself; a decision that cannot be read is not let go.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from audit import decisions
from audit.decisions import RecordedDecision
from consent import retention
from consent.keys.key_ring import KeyRing
from jurisdictions.releases import Release
from rules.decision import Provision
from rules.facts import Facts
from rules.kinds.duties import RecordKeeping
from rules.rule import Rule

LOOKED_AT_ONCE = 4 * decisions.DECISIONS_AT_ONCE


@dataclass(frozen=True, slots=True)
class Duty:
    """For how many months something has to be kept, and who says so; 0: nobody names a number."""

    months: int
    provision: Provision | None = None


NO_DUTY = Duty(0)


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a month has been looked through: what is left of its part of the log.

    ``longest``: of the duties met so far. ``unreadable``: decisions that do not open.
    """

    start: int
    end: int
    longest: Duty = NO_DUTY
    count: int = 0
    unreadable: int = 0


class Duties:
    """The duties of a release, by what they bind. Safe to share."""

    def __init__(self, release: Release) -> None:
        self._rules: tuple[Rule, ...] = tuple(
            rule
            for rule in release.rules
            if any(isinstance(value.terms, RecordKeeping) for value in rule.values)
        )
        self._known: dict[object, Duty] = {}

    @property
    def longest(self) -> Duty:
        """The longest of all of them, whomever they bind."""
        every = (
            Duty(value.terms.months or 0, value.provision)
            for rule in self._rules
            for value in rule.values
            if isinstance(value.terms, RecordKeeping)
        )
        return max(every, key=_months, default=NO_DUTY)

    def of(self, facts: Facts, now: datetime) -> Duty:
        """The longest duty on this message: by the law of its day, or by that of today."""
        message, to = facts.message, facts.recipient
        key = (
            to.jurisdictions,
            facts.sender.jurisdictions,
            message.channel,
            message.purpose,
            to.kind,
            to.number_type,
            message.automated,
            message.send_at.date(),
            to.time_zones,
            now.date(),
        )
        duty = self._known.get(key)
        if duty is None:
            if len(self._known) >= 65_536:
                self._known.clear()
            duty = self._known[key] = max(self._binding(facts, now), key=_months, default=NO_DUTY)
        return duty

    def _binding(self, facts: Facts, now: datetime) -> Iterable[Duty]:
        for rule in self._rules:
            if not rule.binds.match(facts):
                continue
            then = rule.in_force(facts, facts.message.send_at)
            for value in (*then, *rule.in_force(facts, now)):
                if isinstance(value.terms, RecordKeeping):
                    yield Duty(value.terms.months or 0, value.provision)


def nothing_looked_at(connection: Connection, organisation: str, month: int) -> Looked:
    """Where to begin with a month."""
    since, until = retention.start_of(month), retention.end_of(month)
    return Looked(*decisions.span_of(connection, organisation, since=since, until=until))


def look_through(
    connection: Connection,
    organisation: str,
    looked: Looked,
    *,
    keys: KeyRing,
    duties: Duties,
    now: datetime,
) -> Looked:
    """Look through some more decisions of a month, some thousand at once."""
    stop = min(looked.end, looked.start + LOOKED_AT_ONCE)
    longest, count, unreadable = looked.longest, looked.count, looked.unreadable
    for part in decisions.walk(connection, organisation, looked.start, stop, keys=keys):
        for _, one in part:
            count += 1
            if isinstance(one, RecordedDecision):
                longest = max(longest, duties.of(one.opened.facts, now), key=_months)
            else:
                unreadable += 1
    return Looked(stop, looked.end, longest, count, unreadable)


def _months(duty: Duty) -> int:
    return duty.months
