"""The reference: how rules become a decision. It reads like the law and caches nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rules.decision import Decision, Finding, Obligation, Provision
from rules.facts import Facts
from rules.history import Event
from rules.rule import ANYWHERE, SINCE_EVER, Case, Rule, Value
from rules.vocabulary import STRICTNESS, Certainty, Force, ReasonCode, Verdict

ENGINE_VERSION = "3"
"""Raised whenever the same facts and rules may give another decision; each decision names it."""

LONGEST_WAIT = timedelta(days=30)
"""A message that no instant within this time permits is denied, not deferred."""

TOO_LATE = Finding(
    Verdict.DENY,
    ReasonCode.TOO_LATE,
    Provision(
        jurisdiction=ANYWHERE,
        regulation="sender-instructions",
        rule="sender-discard-after",
        citation="discard_after of the message",
        url=None,
        force=Force.CUSTOM,
        certainty=Certainty.VERIFIED,
        in_force_from=SINCE_EVER,
    ),
)
"""The sender's own limit, not a law: the message would only go when it is of no more use."""


def decide(facts: Facts, rules: Sequence[Rule]) -> Decision:
    """Ask every rule, and let the strictest finding win.

    Every rule is asked even after a deny, so that the sender sees all reasons at once.
    A rule that raises ends the check with an error: no rule is ever skipped, because a
    skipped prohibition is a permission.
    """
    at = facts.message.send_at
    bound = [rule for rule in rules if rule.binds.match(facts)]
    laws = [value for rule in bound for value in rule.in_force(facts, at)]
    answers = (law.terms.grounds(facts, at) for law in laws)
    case = Case(
        facts,
        at,
        grounds=tuple(answer for answer in answers if answer is not None),
        is_answered=is_answered(facts, bound),
    )

    findings = findings_of(laws, case)
    verdict = strictest(findings)
    not_before = first_permitted(case, bound) if verdict is Verdict.DEFER else None
    if verdict is Verdict.DEFER and not_before is None:
        verdict = Verdict.DENY  # No instant within LONGEST_WAIT satisfies every rule.
    if verdict is not Verdict.DENY and too_late(facts, not_before or at):
        verdict, not_before, findings = Verdict.DENY, None, (*findings, TOO_LATE)
    return Decision(
        verdict=verdict,
        findings=findings,
        obligations=obligations_of(laws, case) if verdict is not Verdict.DENY else (),
        not_before=not_before,
        permitted_until=permitted_until(case, bound) if verdict is Verdict.ALLOW else None,
        rests_on=rests_on(case) if verdict is not Verdict.DENY else (),
    )


def decide_each(facts: Sequence[Facts], rules: Sequence[Rule]) -> list[Decision]:
    """Decide on each of these messages for itself, in their order."""
    return [decide(one, rules) for one in facts]


def is_answered(facts: Facts, bound: Sequence[Rule]) -> bool:
    """Tell whether the law of the recipient's own place says what consent the message needs."""
    at = facts.message.send_at
    return any(
        law.terms.grounds(facts, at) is not None
        for rule in bound
        if rule.binds.follows(facts.recipient)
        for law in rule.in_force(facts, at)
    )


def strictest(findings: Sequence[Finding]) -> Verdict:
    """Give the verdict of findings that stand together: the strictest, none at all allows."""
    return max((f.effect for f in findings), key=STRICTNESS.index, default=Verdict.ALLOW)


def findings_of(laws: Sequence[Value], case: Case) -> tuple[Finding, ...]:
    """Give every finding of every law, in the order of the laws."""
    return tuple(law.finding(found) for law in laws for found in law.terms.findings(case))


def obligations_of(laws: Sequence[Value], case: Case) -> tuple[Obligation, ...]:
    """Give every obligation of every law; the same duty under two laws is named twice."""
    return tuple(law.obligation(owed) for law in laws for owed in law.terms.obligations(case))


def first_permitted(case: Case, bound: Sequence[Rule]) -> datetime | None:
    """Find the first instant that satisfies every rule which waiting can cure.

    Each rule moves the instant on to where it permits again, until none moves it any
    further. Beyond ``LONGEST_WAIT`` there is none.
    """
    waiting = [rule for rule in bound if rule.waits]
    at = case.at
    while at - case.at <= LONGEST_WAIT:
        moved = at
        for rule in waiting:
            permitted = rule.next_permitted(Case(case.facts, moved, case.grounds))
            if permitted is None:
                return None
            moved = max(moved, permitted)
        if moved == at:
            return at
        at = moved
    return None


def too_late(facts: Facts, earliest: datetime) -> bool:
    """Tell whether the first instant that is permitted outlasts the message's usefulness."""
    discard_after = facts.message.discard_after
    return discard_after is not None and earliest > discard_after


def permitted_until(case: Case, bound: Sequence[Rule]) -> datetime | None:
    """Find the first instant from which something now known would stand against the message."""
    laws = (law for rule in bound for law in rule.in_force(case.facts, case.at))
    ends = [rule.next_change(case.facts, case.at) for rule in bound]
    ends += [law.terms.permitted_until(case) for law in laws]
    return min((end for end in ends if end is not None), default=None)


def rests_on(case: Case) -> tuple[Event, ...]:
    """Give the events that permit the message, each once, in the order of the laws."""
    events = (ground.event for grounds in case.grounds for ground in grounds)
    return tuple(dict.fromkeys(event for event in events if event is not None))
