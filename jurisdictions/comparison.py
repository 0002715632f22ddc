"""What changes between two releases: every kind of message whose verdict differs, and which way."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from jurisdictions.coverage import cases
from jurisdictions.format import AnyRule
from jurisdictions.releases import Release, preconditions
from rules.decision import Decision
from rules.engine import decide
from rules.facts import Facts
from rules.history import Event, History
from rules.vocabulary import STRICTNESS, Channel, EventKind, Level, Purpose, Quality, Verdict

HOURS = (time(3), time(12), time(22))
"""Times of day that are asked about, UTC, which is the recipient's time in these cases."""


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of message that the two releases answer differently."""

    country: str
    channel: Channel
    purpose: Purpose
    situation: str
    before: Decision
    after: Decision

    @property
    def is_looser(self) -> bool:
        """Tell whether the later release lets more through."""
        return _rank(self.after.verdict) < _rank(self.before.verdict)


def rule_changes(before: Release, after: Release) -> Iterator[tuple[str, str]]:
    """Give every rule that does not say the same in both, and whether it was added or removed.

    A rule may change without any of the messages that ``changes`` asks about being answered
    differently: a closing hour moves between two that are asked.
    """
    old, new = _written(before), _written(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield name, "removed"
        elif name not in old:
            yield name, "added"
        elif old[name] != new[name]:
            yield name, "changed"


def changes(before: Release, after: Release, on: date) -> Iterator[Change]:
    """Ask both releases about every kind of message on ``on``, and give where they differ.

    Messages differ in country, channel, purpose, kind of recipient, automation, number type,
    hour of the day, and what is on record. Looser ones are what another person has to approve.
    """
    at = datetime.combine(on, time(12), tzinfo=UTC)
    moved = frozenset(rule for rule, _ in rule_changes(before, after))
    if before.researched != after.researched:
        moved |= {rule.id for rule in preconditions(before.researched)}
    for country in sorted(before.researched | after.researched):
        for channel in Channel:
            for purpose in Purpose:
                old_cases = cases(country, channel, purpose, at, before.with_sheet)
                new_cases = cases(country, channel, purpose, at, after.with_sheet)
                pairs = zip(old_cases, new_cases, strict=True)
                yield from _of_cell(before, after, country, pairs, moved)


def _of_cell(
    before: Release,
    after: Release,
    country: str,
    pairs: Iterable[tuple[Facts, Facts]],
    moved: frozenset[str],
) -> Iterator[Change]:
    seen: set[str] = set()
    for old_case, new_case in pairs:
        # What binds depends neither on the hour nor on the record, so it is looked up once.
        old_rules = [rule for rule in before.rules if rule.binds.match(old_case)]
        new_rules = [rule for rule in after.rules if rule.binds.match(new_case)]
        if old_case == new_case and moved.isdisjoint(r.id for r in (*old_rules, *new_rules)):
            continue
        for situation, old, new in _situations(old_case, new_case):
            was, now = decide(old, old_rules), decide(new, new_rules)
            words = f"{old_case.recipient.kind}, {_how(old_case)}{situation}"
            if was.verdict is not now.verdict and words not in seen:
                seen.add(words)
                message = old.message
                yield Change(country, message.channel, message.purpose, words, was, now)


def _written(release: Release) -> dict[str, AnyRule]:
    """Give every rule as its author wrote it; what is made of it may hold what has no equal."""
    return {
        rule.id: rule for regulation in release.regulations for rule in regulation.written.rules
    }


def _situations(old: Facts, new: Facts) -> Iterator[tuple[str, Facts, Facts]]:
    records = [("nothing on record", History())]
    records += [(f"{level.word} consent", _consent(old, level)) for level in Level]
    records += [("a purchase", _purchase(old))]
    for hour in HOURS:
        for words, history in records:
            at = datetime.combine(old.message.send_at.date(), hour, tzinfo=UTC)
            yield (
                f"{words}, {hour:%H:%M}",
                replace(old, message=replace(old.message, send_at=at), history=history),
                replace(new, message=replace(new.message, send_at=at), history=history),
            )


def _consent(facts: Facts, level: Level) -> History:
    grant = Event(
        event=EventKind.GRANT,
        at=facts.message.send_at - timedelta(days=30),
        channel=facts.message.channel,
        purpose=facts.message.purpose,
        level=level,
        qualities=frozenset({Quality.SEPARATE}),
    )
    return History((grant,))


def _purchase(facts: Facts) -> History:
    offered = frozenset({Quality.OPT_OUT_OFFERED, Quality.SIMILAR_PRODUCTS})
    at = facts.message.send_at - timedelta(days=30)
    return History((Event(event=EventKind.PURCHASE, at=at, qualities=offered),))


def _how(facts: Facts) -> str:
    how = "automated, " if facts.message.automated else "by hand, "
    number_type = facts.recipient.number_type
    return how if number_type is None else f"{how}{number_type.value} number, "


def _rank(verdict: Verdict) -> int:
    return STRICTNESS.index(verdict)
