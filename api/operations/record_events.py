"""Record consent events: what people said and did, each durable before it is acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.events import ConsentEvent
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.recording import EventInput, Recorded, record_events
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

ID_PREFIX = "evt"

EventAnswer = Recorded | ComplianceError


@dataclass(frozen=True, slots=True)
class Said:
    """One event, and the address of the person that it concerns. ``is_fresh``: it is a stop that is
    passed on by itself, just after it was said."""

    address: Address
    event: ConsentEvent
    is_fresh: bool = False


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events that came in together. ``actor`` is the id of the key that brought them."""

    organisation: str
    actor: str
    events: Sequence[Said]


class RecordEvents:
    """The work; its requests are batches, a single event is a batch of one.

    The answer to a batch is a list in its order. What can be recorded is, whatever the others.
    """

    name = "record_events"
    priority = Priority.EVENT

    def __init__(self, keys: KeyRing, *, release: str) -> None:
        self._keys = keys
        self._release = release

    def run_many(
        self, connection: Connection, requests: Sequence[EventBatch], *, now: datetime
    ) -> list[list[EventAnswer]]:
        """Record every batch of the turn, those of one organisation together."""
        grouped: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            grouped.setdefault(request.organisation, []).append(place)
        answers: dict[int, list[EventAnswer]] = {}
        for organisation, places in grouped.items():
            inputs = [
                EventInput(
                    said.address,
                    said.event,
                    uuid7(now),
                    requests[place].actor,
                    is_fresh=said.is_fresh,
                )
                for place in places
                for said in requests[place].events
            ]
            recorded = iter(
                record_events(
                    connection,
                    organisation,
                    inputs,
                    keys=self._keys,
                    now=now,
                    release=self._release,
                )
            )
            for place in places:
                answers[place] = [next(recorded) for _ in requests[place].events]
        return [answers[place] for place in range(len(requests))]


class RecordEvent:
    """The same for requests of one event: the answer is its receipt, or the refusal itself."""

    name = "record_event"
    priority = Priority.EVENT

    def __init__(self, batches: RecordEvents) -> None:
        self._batches = batches

    def run_many(
        self, connection: Connection, requests: Sequence[EventBatch], *, now: datetime
    ) -> list[EventAnswer]:
        """Record the one event of each request."""
        assert all(len(request.events) == 1 for request in requests), "batches have another work"
        answers = self._batches.run_many(connection, requests, now=now)
        return [answer for (answer,) in answers]
