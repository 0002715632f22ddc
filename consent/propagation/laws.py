"""By when an opt-out must have reached everybody concerned, by the law that binds the person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from jurisdictions.addresses import Address
from jurisdictions.binding import countries_of
from jurisdictions.calendars import business_days
from jurisdictions.parties import BY_NUMBER, message_of, recipient_of, sender_of
from jurisdictions.places import Place, locate
from jurisdictions.releases import Release
from rules.facts import Facts
from rules.history import STOPPED_BY_ANY_OPT_OUT
from rules.kinds.duties import OptOutDeadline
from rules.periods import start_of
from rules.rule import Rule
from rules.vocabulary import Channel, Purpose, RecipientKind

AT_ONCE: Final = timedelta(minutes=15)
"""What "at once" and "without delay" leave for the way between machines; our reading."""

NO_LAW: Final = timedelta(days=1)
"""Where no law that binds names a time, or nobody knows whose law binds; our own limit."""

KEPT_MAX: Final = 4096
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The instant (UTC) by which it must have arrived; ``rule`` asks for it, None: only we do."""

    at: datetime
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """An opt-out as it was given: who said it and when, and what it covers; None covers all.

    ``sender_countries``: of the senders that it covers.
    """

    address: Address
    at: datetime
    channel: Channel | None = None
    purpose: Purpose | None = None
    sender_countries: frozenset[str] = frozenset()


class Deadlines:
    """The deadlines of one release. What it keeps is law held against places, not people."""

    def __init__(self, release: Release) -> None:
        self._with_sheet = release.with_sheet
        self._rules = tuple(
            rule
            for rule in release.rules
            if any(isinstance(value.terms, OptOutDeadline) for value in rule.values)
        )
        self._asked: dict[object, tuple[tuple[Rule, Facts], ...]] = {}

    def of(self, stopped: Stopped) -> Deadline:
        """Give the strictest deadline of all that the opt-out covers."""
        at = stopped.at.astimezone(UTC)
        place = locate(stopped.address, region=None, time_zone=None, with_sheet=self._with_sheet)
        found = [
            Deadline(due, rule.id)
            for rule, facts in self._binding(stopped, place)
            for value in rule.in_force(facts, at)
            if isinstance(value.terms, OptOutDeadline)
            for due in (_due(value.terms, at, value.provision.jurisdiction, place),)
        ]
        if place.country is None or not found:
            found.append(Deadline(at + NO_LAW))
        return min(found, key=lambda one: one.at)

    def _binding(self, stopped: Stopped, place: Place) -> tuple[tuple[Rule, Facts], ...]:
        """Every rule that binds a message of the kind that was stopped, each once."""
        address = stopped.address
        key = (
            place,
            address.channel_family,
            address.number_type,
            address.problem is None,
            stopped.channel,
            stopped.purpose,
            stopped.sender_countries,
        )
        known = self._asked.get(key)
        if known is None:
            if len(self._asked) >= KEPT_MAX:
                self._asked.clear()
            known = self._asked[key] = tuple(self._ask(stopped, place))
        return known

    def _ask(self, stopped: Stopped, place: Place) -> Iterable[tuple[Rule, Facts]]:
        found: dict[str, tuple[Rule, Facts]] = {}
        for country in sorted(stopped.sender_countries) or [place.country or ""]:
            for channel in _channels(stopped):
                for purpose in _purposes(stopped):
                    facts = self._facts(stopped, place, country, channel, purpose)
                    for rule in self._rules:
                        if rule.binds.match(facts):
                            found.setdefault(rule.id, (rule, facts))
        return found.values()

    def _facts(
        self, stopped: Stopped, place: Place, country: str, channel: Channel, purpose: Purpose
    ) -> Facts:
        return Facts(
            sender=sender_of("", country, (), with_sheet=self._with_sheet),
            recipient=recipient_of(
                stopped.address, place, channel=channel, kind=RecipientKind.CONSUMER, key=""
            ),
            message=message_of(
                channel, purpose, stopped.at, sender_id=None, sender_country=country, text=None
            ),
        )


def _channels(stopped: Stopped) -> Sequence[Channel]:
    if stopped.channel is not None:
        return (stopped.channel,)
    if stopped.address.channel_family == "email":
        return (Channel.EMAIL,)
    return sorted(BY_NUMBER)


def _purposes(stopped: Stopped) -> Sequence[Purpose]:
    if stopped.purpose is not None:
        return (stopped.purpose,)
    return sorted(STOPPED_BY_ANY_OPT_OUT)


def _country(jurisdiction: str, place: Place) -> str | None:
    """Whose calendar counts: the country's that made the law, in a union the person's own."""
    if countries_of(jurisdiction):
        return place.country
    return jurisdiction.partition("-")[0]


def _due(terms: OptOutDeadline, at: datetime, jurisdiction: str, place: Place) -> datetime:
    if terms.business_days is None:
        return at + (terms.days * _DAY if terms.days else AT_ONCE)
    country = _country(jurisdiction, place)
    return min(_end_of(terms.business_days, at, country, zone) for zone in place.time_zones)


def _end_of(count: int, at: datetime, country: str | None, zone: tzinfo) -> datetime:
    """The end of the ``count``-th business day after the local day of ``at``."""
    day: date = at.astimezone(zone).date()
    is_open = business_days(country)
    left = count
    while left > 0:
        day += _DAY
        left -= is_open(day)
    return start_of(day + _DAY, zone)
