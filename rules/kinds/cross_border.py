"""Rule kind ``cross_border``: consent to the transfer of a person's data to a sender abroad."""

from dataclasses import dataclass
from datetime import datetime

from rules.kinds.routes import GrantRoute, lift_of, lifted
from rules.rule import Case, Found, Ground, Terms, outlasted_at
from rules.vocabulary import EventKind, Level, Quality, ReasonCode, Verdict

COVERING = frozenset({Quality.CROSS_BORDER})
"""What a grant says that covers the transfer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossBorder(Terms):
    """A message that rests on a grant, or lacks one, needs one that covers the transfer abroad.

    ``qualities``: what that grant has to be beside it; one that covers the transfer and lacks
    them is ``consent_insufficient``, none at all ``cross_border_transfer``.
    """

    qualities: frozenset[Quality] = frozenset()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give what the grant lacks for the transfer."""
        if not any(map(_asks_for_grant, case.grounds)):
            return ()
        if lifted((self._full,), case.facts, case.at):
            return ()
        bare = GrantRoute(level=Level.IMPLIED, qualities=COVERING)
        code = ReasonCode.CROSS_BORDER_TRANSFER
        if lifted((bare,), case.facts, case.at):
            code = ReasonCode.CONSENT_INSUFFICIENT
        return (Found(Verdict.DENY, code),)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when the grant that covers the transfer lapses; where none is asked for, when
        nothing but a grant will be left."""
        lift = lift_of((self._full,), case.facts, case.at)
        if any(map(_asks_for_grant, case.grounds)):
            return None if lift is None else lift.until
        ends = [outlasted_at(grounds, _is_no_grant) for grounds in case.grounds]
        end = min((end for end in ends if end is not None), default=None)
        if lift is None or end is None:
            return end
        return None if lift.until is None else max(lift.until, end)

    @property
    def _full(self) -> GrantRoute:
        return GrantRoute(level=Level.EXPRESS, qualities=COVERING | self.qualities)


def _asks_for_grant(grounds: tuple[Ground, ...]) -> bool:
    """Tell whether nothing but a grant permits the message; where nothing does, one is needed."""
    return not any(map(_is_no_grant, grounds))


def _is_no_grant(ground: Ground) -> bool:
    return ground.event is None or ground.event.event is not EventKind.GRANT
