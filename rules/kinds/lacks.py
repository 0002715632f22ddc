"""What an event lacks to permit a message by a route: each shortfall by name, not the first only.

A route itself says whether an event serves. This says everything that it would take; a property
test holds the two equal.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rules.facts import Facts
from rules.history import Event, is_confirmed
from rules.kinds.routes import GrantRoute, Record, RelationRoute, Scope
from rules.periods import local_dates
from rules.vocabulary import Level


class LackCode(StrEnum):
    """What is missing."""

    LEVEL_TOO_LOW = "level_too_low"
    QUALITY_MISSING = "quality_missing"
    SCOPE_NOT_NAMED = "scope_not_named"
    OTHER_SCOPE = "other_scope"
    UNCONFIRMED = "unconfirmed"
    LAPSED = "lapsed"
    ENDED = "ended"
    BEFORE_THE_LAW = "before_the_law"
    OTHER_RECIPIENT_KIND = "other_recipient_kind"


@dataclass(frozen=True, slots=True, order=True)
class Lack:
    """One shortfall: what the law needs, and what the event has where that says something."""

    code: LackCode
    needed: str | None = None
    has: str | None = None


def lacks_of_grant(
    route: GrantRoute, grant: Event, record: Record, scope: Scope, facts: Facts
) -> tuple[Lack, ...]:
    """Everything that this grant lacks for the message; registers apart."""
    lacks: list[Lack] = []
    level = grant.level or Level.IMPLIED
    if level < route.level:
        lacks.append(Lack(LackCode.LEVEL_TOO_LOW, route.level.word, level.word))
    lacks.extend(
        Lack(LackCode.QUALITY_MISSING, quality.value)
        for quality in sorted(route.qualities - grant.qualities)
    )
    if not scope.includes(grant):
        lacks.append(Lack(LackCode.OTHER_SCOPE))
    if route.own_scope and grant.channel is None:
        lacks.append(Lack(LackCode.SCOPE_NOT_NAMED, "channel"))
    if route.own_scope and grant.purpose is None:
        lacks.append(Lack(LackCode.SCOPE_NOT_NAMED, "purpose"))
    if not is_confirmed(grant, record.events, facts.sender.name):
        lacks.append(Lack(LackCode.UNCONFIRMED, "confirm"))
    return (*lacks, *_lapsed(route.until(grant, record, facts), facts))


def lacks_of_relation(
    route: RelationRoute, relation: Event, record: Record, scope: Scope, facts: Facts
) -> tuple[Lack, ...]:
    """Everything that this relation, of a kind that the route takes, lacks for the message."""
    lacks = [
        Lack(LackCode.QUALITY_MISSING, quality.value)
        for quality in sorted(route.qualities - relation.qualities)
    ]
    if not relation.names(scope.brand):
        lacks.append(Lack(LackCode.OTHER_SCOPE))
    if route.kinds and facts.recipient.kind not in route.kinds:
        needed = ", ".join(sorted(kind.value for kind in route.kinds))
        lacks.append(Lack(LackCode.OTHER_RECIPIENT_KIND, needed, facts.recipient.kind.value))
    if route.since is not None:
        earliest = min(local_dates(relation.at, facts.recipient.time_zones))
        if earliest < route.since:
            lacks.append(Lack(LackCode.BEFORE_THE_LAW, route.since.isoformat()))
    return (*lacks, *_lapsed(route.until(relation, record, scope, facts), facts))


def _lapsed(until: datetime | None, facts: Facts) -> tuple[Lack, ...]:
    if until is None or until > facts.message.send_at:
        return ()
    return (Lack(LackCode.LAPSED, has=until.isoformat()),)
