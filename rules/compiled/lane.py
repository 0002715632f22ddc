"""The short way for most people, where one plain grant is all that the law asks for.

A closure reads names faster than an object its attributes, and calls cost most of all: ``decide``
in here is the one function of the project that is written for the machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.compiled.answers import deferred, denied
from rules.compiled.consent import ConsentCheck
from rules.decision import Decision, Finding, Obligation
from rules.facts import Facts
from rules.history import Event, folded_brand
from rules.vocabulary import REVIEWED, EventKind, Level, Verdict

_GRANT, _SENT, _IMPLIED = EventKind.GRANT, EventKind.SENT, Level.IMPLIED
_LONGER_WAY = frozenset({EventKind.ERASE, EventKind.CONFIRM}) | REVIEWED
_RARE = _LONGER_WAY | {EventKind.REVOKE, EventKind.COMPLAINT}
_NO_EVENTS: tuple[Event, ...] = ()
_ALLOW = Verdict.ALLOW
_new = tuple.__new__  # Takes the fields as they stand; a NamedTuple's own sorts keywords first.


Lane = Callable[[Facts, datetime], Decision | None]
"""Decides on whoever has nothing out of the ordinary on record; None: go the longer way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordinary:
    """What the short way has to know of one message and place.

    To be opened only where one consent rule asks for a grant of a level, no grant without
    qualities spares anybody anything, and what else stands against the message, ``findings``,
    only makes it wait until ``not_before``. ``closes_at``: when something would change.
    ``reassigned``: registers that must not list the number, and whether a copy is required.
    With more than ``sent_count_max`` messages in ``cap_span`` a cap may be full.
    """

    consent: ConsentCheck
    findings: tuple[Finding, ...]
    not_before: datetime | None
    obligations: tuple[Obligation, ...]
    closes_at: datetime | None
    reassigned: tuple[tuple[str, bool], ...]
    oldest_minor: int
    sent_count_max: int
    cap_span: timedelta


def lane_of(ordinary: Ordinary) -> Lane:  # noqa: C901
    """Make the short way. Whoever is out of the ordinary gets None."""
    scope, level = ordinary.consent.scope, ordinary.consent.needed
    brand, folded, channels, purposes = scope.brand, scope.folded, scope.channels, scope.purposes
    sent_count_max, ended_at = ordinary.sent_count_max, ordinary.consent.ended_at
    reassigned, oldest_minor = ordinary.reassigned, ordinary.oldest_minor
    obligations, findings = ordinary.obligations, ordinary.findings
    closes_at, not_before, cap_span = ordinary.closes_at, ordinary.not_before, ordinary.cap_span
    refuse = _refusals(ordinary)

    def decide(facts: Facts, at: datetime) -> Decision | None:  # noqa: C901
        serves, event, opt_outs, sent_count = None, None, _NO_EVENTS, 0
        for event in facts.history.events:
            kind = event.event
            if kind is _SENT:
                sent_count += 1
            elif kind is _GRANT:
                # A double opt-in or a lifted rule may hang on a quality.
                if event.qualities:
                    return None
                named = event.brand
                if (
                    (event.level or _IMPLIED) >= level
                    and event.channel in channels
                    and event.purpose in purposes
                    and ((until := event.expires_at) is None or until > at)
                    and (named is None or named == brand or folded_brand(named) == folded)
                ):
                    serves = event
            elif kind in _RARE:
                if kind in _LONGER_WAY:
                    return None
                opt_outs = (*opt_outs, event)
        if sent_count > sent_count_max:
            sent_count = _count_since(at - cap_span, facts.history.events)
        recipient = facts.recipient
        if (
            sent_count > sent_count_max
            # They stand in their order, so that none lies ahead if the last does not.
            or (event is not None and event.at > at)
            or recipient.address_problem is not None
            or facts.overdue_since is not None
            or ((age := recipient.age) is not None and age < oldest_minor)
        ):
            return None
        for registry, required in reassigned:
            entry = facts.registries.get(registry)
            if required if entry is None else entry.listed:
                return None
        ended = ended_at(opt_outs) if opt_outs else None
        if serves is None or (ended is not None and serves.at <= ended):
            return refuse(ended, facts, at)
        if not_before is not None:
            return deferred(findings, obligations, not_before, (serves,))
        until = serves.expires_at
        if until is None or (closes_at is not None and closes_at <= until):
            until = closes_at
        return _new(Decision, (_ALLOW, (), obligations, None, until, (serves,)))

    return decide


def _count_since(since: datetime, events: Sequence[Event]) -> int:
    """Count messages later than ``since``, and places: each counts for as long as it is held."""
    sent = [event for event in events if event.event is _SENT]
    return sum(event.at > since or event.held_until is not None for event in sent)


def _refusals(
    ordinary: Ordinary,
) -> Callable[[datetime | None, Facts, datetime], Decision | None]:
    """Make what says why no grant serves. Where the message waits too, the longer way says it."""
    consent, waits = ordinary.consent, bool(ordinary.findings)
    missing = denied(consent.missing)

    def refuse(ended: datetime | None, facts: Facts, at: datetime) -> Decision | None:
        if waits:
            return None
        grants = [event for event in facts.history.events if event.event is _GRANT]
        if ended is not None:
            for grant in grants:
                if grant.at > ended:
                    return None
            return denied(consent.revoked(ended))
        if len(grants) == 1:
            return denied(consent.weak(grants[0], facts, at))
        return None if grants or consent.relations_expire else missing

    return refuse
