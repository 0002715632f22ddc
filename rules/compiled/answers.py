"""Making decisions and findings quickly: they are most of what is left to do for a person."""

from collections.abc import Sequence
from datetime import datetime

from rules.decision import Decision, Detail, Finding, Obligation, Provision
from rules.history import Event
from rules.vocabulary import ReasonCode, Verdict

_ALLOW, _DEFER, _DENY = Verdict.ALLOW, Verdict.DEFER, Verdict.DENY
_new = tuple.__new__  # Takes the fields as they stand; a NamedTuple's own sorts keywords first.


def allowed(
    obligations: tuple[Obligation, ...],
    permitted_until: datetime | None,
    rests_on: tuple[Event, ...],
) -> Decision:
    """Give the decision that nothing stands against."""
    return _new(Decision, (_ALLOW, (), obligations, None, permitted_until, rests_on))


def denied(findings: tuple[Finding, ...]) -> Decision:
    """Give the decision that something stands against for good."""
    return _new(Decision, (_DENY, findings, (), None, None, ()))


def deferred(
    findings: tuple[Finding, ...],
    obligations: tuple[Obligation, ...],
    not_before: datetime,
    rests_on: tuple[Event, ...],
) -> Decision:
    """Give the decision that waiting cures."""
    return _new(Decision, (_DEFER, findings, obligations, not_before, None, rests_on))


def refusing(code: ReasonCode, provision: Provision, detail: Detail = ()) -> Finding:
    """Give a finding that no waiting cures."""
    return _new(Finding, (_DENY, code, provision, None, detail))


def distinct(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give each event once, in order, where most often there is one."""
    if len(events) == 1:
        return (events[0],)
    kept: list[Event] = []
    for event in events:
        if not any(event is other or event == other for other in kept):
            kept.append(event)
    return tuple(kept)
