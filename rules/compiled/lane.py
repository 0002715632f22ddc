"""The short way for most people, where one plain grant is all that the law asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rules.compiled.answers import allowed, deferred, denied
from rules.compiled.consent import ConsentCheck
from rules.decision import Decision, Finding, Obligation
from rules.facts import Facts
from rules.history import Event, folded_brand
from rules.vocabulary import REVIEWED, EventKind, Level

_GRANT, _SENT, _IMPLIED = EventKind.GRANT, EventKind.SENT, Level.IMPLIED
_LONGER_WAY = frozenset({EventKind.ERASE, EventKind.CONFIRM}) | REVIEWED
_RARE = _LONGER_WAY | {EventKind.REVOKE, EventKind.COMPLAINT}
_NO_EVENTS: tuple[Event, ...] = ()


Lane = Callable[[Facts, datetime], Decision | None]
"""Decides on whoever has nothing out of the ordinary on record; None: go the longer way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    """What the short way has to know of one message and place.

    To be opened only where one consent rule asks for a grant of a level, no grant without
    qualities spares anybody anything, and what else stands against the message, ``findings``,
    only makes it wait until ``not_before``. ``closes_at``: when something would change.
    ``reassigned``: registers that must not list the number, and whether a copy is required.
    """

    consent: ConsentCheck
    findings: tuple[Finding, ...]
    not_before: datetime | None
    obligations: tuple[Obligation, ...]
    closes_at: datetime | None
    reassigned: tuple[tuple[str, bool], ...]
    oldest_minor: int
    sent_count_max: int


def lane_of(ordinary: Ordinary) -> Lane:  # noqa: C901
    """Make the short way. Whoever is out of the ordinary gets None."""
    scope, level = ordinary.consent.scope, ordinary.consent.needed
    brand, folded, channels, purposes = scope.brand, scope.folded, scope.channels, scope.purposes
    reassigned, oldest_minor = ordinary.reassigned, ordinary.oldest_minor
    sent_count_max, ended_at = ordinary.sent_count_max, ordinary.consent.ended_at
    permit, refuse = _permissions(ordinary), _refusals(ordinary)

    # A closure reads these names faster than an object its attributes, and calls cost most of
    # all: this is the one function of the project that is written for the machine.
    def decide(facts: Facts, at: datetime) -> Decision | None:  # noqa: C901
        serves: Event | None = None
        grants = opt_outs = _NO_EVENTS
        sent_count = 0
        for event in facts.history.events:
            kind = event.event
            if kind is _GRANT:
                # A double opt-in or a lifted rule may hang on a quality.
                if event.qualities:
                    return None
                grants = (*grants, event)
                named = event.brand
                if (
                    (event.level or _IMPLIED) >= level
                    and event.channel in channels
                    and event.purpose in purposes
                    and (event.expires_at is None or event.expires_at > at)
                    and (named is None or named == brand or folded_brand(named) == folded)
                ):
                    serves = event
            elif kind is _SENT:
                sent_count += 1
            elif kind in _RARE:
                if kind in _LONGER_WAY:
                    return None
                opt_outs = (*opt_outs, event)
            if event.at > at:
                return None
        recipient = facts.recipient
        if sent_count > sent_count_max or recipient.address_problem is not None:
            return None
        if facts.overdue_since is not None:
            return None
        if recipient.age is not None and recipient.age < oldest_minor:
            return None
        for registry, required in reassigned:
            entry = facts.registries.get(registry)
            if required if entry is None else entry.listed:
                return None
        ended = ended_at(opt_outs) if opt_outs else None
        if serves is None or (ended is not None and serves.at <= ended):
            return refuse(grants, ended, facts, at)
        return permit(serves)

    return decide


def _permissions(ordinary: Ordinary) -> Callable[[Event], Decision]:
    """Make what says that a grant serves, at once or when the hours open."""
    obligations, closes_at = ordinary.obligations, ordinary.closes_at
    findings, not_before = ordinary.findings, ordinary.not_before

    def permit(serves: Event) -> Decision:
        if not_before is not None:
            return deferred(findings, obligations, not_before, (serves,))
        until = serves.expires_at
        if until is None or (closes_at is not None and closes_at <= until):
            until = closes_at
        return allowed(obligations, until, (serves,))

    return permit


def _refusals(
    ordinary: Ordinary,
) -> Callable[[tuple[Event, ...], datetime | None, Facts, datetime], Decision | None]:
    """Make what says why no grant serves. Where the message waits too, the longer way says it."""
    consent, waits = ordinary.consent, bool(ordinary.findings)
    missing = denied(consent.missing)

    def refuse(
        grants: tuple[Event, ...], ended: datetime | None, facts: Facts, at: datetime
    ) -> Decision | None:
        if waits:
            return None
        if ended is not None:
            if any(grant.at > ended for grant in grants):
                return None
            return denied(consent.revoked(ended))
        if len(grants) == 1:
            return denied(consent.weak(grants[0], facts, at))
        return None if grants or consent.relations_expire else missing

    return refuse
