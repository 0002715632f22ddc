"""One message to one kind of place, folded: everything but the person is settled here."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo

from rules.compiled.answers import denied
from rules.compiled.consent import ConsentCheck
from rules.compiled.lane import Lane, Ordinary, lane_of
from rules.compiled.routes import LiftCheck, RegisterCheck
from rules.decision import Decision, Finding, Obligation
from rules.engine import findings_of, first_permitted, is_answered, obligations_of, strictest
from rules.facts import Facts, Message, Recipient, Sender
from rules.kinds.availability import Unavailable
from rules.kinds.consent import Consent
from rules.kinds.content import Contact, Identity, Label, OptOutNotice, ProhibitedContent
from rules.kinds.cross_border import CrossBorder
from rules.kinds.duties import OneClickUnsubscribe, OptOutDeadline, RecordKeeping
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.preconditions import (
    KnownJurisdiction,
    NotUnderReview,
    OptOutsArrived,
    ValidAddress,
)
from rules.kinds.registered_links import RegisteredLinks
from rules.kinds.registry_listing import NumberReassignment, RegistryListing
from rules.kinds.routes import Route
from rules.kinds.sender_header import SenderHeader
from rules.kinds.sender_registration import SenderIdForm, SenderRegistration
from rules.kinds.sending_hours import SendingHours
from rules.kinds.signature import Signature
from rules.kinds.template_match import TemplateMatch
from rules.periods import start_of
from rules.rule import Case, Rule, Terms, Value
from rules.vocabulary import Verdict

SETTLED = (
    KnownJurisdiction,
    OneClickUnsubscribe,
    OptOutDeadline,
    ProhibitedContent,
    RecordKeeping,
    RegisteredLinks,
    SenderHeader,
    SenderIdForm,
    SenderRegistration,
    Signature,
    TemplateMatch,
    Unavailable,
)
"""Kinds that look at no person: message, sender, place and day say everything."""

LIFTABLE = (Contact, Identity, Label, OptOutNotice, SendingHours)
"""Kinds that look at a person only for what may lift them, and then say nothing."""

PERSONAL = (
    Consent,
    CrossBorder,
    FrequencyCap,
    MinimumAge,
    NotUnderReview,
    NumberReassignment,
    OptOutsArrived,
    RegistryListing,
    ValidAddress,
)
"""Kinds that look at the person; each has its check."""

KNOWN: frozenset[type[Terms]] = frozenset((*SETTLED, *LIFTABLE, *PERSONAL))

UNCAPPED = 1 << 62
"""More messages than anybody has had."""

STEADY = timedelta(hours=26)
"""A clock that shows the same offset so long before and after is not being changed."""


@dataclass(slots=True)
class Outcome:
    """What everything but the person comes to, for one choice of what is lifted.

    ``findings`` stand beside their laws' places in order. ``until`` is when something would
    change. ``not_before`` is worked out when a message waits for the first time.
    """

    findings: tuple[tuple[int, Finding], ...]
    obligations: tuple[Obligation, ...]
    until: datetime | None
    not_before: datetime | None = None
    waits: bool = False
    plain_findings: tuple[Finding, ...] = field(init=False)
    verdict: Verdict = field(init=False)
    denied: Decision = field(init=False)

    def __post_init__(self) -> None:
        self.plain_findings = tuple(finding for _, finding in self.findings)
        self.verdict = strictest(self.plain_findings)
        self.denied = denied(self.plain_findings)


class Folding:
    """The laws in force for one message, sender, place and instant, and what they settle.

    Holds good for the instants in ``[since, until)``.
    """

    def __init__(self, sender: Sender, message: Message, place: Recipient, bound: tuple[Rule, ...]):
        self.bound = bound
        nobody = replace(place, key="", age=None, address_problem=None, local_part=None)
        self.facts = Facts(sender=sender, recipient=nobody, message=message)
        at = message.send_at
        self.laws = tuple(value for rule in bound for value in rule.in_force(self.facts, at))
        terms = [value.terms for rule in bound for value in rule.values]
        self.by_reference = any(type(one) not in KNOWN for one in terms)
        self.since, self.until = self._span(at)
        self.discard_after = message.discard_after
        self.outcomes: dict[int, Outcome] = {}
        self._sort_laws(at)
        self._ready_lifts(terms, at)
        self._ready_caps(terms)
        self.lane = self._lane(at)

    def outcome(self, lifted: int, at: datetime) -> Outcome:
        """Give what is settled where the lifts in ``lifted``, a bit each, stand."""
        known = self.outcomes.get(lifted)
        if known is None:
            known = self.outcomes[lifted] = self._settle(lifted, at)
        return known

    def not_before(self, outcome: Outcome, at: datetime) -> datetime | None:
        """Give the first permitted instant for whom nothing is lifted and every cap is free."""
        if not outcome.waits:
            waiting = (rule for rule in self.bound if rule.waits)
            bare = [replace(rule, values=tuple(map(_unlifted, rule.values))) for rule in waiting]
            outcome.not_before = first_permitted(Case(self.facts, at), bare)
            outcome.waits = True
        return outcome.not_before

    def _sort_laws(self, at: datetime) -> None:
        """Sort the laws that look at the person by what has to be asked for them.

        ``by_law`` are asked as they are, once anything gives cause: an age below
        ``oldest_minor``, a word from a register in ``reassigned``, a transfer abroad.
        """
        self.consents: list[tuple[int, ConsentCheck]] = []
        self.by_law: list[tuple[int, Value]] = []
        self.reassigned: list[tuple[str, bool]] = []
        self.listings: list[tuple[int, Value, RegisterCheck, tuple[Route, ...]]] = []
        self.oldest_minor, self.transfers = 0, False
        for place, law in enumerate(self.laws):
            match law.terms:
                case Consent():
                    self.consents.append((place, ConsentCheck(law, self.facts, at)))
                    continue
                case RegistryListing(register=test, lifted_by=routes):
                    check = RegisterCheck(test, self.facts, at)
                    self.listings.append((place, law, check, routes))
                    continue
                case MinimumAge(age=age):
                    self.oldest_minor = max(self.oldest_minor, age)
                case CrossBorder():
                    self.transfers = True
                case NumberReassignment(registry=registry, required=required):
                    self.reassigned.append((registry, required))
                case _:
                    pass
            if isinstance(law.terms, PERSONAL):
                self.by_law.append((place, law))

    def _ready_lifts(self, terms: Sequence[Terms], at: datetime) -> None:
        """Give each tuple of routes that may lift something a bit of its own."""
        routes = dict.fromkeys(
            one.lifted_by
            for one in terms
            if isinstance(one, (*LIFTABLE, RegistryListing)) and one.lifted_by
        )
        self.lifts = tuple(
            (1 << number, LiftCheck(lift, self.facts, at)) for number, lift in enumerate(routes)
        )
        self.bit_of = {check.routes: bit for bit, check in self.lifts}
        self.bit_of[()] = 0
        self.spares_the_unusual = all(check.spares_the_unusual for _, check in self.lifts)
        self.lifts_confirm = any(check.confirms for _, check in self.lifts)
        self.lifts_ask_register = any(check.asks_register for _, check in self.lifts)

    def _ready_caps(self, terms: Sequence[Terms]) -> None:
        """Find how few messages, in how long a time, can have to do with any cap."""
        caps = [one for one in terms if isinstance(one, FrequencyCap)]
        self.cap_limit = min((cap.limit for cap in caps), default=0)
        # Calendar days reach further than their hours: a day each for the clock and the zone.
        spans = [
            timedelta(hours=cap.hours)
            if cap.hours is not None
            else timedelta(days=(7 if cap.calendar_week else cap.calendar_days or 0) + 2)
            for cap in caps
        ]
        self.cap_span = max(spans, default=timedelta())
        self.capped = bool(caps)

    def _lane(self, at: datetime) -> Lane | None:
        """Open the short way where nothing but one plain grant is left to ask about."""
        others = self.listings or self.transfers or self.by_reference or self.discard_after
        lifts = self.lifts_ask_register or self.lifts_confirm or not self.spares_the_unusual
        if others or lifts or len(self.consents) != 1:
            return None
        consent, outcome = self.consents[0][1], self.outcome(0, at)
        if outcome.verdict is Verdict.DENY or not consent.is_plain:
            return None
        not_before = self.not_before(outcome, at) if outcome.verdict is Verdict.DEFER else None
        if outcome.findings and not_before is None:
            return None
        return lane_of(
            Ordinary(
                consent=consent,
                findings=outcome.plain_findings,
                not_before=not_before,
                obligations=outcome.obligations,
                closes_at=outcome.until,
                reassigned=tuple(self.reassigned),
                oldest_minor=self.oldest_minor,
                sent_count_max=self.cap_limit - 1 if self.capped else UNCAPPED,
                cap_span=self.cap_span,
            )
        )

    def _settle(self, lifted: int, at: datetime) -> Outcome:
        grounds = ((),) if self.consents else ()
        case = Case(self.facts, at, grounds, is_answered(self.facts, self.bound))
        findings: list[tuple[int, Finding]] = []
        obligations: list[Obligation] = []
        ends: list[datetime | None] = [self._next_change(at)]
        for place, law in enumerate(self.laws):
            if isinstance(law.terms, PERSONAL):
                continue
            if isinstance(law.terms, LIFTABLE) and lifted & self.bit_of[law.terms.lifted_by]:
                continue
            bare = _unlifted(law)
            findings += ((place, finding) for finding in findings_of((bare,), case))
            obligations += obligations_of((bare,), case)
            if not findings:
                ends.append(bare.terms.permitted_until(case))
        return Outcome(
            tuple(findings),
            tuple(obligations),
            min((end for end in ends if end is not None), default=None),
        )

    def _next_change(self, at: datetime) -> datetime | None:
        """Give the first instant after ``at`` from which any rule says something else."""
        days = sorted({day for rule in self.bound for day in rule.change_days()})
        changes: list[datetime] = []
        for zone in self.facts.recipient.time_zones:
            coming = days[bisect_right(days, at.astimezone(zone).date()) :]
            changes += (start_of(day, zone) for day in coming[:1])
        return min(changes, default=None)

    def _span(self, at: datetime) -> tuple[datetime, datetime]:
        """Give how long all of this holds: while no clock turns, no date and no hour changes."""
        moment = (at, at + timedelta(microseconds=1))
        hours = [law.terms for law in self.laws if isinstance(law.terms, SendingHours)]
        zones = {*self.facts.recipient.time_zones, *(h.zone for h in hours if h.zone is not None)}
        if not all(_is_steady(at, zone) for zone in zones):
            return moment
        spans = [_day_of(at, zone) for zone in zones]
        for one in hours:
            for zone in one.zones_of(self.facts):
                interval = one.open_interval(at, zone, self.facts.recipient.region)
                if interval is None:
                    return moment
                spans.append(interval)
        return max(since for since, _ in spans), min(until for _, until in spans)


def _unlifted(law: Value) -> Value:
    """Give the law as it holds for somebody whom nothing spares."""
    terms = law.terms
    if isinstance(terms, LIFTABLE) and terms.lifted_by:
        return replace(law, terms=replace(terms, lifted_by=()))
    return law


def _is_steady(at: datetime, zone: tzinfo) -> bool:
    before = (at.astimezone(UTC) - STEADY).astimezone(zone).utcoffset()
    return before == (at.astimezone(UTC) + STEADY).astimezone(zone).utcoffset()


def _day_of(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    day: date = at.astimezone(zone).date()
    return start_of(day, zone), start_of(day + timedelta(days=1), zone)
