"""What every rule is: whom it binds, what it says since when, and what its kind offers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar

from rules.decision import Detail, Finding, Obligation, Provision
from rules.facts import Facts, Recipient
from rules.history import Event
from rules.periods import local_dates, start_of
from rules.vocabulary import (
    Channel,
    NumberType,
    ObligationCode,
    Purpose,
    ReasonCode,
    RecipientKind,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What permits a message under one consent rule.

    ``event`` is the grant or the relation, None where the law asks for nothing.
    ``until``: the instant from which it no longer permits, or None.
    """

    event: Event | None
    until: datetime | None = None


Grounds = tuple[tuple[Ground, ...], ...]
"""For each consent rule that binds, every ground that it accepts; an empty one refuses."""


def outlasted_at(grounds: tuple[Ground, ...], spares: Callable[[Ground], bool]) -> datetime | None:
    """Give when the last ground that ``spares`` lapses, and leaves others that do not; None where
    there are none such, or it never lapses."""
    sparing = [ground.until for ground in grounds if spares(ground)]
    if not sparing or len(sparing) == len(grounds) or None in sparing:
        return None
    return max(until for until in sparing if until is not None)


@dataclass(frozen=True, slots=True)
class Case:
    """The facts of one message, held against the law at one instant.

    ``is_answered``: a consent rule of the recipient's own place is in force.
    """

    facts: Facts
    at: datetime
    grounds: Grounds = ()
    is_answered: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What terms have against a message; the rule adds its provision."""

    effect: Verdict
    code: ReasonCode
    until: datetime | None = None
    detail: Detail = ()


@dataclass(frozen=True, slots=True)
class Owed:
    """What terms ask of a permitted message; the rule adds its provision."""

    code: ObligationCode
    detail: Detail = ()


class Terms:
    """What a rule of some kind says during one stretch of time. Kinds override what applies."""

    waits: ClassVar[bool] = False
    """True for kinds whose findings waiting cures."""

    def grounds(self, facts: Facts, at: datetime) -> tuple[Ground, ...] | None:
        """Give what permits the message, or None if this is no consent rule."""
        return None

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give what stands against the message at ``case.at``."""
        return ()

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give what the message must carry, or its sender do, if it is permitted."""
        return ()

    def next_permitted(self, case: Case) -> datetime | None:
        """Give the first instant from ``case.at`` on that these terms permit, or None."""
        return case.at

    def permitted_until(self, case: Case) -> datetime | None:
        """Give the instant from which terms that permit ``case.at`` permit no more, or None."""
        return None


ANYWHERE = "*"
"""The jurisdiction of the rules that bind every message."""

SINCE_EVER = date(1970, 1, 1)
"""The first day of what no law had to bring into force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binds:
    """Which messages a rule binds; an empty set or None leaves that point open.

    ``recipient`` and ``sender`` name jurisdictions, both must hold; ``either`` is satisfied
    by the place of the recipient or of the sender.
    """

    recipient: frozenset[str] = frozenset()
    recipient_not: frozenset[str] = frozenset()
    sender: frozenset[str] = frozenset()
    sender_not: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    channels: frozenset[Channel] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    kinds: frozenset[RecipientKind] = frozenset()
    number_types: frozenset[NumberType] = frozenset()
    automated: bool | None = None

    def match(self, facts: Facts) -> bool:
        """Tell whether the rule binds this message."""
        message, recipient = facts.message, facts.recipient
        return (
            (not self.channels or message.channel in self.channels)
            and (not self.purposes or message.purpose in self.purposes)
            and (self.automated is None or message.automated is self.automated)
            and (not self.kinds or recipient.kind in self.kinds)
            and (not self.number_types or recipient.number_type in self.number_types)
            and self._match_places(recipient.jurisdictions, facts.sender.jurisdictions)
        )

    def follows(self, recipient: Recipient) -> bool:
        """Tell whether a rule that binds a message to them does so by the place where they are."""
        return bool(self.recipient) or not self.either.isdisjoint(recipient.jurisdictions)

    def _match_places(self, recipient: tuple[str, ...], sender: tuple[str, ...]) -> bool:
        return (
            (not self.recipient or not self.recipient.isdisjoint(recipient))
            and (not self.sender or not self.sender.isdisjoint(sender))
            and (
                not self.either
                or not self.either.isdisjoint(recipient)
                or not self.either.isdisjoint(sender)
            )
            and self.recipient_not.isdisjoint(recipient)
            and self.sender_not.isdisjoint(sender)
        )


@dataclass(frozen=True, slots=True)
class Value:
    """What a rule says from ``provision.in_force_from`` until the day before ``until``."""

    terms: Terms
    provision: Provision
    until: date | None = None

    def in_force(self, day: date) -> bool:
        """Tell whether it is the law on ``day``."""
        return self.provision.in_force_from <= day and (self.until is None or day < self.until)

    def finding(self, found: Found) -> Finding:
        """Name the provision behind what the terms found."""
        return Finding(found.effect, found.code, self.provision, found.until, found.detail)

    def obligation(self, owed: Owed) -> Obligation:
        """Name the provision behind what the terms ask."""
        return Obligation(owed.code, self.provision, owed.detail)


@dataclass(frozen=True, slots=True)
class Rule:
    """One testable requirement of a regulation, of one kind, over time.

    ``values`` are in order of their first day and do not overlap.
    """

    id: str
    kind: str
    summary: str
    binds: Binds
    values: tuple[Value, ...]
    waits: bool = field(default=False)

    def in_force(self, facts: Facts, at: datetime) -> tuple[Value, ...]:
        """Give what the rule says at ``at`` on the recipient's calendar.

        Where several dates are possible, all that is in force on any of them counts.
        """
        days = local_dates(at, facts.recipient.time_zones)
        return tuple(v for v in self.values if any(v.in_force(day) for day in days))

    def next_change(self, facts: Facts, at: datetime) -> datetime | None:
        """Give the first instant after ``at`` at which the rule may say something else."""
        # Only days to come: the first day of all has no start in a zone east of Greenwich.
        changes = (
            start_of(day, zone)
            for zone in facts.recipient.time_zones
            for day in self.change_days()
            if day > at.astimezone(zone).date()
        )
        return min(changes, default=None)

    def change_days(self) -> tuple[date, ...]:
        """Give every day from which the rule may say something else than the day before."""
        days = [v.provision.in_force_from for v in self.values]
        return (*days, *(v.until for v in self.values if v.until is not None))

    def next_permitted(self, case: Case) -> datetime | None:
        """Give the next instant worth asking about: permitted by the terms, or a change of law."""
        later = case.at
        for value in self.in_force(case.facts, case.at):
            permitted = value.terms.next_permitted(case)
            if permitted is None:
                return self.next_change(case.facts, case.at)
            later = max(later, permitted)
        change = self.next_change(case.facts, case.at)
        return later if change is None else min(later, change)
