"""Rule kind ``channel_availability``: a channel that does not reach people there."""

from dataclasses import dataclass

from rules.rule import Case, Found, Terms
from rules.vocabulary import ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable(Terms):
    """The channels that the rule binds do not reach the recipient."""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``channel_unavailable``."""
        detail = (("channel", case.facts.message.channel.value),)
        return (Found(Verdict.DENY, ReasonCode.CHANNEL_UNAVAILABLE, detail=detail),)
