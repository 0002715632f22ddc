"""What dispatching asks of the writer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.propagation import attempts, deadlines, endings, endpoints
from consent.propagation.attempts import Attempt, Claimed
from consent.propagation.endpoints import Endpoint
from consent.propagation.laws import Deadlines
from consent.propagation.words import DisabledWhy, Problem


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Up to ``count`` deliveries of an endpoint are wanted by the process ``by``."""

    endpoint: str
    count: int
    by: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What was claimed, and where it goes, as it stands now. ``endpoint`` None: nowhere."""

    endpoint: Endpoint | None
    claimed: Sequence[Claimed]


class ClaimDeliveries:
    """The work that takes deliveries to attempt. It needs no organisation: it locks no log."""

    name = "claim_deliveries"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[ClaimRequest], *, now: datetime
    ) -> list[Claim]:
        """Claim for each; an endpoint that was disabled meanwhile gives none."""
        return [self._claim(connection, request, now) for request in requests]

    def _claim(self, connection: Connection, request: ClaimRequest, now: datetime) -> Claim:
        endpoint = endpoints.find_anybodys(connection, request.endpoint, keys=self._keys)
        if endpoint is None or endpoint.disabled_at is not None:
            return Claim(None, ())
        claimed = attempts.claim(
            connection, request.endpoint, count=request.count, by=request.by, now=now
        )
        return Claim(endpoint, claimed)


class ConcludeAttempts:
    """The work that puts on record what came of attempts. Submit it for the organisation."""

    name = "conclude_attempts"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[Attempt], *, now: datetime
    ) -> list[None]:
        """Conclude all; an endpoint that says it is gone is disabled, and keeps what waits."""
        attempts.conclude(connection, requests, now=now)
        gone = {
            (one.claimed.organisation, one.claimed.endpoint)
            for one in requests
            if one.problem is Problem.GONE
        }
        for organisation, id_ in gone:
            endpoint = endpoints.find(connection, organisation, id_, keys=self._keys)
            if endpoint is not None:
                endpoints.disable(connection, endpoint, why=DisabledWhy.GONE, now=now)
        return [None for _ in requests]


class ReleaseClaims:
    """The work that gives back what was claimed and will not be attempted now."""

    name = "release_claims"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[Sequence[Claimed]], *, now: datetime
    ) -> list[None]:
        """Give all back."""
        attempts.release(connection, [one for each in requests for one in each], now=now)
        return [None for _ in requests]


class HurryEndpoints:
    """The work that makes due what waits for endpoints that are back; it is given their ids."""

    name = "hurry_endpoint"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Hurry each."""
        return [attempts.hurry(connection, endpoint, now=now) for endpoint in requests]


class LetGo:
    """The work of a start after which nobody else can hold a claim."""

    name = "let_go_of_claims"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[None], *, now: datetime
    ) -> list[int]:
        """Drop every claim."""
        count = attempts.let_go(connection, now=now)
        return [count for _ in requests]


class FreeStranded:
    """The work that lets go what waits in a line that nobody heads; it needs no organisation."""

    name = "free_stranded"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[None], *, now: datetime
    ) -> list[int]:
        """Free all."""
        count = attempts.free_stranded(connection, now=now)
        return [count for _ in requests]


class WatchDeadlines:
    """The work that reckons deadlines, and tells of those that have passed.

    Its requests are organisations; its answers, how much there was to do.
    """

    name = "watch_deadlines"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing, laws: Deadlines) -> None:
        self._keys = keys
        self._laws = laws

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Look after each organisation."""
        done = []
        for organisation in requests:
            dated = deadlines.reckon(
                connection, organisation, deadlines=self._laws, keys=self._keys
            )
            late = deadlines.raise_overdue(connection, organisation, keys=self._keys, now=now)
            done.append(dated + late)
        return done


class WithholdErased:
    """The work that takes the addresses of the erased out of what is still on its way.

    Its requests are organisations; its answers, from how many.
    """

    name = "withhold_erased"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Withhold for each."""
        return [endings.withhold(connection, one, keys=self._keys, now=now) for one in requests]


@dataclass(frozen=True, slots=True)
class Swept:
    """Deliveries to be deleted, and those that only their bodies are taken from."""

    passed: Sequence[bytes]
    given_up: Sequence[bytes]


class SweepDeliveries:
    """The work that ends what was settled long ago; it needs no organisation."""

    name = "sweep_deliveries"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[Swept], *, now: datetime
    ) -> list[int]:
        """Sweep each; give how many there were."""
        for request in requests:
            endings.delete(connection, request.passed)
            endings.drop_bodies(connection, request.given_up)
        return [len(request.passed) + len(request.given_up) for request in requests]
