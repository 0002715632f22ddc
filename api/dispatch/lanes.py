"""One lane an endpoint: what is due there is claimed, attempted and concluded, and no endpoint
waits for another.

A lane that fails again and again rests, and then tries with one delivery whether the endpoint is
back; what is due stays due meanwhile. So a dead endpoint costs next to nothing.
"""

import asyncio
import os
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from api.dispatch.works import (
    Claim,
    ClaimDeliveries,
    ClaimRequest,
    ConcludeAttempts,
    HurryEndpoints,
    ReleaseClaims,
)
from api.errors import RetryLaterError
from api.exchange import Service
from api.roles import NO_ORGANISATION
from api.work import Work
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import ReadOnlyError
from consent.ledger.identifiers import label_of
from consent.propagation import outbox
from consent.propagation.attempts import Attempt, Claimed
from consent.propagation.cloud_events import data_in
from consent.propagation.courier import ATTEMPT_SECONDS, CONNECTIONS_MAX, Courier, Outcome
from consent.propagation.deadlines import deadline_in
from consent.propagation.deliveries import ID_PREFIX
from consent.propagation.endpoints import Endpoint
from consent.propagation.guard import GuardedBackend
from consent.propagation.laws import Deadline, Deadlines
from consent.propagation.schedule import RETRY_AFTER_MAX, next_attempt, rest_of
from consent.propagation.words import OWED, Problem, Proof

R = TypeVar("R")

CLAIMED_AT_ONCE: Final = 4 * CONNECTIONS_MAX
FAILING: Final = 8
"""After so many failures in a row, without one success, an endpoint is taken for dead."""

_SLOW_DOWN: Final = frozenset({429, 503})
_TOO_LATE: Final = timedelta(seconds=2 * ATTEMPT_SECONDS)
_DATED_MAX: Final = 4096

Countries = Callable[[str], Awaitable[Mapping[str, str]]]
"""Gives the countries of an organisation's senders."""


@dataclass(kw_only=True)
class Road:
    """What all lanes share: the way to the writer, to the law and to the network."""

    service: Service
    keys: KeyRing
    laws: Deadlines
    countries: Countries
    backend: GuardedBackend
    tls: Callable[[], ssl.SSLContext]
    attempt_seconds: float = ATTEMPT_SECONDS
    chance: Callable[[], float] = random.random
    name: bytes = field(default_factory=lambda: os.urandom(8))
    dated: dict[bytes, Deadline] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.claim = ClaimDeliveries(self.keys)
        self.conclude = ConcludeAttempts(self.keys)
        self.release = ReleaseClaims()
        self.hurry = HurryEndpoints()

    async def deadline_of(self, claimed: Claimed, body: bytes) -> Deadline | None:
        """When an opt-out or erasure must have arrived; the same event is reckoned once."""
        if claimed.event not in OWED:
            return None
        if claimed.deadline_at is not None:
            return Deadline(claimed.deadline_at)
        known = self.dated.get(claimed.event_id)
        if known is None:
            countries = await self.countries(claimed.organisation)
            known = deadline_in(
                self.laws, data_in(body), countries, recorded_at=claimed.recorded_at
            )
            if len(self.dated) >= _DATED_MAX:
                self.dated.clear()
            self.dated[claimed.event_id] = known
        return known


class Lane:
    """The way to one endpoint. ``rest_until``: nothing is attempted before."""

    def __init__(self, endpoint: str, road: Road) -> None:
        self.endpoint = endpoint
        self.rest_until: datetime | None = None
        self._road = road
        self._failures_in_row = 0
        self._courier: Courier | None = None
        self._retired: list[Courier] = []
        self._waiting: deque[Claimed] = deque()
        self._claiming = asyncio.Lock()
        self._dry = False

    @property
    def is_failing(self) -> bool:
        """Whether the endpoint is taken for dead."""
        return self._failures_in_row >= FAILING

    def is_resting(self, now: datetime) -> bool:
        """Whether nothing is to be attempted at ``now``."""
        return self.rest_until is not None and now < self.rest_until

    def wake(self) -> None:
        """End a rest: somebody says that it is worth another look."""
        self.rest_until = None

    async def drain(self) -> int:
        """Attempt all that is due, or until the endpoint fails; give how many attempts.

        Whatever stops it, what was claimed and not attempted is given back.
        """
        count = 0
        try:
            while not self.is_resting(self._road.service.clock.now()):
                self._dry = False
                width = 1 if self.is_failing else CONNECTIONS_MAX
                counts = await asyncio.gather(*(self._work(width) for _ in range(width)))
                count += sum(counts)
                if self._dry or not sum(counts):
                    break
        finally:
            await self._give_back()
            await self._close_retired()
        return count

    async def close(self) -> None:
        """Close the connections."""
        courier, self._courier = self._courier, None
        if courier is not None:
            self._retired.append(courier)
        await self._close_retired()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().close()

    async def _work(self, width: int) -> int:
        count = 0
        while (claimed := await self._next(width)) is not None:
            count += 1
            await self._attempt(claimed)
            if width == 1:
                break
        return count

    async def _next(self, width: int) -> Claimed | None:
        """The next to attempt; None where nothing is due, or the endpoint rests."""
        clock = self._road.service.clock
        async with self._claiming:
            if self.is_resting(clock.now()) or (self.is_failing and width > 1):
                return None
            if not self._waiting and not self._dry:
                await self._claim(1 if width == 1 else CLAIMED_AT_ONCE)
            if not self._waiting:
                return None
            claimed = self._waiting.popleft()
        if clock.now() > claimed.until - _TOO_LATE:
            # It waited here so long that another may have claimed it by the time it arrives.
            self._waiting.appendleft(claimed)
            return None
        return claimed

    async def _claim(self, count: int) -> None:
        wanted = ClaimRequest(self.endpoint, count, self._road.name)
        try:
            got: Claim = await self._road.service.writer.submit(
                self._road.claim, wanted, organisation=NO_ORGANISATION
            )
        except (RetryLaterError, ReadOnlyError):
            self._dry = True
            return
        self._dry = len(got.claimed) < count
        if got.endpoint is not None:
            self._go_to(got.endpoint)
            self._waiting.extend(got.claimed)

    def _go_to(self, endpoint: Endpoint) -> None:
        """Send there from now on. A new secret signs what comes; what is under way has its own."""
        if self._courier is not None and self._courier.endpoint == endpoint:
            return
        if self._courier is not None:
            self._retired.append(self._courier)
        self._courier = Courier(
            endpoint,
            backend=self._road.backend,
            tls=self._road.tls(),
            attempt_seconds=self._road.attempt_seconds,
        )

    async def _attempt(self, claimed: Claimed) -> None:
        road, courier = self._road, self._courier
        assert courier is not None, "what was claimed goes somewhere"
        at = road.service.clock.now()
        deadline: Deadline | None = None
        try:
            body = outbox.open_body(
                claimed.organisation, claimed.id, claimed.sealed_body, keys=road.keys
            )
            deadline = await road.deadline_of(claimed, body)
        except (BrokenSealError, UnknownKeyError) as error:
            road.service.telemetry.work_failed("open_delivery", error)
            outcome = Outcome(None, Problem.BODY_UNREADABLE)
        else:
            outcome = await courier.carry(label_of(ID_PREFIX, claimed.id), body, now=at)
        is_back = self.is_failing and outcome.problem is None
        self._note(outcome, at)
        road.service.telemetry.delivery_attempted(
            "arrived" if outcome.problem is None else outcome.problem.value
        )
        await self._conclude(claimed, outcome, at, deadline, courier.endpoint)
        if is_back:
            await self._submit(road.hurry, self.endpoint, organisation=NO_ORGANISATION)

    def _note(self, outcome: Outcome, at: datetime) -> None:
        if outcome.problem is None:
            self._failures_in_row = 0
            return
        if outcome.problem is Problem.BODY_UNREADABLE:
            return
        self._failures_in_row += 1
        if self.is_failing:
            self.rest_until = at + rest_of(self._failures_in_row)
        if outcome.status in _SLOW_DOWN and outcome.retry_after is not None:
            asked = at + min(outcome.retry_after, RETRY_AFTER_MAX)
            self.rest_until = max(asked, self.rest_until or asked)

    async def _conclude(
        self,
        claimed: Claimed,
        outcome: Outcome,
        at: datetime,
        deadline: Deadline | None,
        endpoint: Endpoint,
    ) -> None:
        due_at = None
        if outcome.problem is Problem.GONE:
            due_at = at  # When somebody enables the endpoint again, it goes at once.
        elif outcome.problem is not None:
            due_at = next_attempt(
                claimed.event,
                failure_count=claimed.attempt_count + 1,
                now=at,
                chance=self._road.chance(),
                retry_after=outcome.retry_after,
                deadline_at=None if deadline is None else deadline.at,
            )
        attempt = Attempt(
            claimed=claimed,
            at=at,
            status=outcome.status,
            problem=outcome.problem,
            settles=endpoint.proof is Proof.DELIVERED or claimed.event not in OWED,
            due_at=due_at,
            deadline=deadline,
        )
        # If that cannot be told now, it goes again when the claim lapses, and the receiver knows it
        # by its id.
        await self._submit(self._road.conclude, attempt, organisation=claimed.organisation)

    async def _give_back(self) -> None:
        left = list(self._waiting)
        self._waiting.clear()
        if left:  # If not now, the claims lapse by themselves.
            await self._submit(self._road.release, left, organisation=NO_ORGANISATION)

    async def _submit(self, work: Work[R, Any], request: R, *, organisation: str) -> None:
        """Tell the writer; where it takes nothing now, this lane has done for now as well."""
        try:
            await self._road.service.writer.submit(work, request, organisation=organisation)
        except (RetryLaterError, ReadOnlyError):
            self._dry = True
