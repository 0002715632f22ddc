"""Rule kind ``minimum_age``: below an age a person's own word is not enough."""

from dataclasses import dataclass
from datetime import datetime

from rules.kinds.routes import GrantRoute, lift_of, lifted
from rules.rule import Case, Found, Ground, Terms, outlasted_at
from rules.vocabulary import EventKind, Level, Quality, ReasonCode, Verdict

GUARDIAN = frozenset({Quality.GUARDIAN})
"""What the grant of a guardian is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumAge(Terms):
    """Under ``age``, in years on the day of sending, a guardian has to have consented.

    ``own_consent_only``: the rule touches only messages that rest on the child's own grant.
    ``guardian_cures`` is False where no consent helps. ``with_qualities``: what the guardian's
    consent has to be beside it; one that is not so is ``consent_insufficient`` as well. An
    unknown age is no child's.
    """

    age: int
    own_consent_only: bool = False
    guardian_cures: bool = True
    with_qualities: frozenset[Quality] = frozenset()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``minor`` where the person is too young for what the message rests on."""
        age = case.facts.recipient.age
        if age is None or age >= self.age:
            return ()
        if self.own_consent_only and not any(map(_rests_on_own_grant, case.grounds)):
            return ()
        minor = Found(Verdict.DENY, ReasonCode.MINOR, detail=(("age", self.age),))
        if not self.guardian_cures:
            return (minor,)
        if _granted(GUARDIAN | self.with_qualities, case):
            return ()
        if self.with_qualities and _granted(GUARDIAN, case):
            return (minor, Found(Verdict.DENY, ReasonCode.CONSENT_INSUFFICIENT))
        return (minor,)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when the guardian's consent lapses; where none is asked for, when nothing but the
        child's own grant will be left."""
        age = case.facts.recipient.age
        if age is None or age >= self.age:
            return None
        lift = None
        if self.guardian_cures:
            lift = lift_of((_guardians(GUARDIAN | self.with_qualities),), case.facts, case.at)
        if not self.own_consent_only or any(map(_rests_on_own_grant, case.grounds)):
            return None if lift is None else lift.until
        ends = [outlasted_at(grounds, _is_not_own) for grounds in case.grounds]
        end = min((end for end in ends if end is not None), default=None)
        if lift is None or end is None:
            return end
        return None if lift.until is None else max(lift.until, end)


def _granted(qualities: frozenset[Quality], case: Case) -> bool:
    return lifted((_guardians(qualities),), case.facts, case.at)


def _guardians(qualities: frozenset[Quality]) -> GrantRoute:
    return GrantRoute(level=Level.IMPLIED, qualities=qualities)


def _rests_on_own_grant(grounds: tuple[Ground, ...]) -> bool:
    return bool(grounds) and not any(map(_is_not_own, grounds))


def _is_not_own(ground: Ground) -> bool:
    return (
        ground.event is None
        or ground.event.event is not EventKind.GRANT
        or Quality.GUARDIAN in ground.event.qualities
    )
