"""Public registers: what a loaded copy says of an address, and whether it is fresh enough."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rules.facts import Facts
from rules.history import Event
from rules.periods import local_dates, months_before
from rules.rule import Found
from rules.vocabulary import EventKind, ReasonCode, Verdict, Via

WorkingDay = Callable[[date], bool]
"""Tells whether a date is a working day on the calendar that the law counts by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old a copy may be on the recipient's local date of sending; one field is set.

    Of ``days``, day n still serves. ``working_days`` counts those after ``as_of``, up to and
    including the day of sending. ``same_month``: of the calendar month of sending.
    """

    days: int | None = None
    months: int | None = None
    working_days: int | None = None
    same_month: bool = False
    is_working_day: WorkingDay | None = None

    def allows(self, as_of: date, today: date) -> bool:
        """Tell whether a copy of ``as_of`` may still be used on ``today``."""
        if self.days is not None:
            return (today - as_of).days <= self.days
        if self.months is not None:
            return as_of >= months_before(today, self.months)
        if self.same_month:
            return (as_of.year, as_of.month) == (today.year, today.month)
        assert self.working_days is not None
        assert self.is_working_day is not None
        spent, day = 0, as_of
        while day < today and spent <= self.working_days:
            day += timedelta(days=1)
            spent += self.is_working_day(day)
        return spent <= self.working_days


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterTest:
    """A register that has to be asked. Without ``age`` any copy will do.

    ``approvals``: the register holds those who agreed, so that not being in it counts
    against the address. ``consent_after_entry``: a grant made after the entry, known from a
    ``revoke`` with ``via: registry``, stands in spite of the listing. ``needed`` is False
    where a listing counts but nobody has to hold a copy.
    """

    registry: str
    age: Age | None = None
    approvals: bool = False
    consent_after_entry: bool = False
    needed: bool = True

    def findings(self, facts: Facts, at: datetime, *, since: Event | None) -> tuple[Found, ...]:
        """Give what the register has against the address: listed, stale, or both."""
        entry = facts.registries.get(self.registry)
        if entry is None:
            return (self._found(ReasonCode.REGISTRY_STALE),) if self.needed else ()
        found: list[Found] = []
        against = not entry.listed if self.approvals else entry.listed
        if against and not (since is not None and self._entered_before(facts, since)):
            detail = ("as_of", entry.as_of.isoformat())
            found.append(self._found(ReasonCode.REGISTRY_LISTED, detail))
        today = max(local_dates(at, facts.recipient.time_zones))
        if self.age is not None and not self.age.allows(entry.as_of, today):
            days = (today - entry.as_of).days
            detail = ("as_of", entry.as_of.isoformat())
            found.append(self._found(ReasonCode.REGISTRY_STALE, ("age_days", days), detail))
        return tuple(found)

    def _entered_before(self, facts: Facts, grant: Event) -> bool:
        if not self.consent_after_entry:
            return False
        entries = [
            event.at
            for event in facts.history.until(facts.message.send_at)
            if event.event is EventKind.REVOKE and event.via is Via.REGISTRY
        ]
        return bool(entries) and max(entries) < grant.at

    def _found(self, code: ReasonCode, *detail: tuple[str, str | int]) -> Found:
        pairs = (*detail, ("approvals", int(self.approvals)), ("registry", self.registry))
        return Found(Verdict.DENY, code, detail=tuple(sorted(pairs)))
