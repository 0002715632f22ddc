"""Making decisions and findings quickly: they are most of what is left to do for a person."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import cast

from rules.decision import Decision, Detail, Finding, Obligation, Provision
from rules.history import Event
from rules.vocabulary import ReasonCode, Verdict

_ALLOW, _DEFER, _DENY = Verdict.ALLOW, Verdict.DEFER, Verdict.DENY
_Findings = tuple[Finding, ...]
_NO_FINDINGS: _Findings = ()

# A frozen dataclass sets each field through a checked call, which takes four times as long as
# everything else about it. These have the same slots in the same order and are filled plainly;
# then they become what they stand for, before anybody has seen them.


class _Allowed:
    __slots__ = Decision.__slots__

    def __init__(
        self,
        obligations: tuple[Obligation, ...],
        permitted_until: datetime | None,
        rests_on: tuple[Event, ...],
    ) -> None:
        self.verdict = _ALLOW
        self.findings = _NO_FINDINGS
        self.obligations = obligations
        self.not_before = None
        self.permitted_until = permitted_until
        self.rests_on = rests_on
        self.__class__ = Decision  # type: ignore[assignment]


class _Denied:
    __slots__ = Decision.__slots__

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.verdict = _DENY
        self.findings = findings
        self.obligations = ()
        self.not_before = None
        self.permitted_until = None
        self.rests_on = ()
        self.__class__ = Decision  # type: ignore[assignment]


class _Deferred:
    __slots__ = Decision.__slots__

    def __init__(
        self,
        findings: tuple[Finding, ...],
        obligations: tuple[Obligation, ...],
        not_before: datetime,
        rests_on: tuple[Event, ...],
    ) -> None:
        self.verdict = _DEFER
        self.findings = findings
        self.obligations = obligations
        self.not_before = not_before
        self.permitted_until = None
        self.rests_on = rests_on
        self.__class__ = Decision  # type: ignore[assignment]


class _Refusing:
    __slots__ = Finding.__slots__

    def __init__(self, code: ReasonCode, provision: Provision, detail: Detail = ()) -> None:
        self.effect = _DENY
        self.code = code
        self.provision = provision
        self.until = None
        self.detail = detail
        self.__class__ = Finding  # type: ignore[assignment]


allowed = cast(
    "Callable[[tuple[Obligation, ...], datetime | None, tuple[Event, ...]], Decision]", _Allowed
)
"""Give the decision that nothing stands against: its obligations, its end, what it rests on."""

denied = cast("Callable[[tuple[Finding, ...]], Decision]", _Denied)
"""Give the decision that these findings stand against for good."""

deferred = cast(
    "Callable[[_Findings, tuple[Obligation, ...], datetime, tuple[Event, ...]], Decision]",
    _Deferred,
)
"""Give the decision that waiting cures: findings, obligations, ``not_before``, what it rests on."""

refusing = cast("Callable[[ReasonCode, Provision, Detail], Finding]", _Refusing)
"""Give a finding that no waiting cures: its code, its provision, its particulars."""


def distinct(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give each event once, in order, where most often there is one."""
    if len(events) == 1:
        return (events[0],)
    kept: list[Event] = []
    for event in events:
        if not any(event is other or event == other for other in kept):
            kept.append(event)
    return tuple(kept)
