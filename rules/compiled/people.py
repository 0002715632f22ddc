"""One person, held against a folding: a few look-ups and comparisons are left."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import itemgetter

from rules.compiled.answers import allowed, deferred, denied, distinct
from rules.compiled.folding import Folding, Outcome
from rules.compiled.person import Person
from rules.compiled.routes import Standing
from rules.decision import Decision, Finding
from rules.engine import TOO_LATE, decide, findings_of, first_permitted, permitted_until, strictest
from rules.facts import Facts
from rules.history import Event
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.preconditions import NotUnderReview, OptOutsArrived, ValidAddress
from rules.kinds.registry_listing import NumberReassignment
from rules.rule import Case, Ground, Terms, Value
from rules.vocabulary import Verdict

_NONE: tuple[Event, ...] = ()

Placed = tuple[int, Finding]
"""A finding beside the place of its law in the order of the laws."""


def decide_folded(folding: Folding, facts: Facts, at: datetime) -> Decision:
    """Decide on one person's message as ``engine.decide`` does; ``at`` is its instant in UTC."""
    if folding.by_reference:
        return decide(facts, folding.bound)
    person = Person(facts.history.events, at)
    if person.held:
        return decide(facts, folding.bound)  # Few are, and the reference is right.
    lifts, spared_until = _lifts(folding, person, facts, at)
    outcome = folding.outcomes.get(lifts) or folding.outcome(lifts, at)

    until, rests_on = outcome.until, _NONE
    refusals: tuple[Finding, ...] = ()
    found: list[Placed] = []
    for place, consent in folding.consents:
        standing = consent.grounds(person, facts, at)
        if not standing:
            refusals = consent.refusal(person, facts, at)
            found += [(place, refusal) for refusal in refusals]
            continue
        event, end = standing[0]
        if len(standing) > 1:
            rests_on += tuple(event for event, _ in standing if event is not None)
            end = _longest(standing)
        elif event is not None:
            rests_on = (*rests_on, event)
        until = _earlier(until, end)

    free = not person.sent or _has_free_places(folding, person, at)
    if not free or not _stands_clear(folding, facts):
        case = _case(folding, person, facts, at)
        found += _personal(folding, lifts, case, free=free)
        until = reduce(_earlier, _ends(folding, lifts, case, free=free), until)
    elif refusals and len(found) == len(refusals) and not outcome.findings:
        return denied(refusals)
    if len(rests_on) > 1:
        rests_on = distinct(rests_on)
    if spared_until is not None:
        until = _spared(folding, person, facts, (until, spared_until), at)
    if not found and not outcome.findings and folding.discard_after is None:
        return allowed(outcome.obligations, until, rests_on)
    unlifted = free and not lifts and not person.future and not folding.lifts_ask_register
    return _decide_against(folding, outcome, facts, found, (rests_on, until, unlifted))


def _lifts(
    folding: Folding, person: Person, facts: Facts, at: datetime
) -> tuple[int, datetime | None]:
    """Give the bit of every lift that stands for the person, and when the first of them lapses."""
    lifts, end = 0, None
    if person.plain and folding.spares_the_unusual:
        return lifts, end
    for bit, check in folding.lifts:
        standing = check.lasting(person, facts, at)
        if standing is not None:
            lifts += bit
            end = _earlier(end, standing[1])
    return lifts, end


def _spared(
    folding: Folding,
    person: Person,
    facts: Facts,
    ends: tuple[datetime | None, datetime],
    at: datetime,
) -> datetime | None:
    """Give until when the message is permitted where something that lifts a law lapses."""
    until, spared_until = ends
    if until is not None and until <= spared_until:
        return until
    # Whether what is lifted would say anything then, the reference tells.
    return permitted_until(_case(folding, person, facts, at), folding.bound)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Give the first of two instants, of which each may be none."""
    return one if other is None or (one is not None and one <= other) else other


def _longest(standing: Sequence[Standing]) -> datetime | None:
    """Give when the last of several grounds lapses, None where one never does."""
    longest = standing[0][1]
    for _, end in standing:
        if end is None or longest is None:
            return None
        longest = max(longest, end)
    return longest


def _has_free_places(folding: Folding, person: Person, at: datetime) -> bool:
    """Tell whether no cap can be reached, whatever it counts: too few were sent in its time."""
    if not folding.capped or len(person.sent) < folding.cap_limit:
        return True
    since = at - folding.cap_span
    # A place counts for as long as it is held, whenever that began.
    counting = [event for event in person.sent if event.at > since or event.held_until is not None]
    return len(counting) < folding.cap_limit


def _stands_clear(folding: Folding, facts: Facts) -> bool:
    """Tell whether neither address nor age nor any register gives cause to look closer."""
    recipient = facts.recipient
    if folding.transfers or recipient.address_problem is not None:
        return False
    if facts.overdue_since is not None:
        return False
    if recipient.age is not None and recipient.age < folding.oldest_minor:
        return False
    for registry, required in folding.reassigned:
        entry = facts.registries.get(registry)
        if required if entry is None else entry.listed:
            return False
    return not any(check.against(facts) for _, _, check, _ in folding.listings)


def _case(folding: Folding, person: Person, facts: Facts, at: datetime) -> Case:
    grounds = tuple(
        tuple(Ground(event, until) for event, until in consent.grounds(person, facts, at))
        for _, consent in folding.consents
    )
    return Case(facts, at, grounds)


def _personal(folding: Folding, lifts: int, case: Case, *, free: bool) -> Iterator[Placed]:
    """Give what the person's address, age, registers and earlier messages say, as the kinds do."""
    for place, law in folding.by_law:
        if _has_cause(law.terms, case.facts, free=free):
            yield from _placed(place, law, case)
    for place, law, check, routes in folding.listings:
        if not lifts & folding.bit_of[routes]:
            yield from ((place, law.finding(found)) for found in check.against(case.facts))


def _ends(folding: Folding, lifts: int, case: Case, *, free: bool) -> Iterator[datetime | None]:
    """Give when each of these laws may say something that it does not say now."""
    for _, law in folding.by_law:
        if _has_cause(law.terms, case.facts, free=free):
            yield law.terms.permitted_until(case)
    for _, law, _, routes in folding.listings:
        if lifts & folding.bit_of[routes]:
            yield law.terms.permitted_until(case)


def _has_cause(terms: Terms, facts: Facts, *, free: bool) -> bool:
    """Tell whether terms that look at the person may find anything."""
    match terms:
        case ValidAddress():
            return facts.recipient.address_problem is not None
        case OptOutsArrived():
            return facts.overdue_since is not None
        case MinimumAge(age=age):
            return facts.recipient.age is not None and facts.recipient.age < age
        case NumberReassignment(registry=registry, required=required):
            entry = facts.registries.get(registry)
            return required if entry is None else entry.listed
        case FrequencyCap():
            return not free
        case NotUnderReview():
            return False  # Who has been held is asked by the reference.
        case _:
            return True


def _placed(place: int, law: Value, case: Case) -> Iterator[Placed]:
    return ((place, finding) for finding in findings_of((law,), case))


def _decide_against(
    folding: Folding,
    outcome: Outcome,
    facts: Facts,
    found: list[Placed],
    weighed: tuple[tuple[Event, ...], datetime | None, bool],
) -> Decision:
    """Decide where something stands against the message, or it may be of no more use."""
    rests_on, until, unlifted = weighed
    findings, verdict = outcome.plain_findings, outcome.verdict
    if found:
        found = sorted((*outcome.findings, *found), key=itemgetter(0))
        findings = tuple([finding for _, finding in found])
        verdict = strictest(findings)
    if verdict is Verdict.DENY:
        return denied(findings) if found else outcome.denied
    send_at, not_before = facts.message.send_at, None
    if verdict is Verdict.DEFER:
        not_before = (
            folding.not_before(outcome, send_at)
            if unlifted
            else first_permitted(Case(facts, send_at), folding.bound)
        )
        if not_before is None:
            return denied(findings)
    discard_after = folding.discard_after
    if discard_after is not None and (not_before or send_at) > discard_after:
        return denied((*findings, TOO_LATE))
    if not_before is not None:
        return deferred(findings, outcome.obligations, not_before, rests_on)
    return allowed(outcome.obligations, until, rests_on)
