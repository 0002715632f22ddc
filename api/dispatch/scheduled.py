"""Tell once of every day on which law changes: when it is first known here, and when it is near."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection

from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.propagation import endpoints, outbox
from consent.propagation.cloud_events import Told
from consent.propagation.words import WebhookEvent
from jurisdictions.releases import Release
from rules.rule import Value

NEAR: Final = timedelta(days=30)


class Notice(StrEnum):
    """Why it is told now."""

    ANNOUNCED = "announced"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class Change:
    """On this day, where they bind, these rules begin, change or end."""

    on: date
    rules: tuple[str, ...]
    jurisdictions: tuple[str, ...]


def changes_in(release: Release) -> tuple[Change, ...]:
    """Every day on which a rule of the release begins, changes or ends, in order."""
    found: dict[date, set[tuple[str, str]]] = {}
    for regulation in release.regulations:
        for rule in regulation.rules:
            for value in rule.values:
                for on in _days_of(value):
                    place = (rule.id, regulation.head.jurisdiction)
                    found.setdefault(on, set()).add(place)
    return tuple(
        Change(
            on,
            tuple(sorted({rule for rule, _ in places})),
            tuple(sorted({jurisdiction for _, jurisdiction in places})),
        )
        for on, places in sorted(found.items())
    )


class TellScheduled:
    """The work; its requests are organisations, its answers how many rows were queued."""

    name = "tell_scheduled"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing, release: Release) -> None:
        self._keys = keys
        self._release = release
        self._changes = changes_in(release)

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Tell each organisation that has an endpoint which wants to know."""
        return [self._tell(connection, organisation, now) for organisation in requests]

    def _tell(self, connection: Connection, organisation: str, now: datetime) -> int:
        listening = endpoints.listening(connection, organisation)
        if not any(by.wants(WebhookEvent.RULES_SCHEDULED) for by in listening):
            return 0
        told = [
            self._told(organisation, change, notice, now)
            for change in self._changes
            for notice in _notices(change, now.date())
        ]
        return outbox.tell(
            connection,
            organisation,
            told,
            listening=listening,
            keys=self._keys,
            now=now,
            once=True,
        )

    def _told(self, organisation: str, change: Change, notice: Notice, now: datetime) -> Told:
        # Another release that says the same of this day has nothing new to tell.
        what = f"scheduled {organisation} {change.on} {notice} {' '.join(change.rules)}"
        return Told(
            event=WebhookEvent.RULES_SCHEDULED,
            event_id=sha256(what.encode()).digest()[:16],
            at=now,
            data={
                "release": self._release.id,
                "digest": self._release.digest,
                "takes_effect_on": change.on,
                "notice": notice,
                "jurisdictions": change.jurisdictions,
                "rules": change.rules,
            },
        )


def _days_of(value: Value) -> Iterator[date]:
    """When it comes into force and ends, and from when a part of it says something else."""
    yield value.provision.in_force_from
    if value.until is not None:
        yield value.until
    yield from _days_in(value.terms)


def _days_in(terms: object) -> Iterator[date]:
    if isinstance(terms, tuple | frozenset):
        for part in terms:
            yield from _days_in(part)
    elif is_dataclass(terms):
        for field in fields(terms):
            part = getattr(terms, field.name)
            if isinstance(part, date) and field.name.endswith(("_from", "_until")):
                yield part
            else:
                yield from _days_in(part)


def _notices(change: Change, today: date) -> Iterator[Notice]:
    if change.on > today:
        yield Notice.ANNOUNCED
        if change.on <= today + NEAR:
            yield Notice.NEAR
