"""Places in frequency caps that earlier decisions held, and whether a decision tells the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from audit.decisions import RecordedDecision
from rules.history import Event


@dataclass(frozen=True, slots=True)
class Place:
    """A place that an earlier decision held, as a check would have met it."""

    index: int
    sender: str
    event: Event
    reported_at: datetime | None


def held_by(
    one: RecordedDecision,
    near: Sequence[Place],
    names: Mapping[str, str],
    *,
    told_only: Sequence[Event],
) -> tuple[list[Event], list[str]]:
    """The places as the log of decisions gives them, and sentences on where the decision differs.

    ``told_only``: those of which nothing is left but what the decision says.
    """
    around = one.opened.circumstances
    said = [event for event in one.opened.facts.history.events if event.held_until is not None]
    held = list(told_only)
    said = [event for event in said if event not in held]
    left_out = False
    for place in near:
        until, reported = place.event.held_until, place.reported_at
        if place.index > one.entry.index or until is None or until <= around.decided_at:
            continue
        if reported is not None and reported < around.decided_at:
            continue
        met = next((event for event in said if _is_place(event, place)), None)
        if met is not None:
            said.remove(met)
            held.append(met)
        elif reported is None:  # One reported in the very turn may have counted, or not.
            brand = None if place.sender == around.sender else names.get(place.sender, place.sender)
            held.append(replace(place.event, brand=brand))
            left_out = True
    wrong = []
    if left_out:
        wrong.append("the decision leaves out a place that an earlier one held")
    if said:
        wrong.append("the decision names a place that no earlier one held")
    return held, wrong


def _is_place(event: Event, place: Place) -> bool:
    return replace(event, brand=None, elsewhere=False) == place.event
