"""Rule kind ``minimum_age``: below an age a person's own word is not enough."""

from dataclasses import dataclass

from rules.kinds.routes import GrantRoute, lifted
from rules.rule import Case, Found, Ground, Terms
from rules.vocabulary import EventKind, Level, Quality, ReasonCode, Verdict


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
        guardian = frozenset({Quality.GUARDIAN})
        if _granted(guardian | self.with_qualities, case):
            return ()
        if self.with_qualities and _granted(guardian, case):
            return (minor, Found(Verdict.DENY, ReasonCode.CONSENT_INSUFFICIENT))
        return (minor,)


def _granted(qualities: frozenset[Quality], case: Case) -> bool:
    route = GrantRoute(level=Level.IMPLIED, qualities=qualities)
    return lifted((route,), case.facts, case.at)


def _rests_on_own_grant(grounds: tuple[Ground, ...]) -> bool:
    return bool(grounds) and all(
        ground.event is not None
        and ground.event.event is EventKind.GRANT
        and Quality.GUARDIAN not in ground.event.qualities
        for ground in grounds
    )
