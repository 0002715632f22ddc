"""Recorded decisions as they would be under another release: how many turn, which, and which way.

Pure but for what it reads from its iterator, and flat in memory: some hundred decisions are held
at once. The facts are those on record; the verdict is made by the function that makes them all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice

import msgspec

from audit.decision_records import CanonicalDecision, FindingRecord, finding_record
from audit.decisions import RecordedDecision
from jurisdictions.binding import jurisdictions_of
from jurisdictions.releases import Release
from rules.decision import Decision
from rules.facts import Facts
from rules.vocabulary import STRICTNESS, ReasonCode, Verdict

DECISIONS_AT_ONCE = 256


class Way(StrEnum):
    """Which way a decision turns. ``otherwise``: the same verdict for other reasons."""

    STRICTER = "stricter"
    LOOSER = "looser"
    OTHERWISE = "otherwise"


class Turned(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that would be another one. ``index``: in the log of decisions.

    ``unasked`` are registers that the other law asks and this decision had not read: it might
    come to something else with them.
    """

    id: bytes
    index: int
    decided_at: datetime
    way: Way
    before: Verdict
    after: Verdict
    not_before: datetime | None
    not_before_after: datetime | None
    reasons_added: tuple[FindingRecord, ...]
    reasons_removed: tuple[FindingRecord, ...]
    unasked: tuple[str, ...]


@dataclass(slots=True)
class Counts:
    """How many decisions were made again, and how many of them turn which way."""

    total: int = 0
    same: int = 0
    stricter: int = 0
    looser: int = 0
    otherwise: int = 0
    unasked: int = 0


def simulate(
    past: Iterable[RecordedDecision], release: Release, counts: Counts
) -> Iterator[Turned]:
    """Decide on the facts of each under ``release``, and give those that turn, in order.

    ``counts`` grows as they are taken.
    """
    rest = iter(past)
    while some := list(islice(rest, DECISIONS_AT_ONCE)):
        facts = [_under(one.opened.facts, release, one.id) for one in some]
        decided = release.decide_many(facts)
        for one, seen, after in zip(some, facts, decided, strict=True):
            counts.total += 1
            turned = _turned(one, seen, after)
            if turned is None:
                counts.same += 1
                continue
            _count(turned, counts)
            yield turned


def _under(facts: Facts, release: Release, id_: bytes) -> Facts:
    """The same facts, with the jurisdictions that bind where this release has law of its own.

    Each decision stands for itself: places held by those before it are in its history already.
    """
    to, sender = facts.recipient, facts.sender
    places = jurisdictions_of(
        to.country, _regions_in(to.jurisdictions, to.country), with_sheet=release.with_sheet
    )
    of_sender = jurisdictions_of(
        sender.country,
        _regions_in(sender.jurisdictions, sender.country),
        with_sheet=release.with_sheet,
    )
    return replace(
        facts,
        recipient=replace(to, key=id_.hex(), jurisdictions=places),
        sender=sender
        if of_sender == sender.jurisdictions
        else replace(sender, jurisdictions=of_sender),
    )


def _regions_in(jurisdictions: Sequence[str], country: str | None) -> tuple[str, ...]:
    """What stands behind the country; before it stand unions."""
    if country is None or country not in jurisdictions:
        return ()
    return tuple(jurisdictions[jurisdictions.index(country) + 1 :])


def _turned(one: RecordedDecision, facts: Facts, after: Decision) -> Turned | None:
    was = one.opened.decision
    findings = tuple(finding_record(finding) for finding in after.findings)
    added = tuple(finding for finding in findings if finding not in was.findings)
    removed = tuple(finding for finding in was.findings if finding not in findings)
    way = _way(was, after, differs=bool(added or removed))
    if way is None:
        return None
    stale = (finding for finding in added if finding.code is ReasonCode.REGISTRY_STALE)
    names = {str(finding.detail.get("registry")) for finding in stale}
    return Turned(
        id=one.id,
        index=one.entry.index,
        decided_at=one.opened.circumstances.decided_at,
        way=way,
        before=was.verdict,
        after=after.verdict,
        not_before=was.not_before,
        not_before_after=after.not_before,
        reasons_added=added,
        reasons_removed=removed,
        unasked=tuple(sorted(names - facts.registries.keys())),
    )


def _way(was: CanonicalDecision, after: Decision, *, differs: bool) -> Way | None:
    """Which way it turns; of two deferrals the later one is the stricter."""
    ranks = STRICTNESS.index(was.verdict), STRICTNESS.index(after.verdict)
    if ranks[0] != ranks[1]:
        return Way.STRICTER if ranks[0] < ranks[1] else Way.LOOSER
    if was.not_before is not None and after.not_before is not None:
        if was.not_before < after.not_before:
            return Way.STRICTER
        if was.not_before > after.not_before:
            return Way.LOOSER
    return Way.OTHERWISE if differs else None


def _count(turned: Turned, counts: Counts) -> None:
    counts.unasked += bool(turned.unasked)
    match turned.way:
        case Way.STRICTER:
            counts.stricter += 1
        case Way.LOOSER:
            counts.looser += 1
        case Way.OTHERWISE:
            counts.otherwise += 1
