"""Let a receiver find out what it has lost, and tell it that again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.errors import NotFoundError
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.propagation import endpoints, reconciliation
from consent.propagation.endpoints import Endpoint
from consent.propagation.errors import SignatureRefusedError
from consent.propagation.ranges import Range
from consent.propagation.reconciliation import Summary, ToldAgain
from consent.propagation.signatures import is_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedQuestion:
    """What a receiver asks: the three headers of Standard Webhooks, and the body, as they came."""

    webhook: str
    id: str
    timestamp: str
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True)
class MissingEvents:
    """Events that a webhook's receiver has lost; ``check_question`` has looked at its word."""

    organisation: str
    webhook: str
    event_ids: Sequence[bytes]


class TellAgain:
    """The work that queues anew what a receiver has lost. Submit it for the organisation."""

    name = "tell_again"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[MissingEvents], *, now: datetime
    ) -> list[ToldAgain]:
        """Queue for each."""
        return [
            reconciliation.tell_again(
                connection,
                request.organisation,
                request.webhook,
                tuple(dict.fromkeys(request.event_ids)),
                keys=self._keys,
                now=now,
            )
            for request in requests
        ]


class TellSummaries:
    """The work that queues the nightly summaries; its answers are how many rows were made."""

    name = "tell_summary"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[Summary], *, now: datetime
    ) -> list[int]:
        """Queue each, unless another process has."""
        return [
            reconciliation.tell_summary(connection, request, keys=self._keys, now=now)
            for request in requests
        ]


def check_question(
    connection: Connection, question: SignedQuestion, *, keys: KeyRing, now: datetime
) -> Endpoint:
    """The webhook whose receiver asks. ``NotFoundError``: there is none; ``SignatureRefusedError``:
    whoever asks is not its receiver, or asked long ago, or asked about another."""
    endpoint = endpoints.find_anybodys(connection, question.webhook, keys=keys)
    if endpoint is None:
        raise NotFoundError("there is no such webhook")
    signed = question.id == endpoint.id and is_signed(
        endpoint.secrets,
        id_=question.id,
        timestamp=question.timestamp,
        signature=question.signature,
        body=question.body,
        now=now,
    )
    if not signed:
        raise SignatureRefusedError(
            "sign as Standard Webhooks do (v1), with the webhook's secret and its id as webhook-id"
        )
    return endpoint


def compare(
    connection: Connection, endpoint: Endpoint, *, at: int, prefixes: Sequence[str]
) -> list[Range]:
    """What it should hold up to index ``at`` in each of these ranges."""
    held = reconciliation.held_by(connection, endpoint.id, at=at)
    return [held.range_of(prefix) for prefix in prefixes]
