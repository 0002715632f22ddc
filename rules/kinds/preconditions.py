"""What has to be known before any law can be asked; it binds every message."""

from dataclasses import dataclass

from rules.history import open_hold
from rules.rule import Case, Found, Terms
from rules.vocabulary import Purpose, ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidAddress(Terms):
    """The address can be one."""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``invalid_address`` where it cannot."""
        problem = case.facts.recipient.address_problem
        if problem is None:
            return ()
        detail = (("problem", problem),)
        return (Found(Verdict.DENY, ReasonCode.INVALID_ADDRESS, detail=detail),)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutsArrived(Terms):
    """What sends the message knows of every opt-out that it should know by now."""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``propagation_overdue`` where an opt-out has not arrived by its deadline."""
        since = case.facts.overdue_since
        if since is None:
            return ()
        detail = (("since", since.isoformat()),)
        return (Found(Verdict.DENY, ReasonCode.PROPAGATION_OVERDUE, detail=detail),)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownJurisdiction(Terms):
    """It is known whose law binds, and what it says of consent to such a message.

    ``researched``: the countries whose law was read. ``spared``: purposes that may go without.
    That no consent rule of the recipient's own place answers is a gap in the data, whatever that
    of the sender's place says, and a gap is no permission.
    """

    researched: frozenset[str]
    spared: frozenset[Purpose]

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``unknown_jurisdiction`` where nobody can say what the law asks."""
        recipient = case.facts.recipient
        if case.facts.message.purpose in self.spared:
            return ()
        if recipient.country in self.researched and case.is_answered:
            return ()
        detail = (("country", recipient.country or ""),)
        return (Found(Verdict.DENY, ReasonCode.UNKNOWN_JURISDICTION, detail=detail),)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUnderReview(Terms):
    """No reply of the person that may have meant stop waits for somebody to decide on it."""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``under_review`` while one does."""
        facts, message = case.facts, case.facts.message
        events = facts.history.until(case.at)
        hold = open_hold(events, facts.sender.name, message.channel, message.purpose)
        if hold is None:
            return ()
        detail = (("at", hold.at.isoformat()),)
        return (Found(Verdict.DENY, ReasonCode.UNDER_REVIEW, detail=detail),)
