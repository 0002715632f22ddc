"""What one event, by itself, is worth as leave to send under each law that binds.

The question of whoever collects consent: would this record do, what does it lack, when does it
lapse? It is answered by the terms that decide on messages, held against a history of that event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rules.decision import Finding, Provision
from rules.engine import is_answered
from rules.facts import Facts
from rules.history import Event
from rules.kinds.consent import Consent
from rules.kinds.cross_border import CrossBorder
from rules.kinds.duties import RecordKeeping
from rules.kinds.lacks import Lack, LackCode, lacks_of_grant, lacks_of_relation
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.preconditions import KnownJurisdiction, ValidAddress
from rules.kinds.routes import GrantRoute, OpenRoute, RelationRoute
from rules.rule import Case, Rule
from rules.vocabulary import EventKind


class Worth(StrEnum):
    """``permits``: the event by itself. ``not_needed``: the law asks for nothing on record.
    ``nothing``: the law takes no such event for such messages. ``stops``: it is an opt-out
    that reaches them."""

    PERMITS = "permits"
    FALLS_SHORT = "falls_short"
    NOTHING = "nothing"
    NOT_NEEDED = "not_needed"
    STOPS = "stops"


@dataclass(frozen=True, slots=True)
class UnderLaw:
    """What the event is worth under one consent rule; ``lacks`` by the route it comes nearest to.

    ``needed``: the lowest level of a grant that would do, or None. ``registries``: those that have
    to be asked as well. ``lapses_at``: from when what permits now permits no more.
    """

    provision: Provision
    worth: Worth
    lacks: tuple[Lack, ...] = ()
    needed: str | None = None
    registries: tuple[str, ...] = ()
    lapses_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one event is worth for one kind of message.

    ``findings``: what stands against the message beside the consent rules: an age, a transfer
    abroad, a country of which nobody knows the law. ``keep``: for how many months the law wants
    the record kept; None where it names no number.
    """

    laws: tuple[UnderLaw, ...]
    findings: tuple[Finding, ...]
    keep: tuple[tuple[Provision, int | None], ...]


_BESIDE = (CrossBorder, MinimumAge, KnownJurisdiction, ValidAddress)


def assess(event: Event, facts: Facts, rules: Sequence[Rule]) -> Assessment:
    """Hold ``event``, which is in the history of ``facts``, against every rule that binds."""
    at = facts.message.send_at
    bound = [rule for rule in rules if rule.binds.match(facts)]
    laws = [law for rule in bound for law in rule.in_force(facts, at)]
    grounds = (law.terms.grounds(facts, at) for law in laws)
    case = Case(
        facts,
        at,
        grounds=tuple(each for each in grounds if each is not None),
        is_answered=is_answered(facts, bound),
    )
    return Assessment(
        laws=tuple(
            _under(law.provision, law.terms, event, facts, at)
            for law in laws
            if isinstance(law.terms, Consent)
        ),
        findings=tuple(
            law.finding(found)
            for law in laws
            if isinstance(law.terms, _BESIDE)
            for found in law.terms.findings(case)
        ),
        keep=tuple(
            (law.provision, law.terms.months)
            for law in laws
            if isinstance(law.terms, RecordKeeping)
        ),
    )


def _under(
    provision: Provision, terms: Consent, event: Event, facts: Facts, at: datetime
) -> UnderLaw:
    if terms.is_ended_by(event, facts):
        return UnderLaw(provision, Worth.STOPS)
    levels = [route.level for route in terms.routes if isinstance(route, GrantRoute)]
    needed = min(levels).word if levels else None
    tried = _tried(terms, event, facts, at)
    serving = [one for one in tried if not one.lacks]
    if serving:
        best = max(serving, key=_lasting)
        return UnderLaw(provision, Worth.PERMITS, (), needed, best.registries, best.lapses_at)
    for route in terms.routes:
        if isinstance(route, OpenRoute) and _is_open(route, facts):
            registers = () if route.register is None else (route.register.registry,)
            return UnderLaw(provision, Worth.NOT_NEEDED, (), needed, registers)
    if not tried:
        return UnderLaw(provision, Worth.NOTHING, (), needed)
    nearest = min(tried, key=lambda one: len(one.lacks))
    return UnderLaw(provision, Worth.FALLS_SHORT, nearest.lacks, needed, nearest.registries)


@dataclass(frozen=True, slots=True)
class _Tried:
    lacks: tuple[Lack, ...]
    registries: tuple[str, ...]
    lapses_at: datetime | None


def _tried(terms: Consent, event: Event, facts: Facts, at: datetime) -> list[_Tried]:
    """The event on every route that takes its kind, in the order in which the law prefers them."""
    record, scope = terms.record(facts, at), terms.scope(facts)
    tried = []
    for route in terms.routes:
        if isinstance(route, GrantRoute) and event.event is EventKind.GRANT:
            lacks = lacks_of_grant(route, event, record, scope, facts)
        elif isinstance(route, RelationRoute) and event.event in route.events:
            lacks = lacks_of_relation(route, event, record, scope, facts)
        else:
            continue
        # The law's own road decides, as if its registers held nothing against the address.
        ground = replace(route, register=None).answer(record, scope, facts, at).ground
        if ground is None and not lacks:
            lacks = (Lack(LackCode.ENDED),)
        registers = () if route.register is None else (route.register.registry,)
        tried.append(_Tried(lacks, registers, None if ground is None else ground.until))
    return tried


def _lasting(one: _Tried) -> tuple[bool, bool, float]:
    """What asks no register comes first, then what lasts longest."""
    until = one.lapses_at
    return (not one.registries, until is None, 0.0 if until is None else until.timestamp())


def _is_open(route: OpenRoute, facts: Facts) -> bool:
    to = facts.recipient
    if route.kinds and to.kind not in route.kinds:
        return False
    return not route.mailboxes or (to.local_part or "").casefold() in route.mailboxes
