"""Rule kind ``signature``: the sender's registered name in brackets at the head of the text."""

from dataclasses import dataclass

from rules.kinds.sender_registration import registrations_of
from rules.rule import Case, Found, Owed, Terms
from rules.vocabulary import ObligationCode, ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature(Terms):
    """The text begins with a name between ``opens`` and ``closes`` that ``scheme`` holds.

    Without a scheme any name will do.
    """

    opens: str
    closes: str
    scheme: str | None = None

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``missing_identity`` without a signature, ``sender_unregistered`` with another's."""
        text = case.facts.message.text
        if text is None:
            return ()
        name, closed, _ = text.removeprefix(self.opens).partition(self.closes)
        if not text.startswith(self.opens) or not closed or not name.strip():
            return (Found(Verdict.DENY, ReasonCode.MISSING_IDENTITY),)
        if self.scheme is None:
            return ()
        held = registrations_of(self.scheme, case.facts, case.at)
        if any(registration.id.casefold() == name.strip().casefold() for registration in held):
            return ()
        detail = (("scheme", self.scheme),)
        return (Found(Verdict.DENY, ReasonCode.SENDER_UNREGISTERED, detail=detail),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``include_identity`` where there is no text yet, and the like for the sender id."""
        message = case.facts.message
        detail = (("scheme", self.scheme),) if self.scheme else ()
        owed = []
        if message.text is None:
            owed.append(Owed(ObligationCode.INCLUDE_IDENTITY, detail))
        if message.sender_id is None:
            owed.append(Owed(ObligationCode.USE_REGISTERED_SENDER, detail))
        return tuple(owed)
