"""Rule kind ``cross_border``: consent to the transfer of a person's data to a sender abroad."""

from dataclasses import dataclass

from rules.kinds.routes import GrantRoute, lifted
from rules.rule import Case, Found, Ground, Terms
from rules.vocabulary import EventKind, Level, Quality, ReasonCode, Verdict


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
        covering = frozenset({Quality.CROSS_BORDER})
        full = GrantRoute(level=Level.EXPRESS, qualities=covering | self.qualities)
        if lifted((full,), case.facts, case.at):
            return ()
        bare = GrantRoute(level=Level.IMPLIED, qualities=covering)
        code = ReasonCode.CROSS_BORDER_TRANSFER
        if lifted((bare,), case.facts, case.at):
            code = ReasonCode.CONSENT_INSUFFICIENT
        return (Found(Verdict.DENY, code),)


def _asks_for_grant(grounds: tuple[Ground, ...]) -> bool:
    """Tell whether nothing but a grant permits the message; where nothing does, one is needed."""
    return all(
        ground.event is not None and ground.event.event is EventKind.GRANT for ground in grounds
    )
