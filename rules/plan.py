"""The fast way to decide: rules are made ready once, and messages before people.

Means the same as ``engine.decide_each``, reason for reason; a property test says so. What
is kept between calls is law held against messages and places, never a verdict about a person.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from rules.compiled.folding import Folding
from rules.compiled.people import decide_folded
from rules.decision import Decision
from rules.facts import Facts, Message, Sender
from rules.rule import Rule
from rules.vocabulary import NumberType, RecipientKind

MESSAGES_KEPT = 512
PLACES_KEPT = 4096
SELECTIONS_KEPT = 16384
"""How much is kept of each; when it is full everything of that sort is made anew."""

Place = tuple[
    tuple[str, ...],
    tuple[tzinfo, ...],
    str | None,
    str | None,
    RecipientKind,
    NumberType | None,
]
Foldings = dict[Place, Folding]


class Plan:
    """Rules made ready to decide by. Safe to share: what it keeps is only ever added or dropped."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._bound: dict[object, tuple[Rule, ...]] = {}
        self._messages: dict[object, Foldings] = {}
        self._last: tuple[Sender, Message, Foldings] | None = None

    def decide_many(self, facts: Sequence[Facts]) -> list[Decision]:
        """Decide on each of these messages for itself; answers stand in the same order."""
        decisions: list[Decision] = []
        sender: Sender | None = None
        message: Message | None = None
        foldings: Foldings = {}
        here: Foldings = {}
        for one in facts:
            if one.message is not message or one.sender is not sender:
                sender, message = one.sender, one.message
                foldings, here = self._foldings(sender, message), {}
                at = message.send_at.astimezone(UTC)
            to = one.recipient
            place = (
                to.jurisdictions,
                to.time_zones,
                to.region,
                to.country,
                to.kind,
                to.number_type,
            )
            folding = here.get(place)
            if folding is None:
                folding = here[place] = self._fold(foldings, place, one, at)
            lane = folding.lane
            decision = lane(one, at) if lane is not None else None
            decisions.append(decide_folded(folding, one, at) if decision is None else decision)
        return decisions

    def _foldings(self, sender: Sender, message: Message) -> Foldings:
        """Give what was folded of messages like this one, whatever their instant."""
        last = self._last
        if last is not None and last[0] is sender and last[1] is message:
            return last[2]
        key = (
            sender,
            message.channel,
            message.purpose,
            message.topic,
            message.sender_id,
            message.text,
            message.template,
            message.automated,
            message.discard_after,
        )
        foldings = self._messages.get(key)
        if foldings is None:
            if len(self._messages) >= MESSAGES_KEPT:
                self._messages.clear()
            foldings = self._messages[key] = {}
        self._last = (sender, message, foldings)
        return foldings

    def _fold(self, foldings: Foldings, place: Place, facts: Facts, at: datetime) -> Folding:
        folding = foldings.get(place)
        if folding is not None and folding.since <= at < folding.until:
            return folding
        if len(foldings) >= PLACES_KEPT:
            foldings.clear()
        bound = self._bind(facts)
        folding = Folding(facts.sender, facts.message, facts.recipient, bound)
        foldings[place] = folding
        return folding

    def _bind(self, facts: Facts) -> tuple[Rule, ...]:
        """Give the rules that bind messages of this sort between these places, in their order."""
        sender, to, message = facts.sender, facts.recipient, facts.message
        key = (
            to.jurisdictions,
            sender.jurisdictions,
            message.channel,
            message.purpose,
            to.kind,
            message.automated,
            to.number_type,
        )
        bound = self._bound.get(key)
        if bound is None:
            if len(self._bound) >= SELECTIONS_KEPT:
                self._bound.clear()
            bound = self._bound[key] = tuple(r for r in self.rules if r.binds.match(facts))
        return bound


def compile_plan(rules: Sequence[Rule]) -> Plan:
    """Make rules ready, in the order in which their reasons are to be given."""
    return Plan(rules)
