"""Places in caps within one batch: as if its messages had come one after another."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rules.decision import Decision
from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.places import Span, decide_in_order, with_places
from rules.vocabulary import Channel, EventKind, Purpose, Verdict

NOW = datetime(2026, 11, 21, 16, 0, tzinfo=UTC)
SPAN = Span(NOW, NOW + timedelta(minutes=10))


def some_facts(person: str, *events: Event) -> Facts:
    return Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key=person, country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("UTC"),)
        ),
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=NOW),
        history=History(events),
    )


def one_each(facts: Sequence[Facts]) -> list[Decision]:
    """Allow whoever has had nothing; no person may stand in a batch twice."""
    people = [one.recipient.key for one in facts]
    assert len(set(people)) == len(people)
    return [a_decision(Verdict.DEFER if one.history.events else Verdict.ALLOW) for one in facts]


def a_decision(verdict: Verdict, permitted_until: datetime | None = None) -> Decision:
    return Decision(verdict, (), (), None, permitted_until, ())


def verdicts(facts: Sequence[Facts], spans: Sequence[Span | None]) -> list[str]:
    return [decision.verdict for _, decision in decide_in_order(facts, spans, one_each)]


def test_an_allowed_message_takes_the_place_of_the_next_to_the_same_person() -> None:
    facts = [some_facts("ann"), some_facts("bob"), some_facts("ann"), some_facts("bob")]
    assert verdicts(facts, [SPAN] * 4) == ["allow", "allow", "defer", "defer"]


def test_what_holds_no_place_takes_none() -> None:
    facts = [some_facts("ann"), some_facts("ann"), some_facts("ann")]
    assert verdicts(facts, [None, SPAN, SPAN]) == ["allow", "allow", "defer"]


def test_a_refused_message_holds_nothing() -> None:
    had = Event(event=EventKind.SENT, at=NOW - timedelta(days=1))
    facts = [some_facts("ann", had), some_facts("ann")]
    assert verdicts(facts, [SPAN, SPAN]) == ["defer", "allow"]


@pytest.mark.parametrize(
    ("permitted_for", "held_for"), [(None, 10), (timedelta(minutes=3), 3), (timedelta(hours=1), 10)]
)
def test_a_place_is_held_no_longer_than_the_message_is_permitted(
    permitted_for: timedelta | None, held_for: int
) -> None:
    until = None if permitted_for is None else NOW + permitted_for
    pairs = decide_in_order(
        [some_facts("ann"), some_facts("ann")],
        [SPAN, SPAN],
        lambda facts: [a_decision(Verdict.ALLOW, until) for _ in facts],
    )
    (place,) = pairs[1][0].history.events
    assert (place.event, place.at, place.brand) == (EventKind.SENT, NOW, "Acme")
    assert place.held_until == NOW + timedelta(minutes=held_for)


def test_a_place_counts_from_the_decision_on_even_if_the_message_goes_later() -> None:
    later = some_facts("ann")
    later = replace(later, message=replace(later.message, send_at=NOW + timedelta(minutes=9)))
    pairs = decide_in_order([later, some_facts("ann")], [SPAN, SPAN], one_each)
    assert pairs[1][1].verdict is Verdict.DEFER
    assert pairs[1][0].history.until(NOW) == pairs[1][0].history.events


def test_places_stand_where_their_time_puts_them() -> None:
    def sent(minutes: int) -> Event:
        return Event(event=EventKind.SENT, at=NOW + timedelta(minutes=minutes))

    events = with_places(some_facts("ann", sent(-2), sent(0), sent(2)), [sent(0)]).history.events
    assert [event.at for event in events] == [sent(m).at for m in (-2, 0, 0, 2)]


def test_no_message_is_a_batch_too() -> None:
    assert decide_in_order([], [], one_each) == []
