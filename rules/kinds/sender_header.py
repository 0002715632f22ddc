"""Rule kind ``sender_header``: a registered header between what carrier and category add to it."""

from dataclasses import dataclass

from rules.kinds.sender_registration import registrations_of
from rules.rule import Case, Found, Owed, Terms
from rules.vocabulary import ObligationCode, ReasonCode, SenderForm, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderHeader(Terms):
    """The sender id is ``PREFIX-HEADER``, or ``PREFIX-HEADER-SUFFIX`` where ``suffix`` is set.

    The prefix is the carrier's and has ``prefix_length`` characters. The header is one that a
    registration of ``scheme`` holds; case does not matter.
    """

    scheme: str
    prefix_length: int
    suffix: str | None = None

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``sender_id_invalid`` for another form, ``sender_unregistered`` for another's."""
        sender_id = case.facts.message.sender_id
        if sender_id is None:
            return ()
        parts = sender_id.text.upper().split("-")
        expected = 2 if self.suffix is None else 3
        well_formed = (
            sender_id.form is SenderForm.ALPHANUMERIC
            and len(parts) == expected
            and len(parts[0]) == self.prefix_length
            and (self.suffix is None or parts[-1] == self.suffix)
        )
        found = []
        if not well_formed:
            detail = (("suffix", self.suffix or ""),)
            found.append(Found(Verdict.DENY, ReasonCode.SENDER_ID_INVALID, detail=detail))
        held = registrations_of(self.scheme, case.facts, case.at)
        header = parts[1] if len(parts) > 1 else parts[0]
        if not any(registration.id.upper() == header for registration in held):
            detail = (("scheme", self.scheme),)
            found.append(Found(Verdict.DENY, ReasonCode.SENDER_UNREGISTERED, detail=detail))
        return tuple(found)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``use_registered_sender`` where the sender id is not known yet."""
        if case.facts.message.sender_id is not None:
            return ()
        return (Owed(ObligationCode.USE_REGISTERED_SENDER, (("scheme", self.scheme),)),)
