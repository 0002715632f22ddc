"""Rule kinds that ask something of the sender and refuse no message."""

from dataclasses import dataclass

from rules.rule import Case, Owed, Terms
from rules.vocabulary import ObligationCode


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutDeadline(Terms):
    """An opt-out reaches everybody concerned within so many days; the outer limit of others.

    Our own checks honour it at once. One of the two is set; 0 means at once.
    """

    business_days: int | None = None
    days: int | None = None

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``honour_opt_out_within``."""
        if self.business_days is not None:
            return (
                Owed(
                    ObligationCode.HONOUR_OPT_OUT_WITHIN, (("business_days", self.business_days),)
                ),
            )
        return (Owed(ObligationCode.HONOUR_OPT_OUT_WITHIN, (("days", self.days or 0),)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKeeping(Terms):
    """Proof of consent and of the sending is kept for ``months``.

    None: for as long as anybody relies on it, the law names no number.
    """

    months: int | None = None

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``keep_record``, without a number where the law names none."""
        if self.months is None:
            return (Owed(ObligationCode.KEEP_RECORD),)
        return (Owed(ObligationCode.KEEP_RECORD, (("months", self.months),)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneClickUnsubscribe(Terms):
    """Mail carries the headers by which a mailbox unsubscribes its owner (RFC 8058)."""

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``one_click_unsubscribe``."""
        return (Owed(ObligationCode.ONE_CLICK_UNSUBSCRIBE),)
