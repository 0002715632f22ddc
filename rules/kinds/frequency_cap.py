"""Rule kind ``frequency_cap``: so many messages to a person in so much time, and no more."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar

from rules.history import Event
from rules.kinds.routes import Route, lifted, spared_until
from rules.periods import start_of
from rules.rule import Case, Found, Terms
from rules.vocabulary import Channel, EventKind, Purpose, ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyCap(Terms):
    """At most ``limit`` messages in ``hours``, in ``calendar_days`` or in a ``calendar_week``.

    Hours run on the clock: a message sent that many ago to the instant counts no more. A
    calendar day is the recipient's, and the day of sending is the last of them; a calendar
    week runs from Monday to Sunday. ``other_channels``: counted are only messages by another
    channel than this one. Counted are messages of this brand by
    ``channels`` for ``purposes`` (empty: any), with ``same_topic`` only those on the same
    subject; a message without a topic is on every subject. Places held in the cap by
    messages allowed and not yet reported count as sent.
    """

    waits: ClassVar[bool] = True

    limit: int
    hours: int | None = None
    calendar_days: int | None = None
    calendar_week: bool = False
    channels: frozenset[Channel] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    other_channels: bool = False
    same_topic: bool = False
    lifted_by: tuple[Route, ...] = ()

    def __post_init__(self) -> None:
        windows = (self.hours is not None, self.calendar_days is not None, self.calendar_week)
        assert sum(windows) == 1, "one window, not two"

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``frequency_cap`` when the places are taken."""
        free_at = self.next_permitted(case)
        if free_at == case.at:
            return ()
        detail = tuple(sorted((("limit", self.limit), self._window())))
        return (Found(Verdict.DEFER, ReasonCode.FREQUENCY_CAP, free_at, detail),)

    def next_permitted(self, case: Case) -> datetime | None:
        """Give the first instant at which fewer than ``limit`` messages count."""
        if lifted(self.lifted_by, case.facts, case.at):
            return case.at
        releases = sorted(self._free_again(event, case) for event in self._counted(case))
        taken = [release for release in releases if release > case.at]
        return case.at if len(taken) < self.limit else taken[len(taken) - self.limit]

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses, where its places are taken."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)

    def _window(self) -> tuple[str, int]:
        if self.hours is not None:
            return "hours", self.hours
        return ("weeks", 1) if self.calendar_week else ("days", self.calendar_days or 0)

    def _counted(self, case: Case) -> list[Event]:
        facts = case.facts
        return [
            event
            for event in facts.history.until(facts.message.send_at)
            if event.event is EventKind.SENT
            and event.names(facts.sender.name)
            and (not self.channels or event.channel is None or event.channel in self.channels)
            and (not self.purposes or event.purpose is None or event.purpose in self.purposes)
            and not (self.other_channels and event.channel in (None, facts.message.channel))
            and self._is_on_topic(event.topic, facts.message.topic)
        ]

    def _is_on_topic(self, sent: str | None, asked: str | None) -> bool:
        return not self.same_topic or sent is None or asked is None or sent == asked

    def _free_again(self, event: Event, case: Case) -> datetime:
        if event.held_until is not None:
            # It may go until then, so it may yet count on a day that has not begun.
            return event.held_until.astimezone(UTC)
        if self.hours is not None:
            return event.at.astimezone(UTC) + timedelta(hours=self.hours)
        zones = case.facts.recipient.time_zones
        return max(self._day_free(event.at, zone) for zone in zones)

    def _day_free(self, at: datetime, zone: tzinfo) -> datetime:
        day = at.astimezone(zone).date()
        days = 7 - day.weekday() if self.calendar_week else self.calendar_days
        assert days is not None
        return start_of(day + timedelta(days=days), zone)
