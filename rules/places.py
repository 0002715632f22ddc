"""Places in frequency caps that allowed messages of one batch hold for those after them."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rules.decision import Decision
from rules.facts import Facts
from rules.history import Event, History
from rules.vocabulary import EventKind, Verdict

DecideMany = Callable[[Sequence[Facts]], Sequence[Decision]]


@dataclass(frozen=True, slots=True)
class Span:
    """From when until before when an allowed message holds its place.

    It counts from the decision on, even if the message goes some minutes later: else two
    messages could be let through one gap, the later one first.
    """

    since: datetime
    until: datetime


def decide_in_order(
    facts: Sequence[Facts], spans: Sequence[Span | None], decide_many: DecideMany
) -> list[tuple[Facts, Decision]]:
    """Decide on a batch as if its messages had come one after another.

    A message that is allowed holds a place for later ones to the same person (the recipient's
    ``key``) over its span, or as long as it is permitted; None holds none. What comes back are
    the facts with those places in their history, and the decision on them.
    """
    decided: list[tuple[Facts, Decision] | None] = [None] * len(facts)
    held: dict[str, list[Event]] = {}
    waiting = list(range(len(facts)))
    while waiting:
        # One message a person at a time: what they ask of each other is then settled.
        turn, waiting = _first_of_each(waiting, facts)
        seen = [with_places(facts[i], held.get(facts[i].recipient.key, ())) for i in turn]
        for i, one, decision in zip(turn, seen, decide_many(seen), strict=True):
            decided[i] = (one, decision)
            place = place_held(one, decision, spans[i])
            if place is not None:
                held.setdefault(one.recipient.key, []).append(place)
    return [pair for pair in decided if pair is not None]


def place_held(facts: Facts, decision: Decision, span: Span | None) -> Event | None:
    """Give the place that an allowed message holds from now on, or None."""
    if span is None or decision.verdict is not Verdict.ALLOW:
        return None
    message = facts.message
    return Event(
        event=EventKind.SENT,
        at=span.since,
        channel=message.channel,
        purpose=message.purpose,
        topic=message.topic,
        brand=facts.sender.name,
        held_until=min(span.until, decision.permitted_until or span.until),
    )


def with_places(facts: Facts, places: Sequence[Event]) -> Facts:
    """Give the facts with these places in their history, each behind what came before it."""
    if not places:
        return facts
    events = list(facts.history.events)
    for place in places:
        events.insert(bisect_right(events, place.at, key=_at), place)
    return replace(facts, history=History(tuple(events)))


def _first_of_each(waiting: list[int], facts: Sequence[Facts]) -> tuple[list[int], list[int]]:
    """Split into each person's first message, and the rest."""
    seen: set[str] = set()
    first: list[int] = []
    rest: list[int] = []
    for i in waiting:
        key = facts[i].recipient.key
        (rest if key in seen else first).append(i)
        seen.add(key)
    return first, rest


def _at(event: Event) -> datetime:
    return event.at
