"""Sees that every lane runs that has something due, until told to stop."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache, partial
from typing import Final

import httpx

from api.dispatch.lanes import Lane, Road
from api.dispatch.scheduled import TellScheduled
from api.dispatch.stale import TellStale
from api.dispatch.works import (
    FreeStranded,
    LetGo,
    SweepDeliveries,
    Swept,
    WatchDeadlines,
    WithholdErased,
)
from api.errors import RetryLaterError
from api.exchange import Service
from api.operations.adopt_release import all_organisations
from api.operations.propagation.reconcile import TellSummaries
from api.roles import NO_ORGANISATION
from api.work import Work
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import ReadOnlyError
from consent.propagation import attempts, deadlines, endings, reconciliation
from consent.propagation.brokers import Brokers
from consent.propagation.courier import ATTEMPT_SECONDS
from consent.propagation.guard import GuardedBackend, Resolve, resolve
from consent.propagation.laws import Deadlines
from jurisdictions.releases import Release
from rules.errors import ComplianceError

LOOK_SECONDS: Final = 1.0
"""How often it looks whether something has come due: what another process recorded, a retry."""

BREATH_SECONDS: Final = 0.1
"""After a turn of the writer so long passes before it looks, and then for many turns at once."""

WATCH_SECONDS: Final = 5.0
STALE_SECONDS: Final = 3600.0
SCHEDULED_SECONDS: Final = 3600.0
SUMMARY_SECONDS: Final = 3600.0
SWEEP_SECONDS: Final = 3600.0
COUNTRIES_KEPT: Final = timedelta(minutes=1)


@cache
def _public_authorities() -> ssl.SSLContext:
    """What vouches for an endpoint. Reading it takes a moment, so it is read when first needed."""
    return httpx.create_ssl_context(trust_env=False)


class Dispatcher:
    """The lanes of all endpoints of this process. Other processes have lanes to the same ones:
    what one has claimed the others leave alone."""

    def __init__(
        self,
        service: Service,
        keys: KeyRing,
        release: Release,
        *,
        to_loopback: bool = False,
        brokers: Brokers | None = None,
        kept_for: timedelta = timedelta(days=90),
        tls: ssl.SSLContext | None = None,
        resolver: Resolve = resolve,
        attempt_seconds: float = ATTEMPT_SECONDS,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._service = service
        laws = Deadlines(release)
        self._road = Road(
            service=service,
            keys=keys,
            laws=laws,
            countries=self._countries_of,
            backend=GuardedBackend(to_loopback=to_loopback, resolver=resolver),
            brokers=brokers or Brokers(),
            tls=_public_authorities if tls is None else lambda: tls,
            attempt_seconds=attempt_seconds,
        )
        if chance is not None:
            self._road.chance = chance
        self._watch = WatchDeadlines(keys, laws)
        self._free = FreeStranded()
        self._withhold = WithholdErased(keys)
        self._sweep = SweepDeliveries()
        self._kept_for = kept_for
        self._tell_stale = TellStale(keys, release)
        self._tell_scheduled = TellScheduled(keys, release)
        self._tell_summaries = TellSummaries(keys)
        self._lanes: dict[str, Lane] = {}
        self._running: dict[str, asyncio.Task[int]] = {}
        self._countries: dict[str, tuple[float, Mapping[str, str]]] = {}
        self._woken = asyncio.Event()

    def wake(self, endpoint: str | None = None) -> None:
        """Look at once; with ``endpoint`` also at that one if it rests."""
        if endpoint is not None and endpoint in self._lanes:
            self._lanes[endpoint].wake()
        self._woken.set()

    async def let_go(self) -> None:
        """Drop claims of a process that has died: only where there is no other process."""
        await self._service.writer.submit(LetGo(), None, organisation=NO_ORGANISATION)

    async def run_due(self) -> int:
        """Attempt all that is due now, at every endpoint; give how many attempts were made."""
        count = 0
        while True:
            await self._start_lanes()
            if not self._running:
                return count
            counts = await asyncio.gather(*self._running.values())
            count += sum(counts)
            if not sum(counts):
                return count

    async def watch(self) -> int:
        """Reckon deadlines, tell of those that have passed, let go what waits for nobody, and end
        the bodies of the erased; give how much there was to do."""
        now, reader = self._service.clock.now(), self._service.reader
        freed = 0
        if await reader.run(attempts.is_any_stranded):
            freed = await self._service.writer.submit(
                self._free, None, organisation=NO_ORGANISATION
            )
        there = await reader.run(lambda connection: deadlines.waiting(connection, now=now))
        done = await self._submit_each(self._watch, there)
        ended = await reader.run(lambda connection: endings.with_ended(connection, now=now))
        return freed + done + await self._submit_each(self._withhold, ended)

    async def sweep(self) -> int:
        """End what was settled long ago; give how many deliveries."""
        reader, count = self._service.reader, 0
        before = self._service.clock.now() - self._kept_for
        while True:
            found = await reader.run(
                lambda connection: Swept(
                    endings.find_passed(connection, before=before),
                    endings.find_given_up(connection, before=before),
                )
            )
            if not found.passed and not found.given_up:
                return count
            count += await self._service.writer.submit(
                self._sweep, found, organisation=NO_ORGANISATION
            )

    async def look_for_stale(self) -> int:
        """Tell of copies of registers that have gone stale; give how many rows were queued."""
        there = await self._service.reader.run(all_organisations)
        return await self._submit_each(self._tell_stale, there)

    async def look_for_scheduled(self) -> int:
        """Tell of the days on which law changes; give how many rows were queued."""
        there = await self._service.reader.run(all_organisations)
        return await self._submit_each(self._tell_scheduled, there)

    async def sum_up(self) -> int:
        """Tell each endpoint that asks for it what it should hold, once a day; give how many were
        queued."""
        now, reader = self._service.clock.now(), self._service.reader
        count = 0
        for one in await reader.run(lambda connection: reconciliation.wanting(connection, now=now)):
            summary = await reader.run(partial(reconciliation.sum_up, one=one, now=now))
            if summary is not None:
                count += await self._service.writer.submit(
                    self._tell_summaries, summary, organisation=one.organisation
                )
        return count

    async def run_forever(self) -> None:
        """Attempt what comes due, and watch deadlines, until cancelled."""
        self._service.writer.after_turns(self._woken.set)
        watching = [
            asyncio.create_task(self._do_forever(self.watch, WATCH_SECONDS)),
            asyncio.create_task(self._do_forever(self.look_for_stale, STALE_SECONDS)),
            asyncio.create_task(self._do_forever(self.look_for_scheduled, SCHEDULED_SECONDS)),
            asyncio.create_task(self._do_forever(self.sum_up, SUMMARY_SECONDS)),
            asyncio.create_task(self._do_forever(self.sweep, SWEEP_SECONDS)),
        ]
        try:
            while True:
                # What cannot be done now is tried again at the next look.
                with contextlib.suppress(RetryLaterError, ReadOnlyError):
                    await self._start_lanes()
                await self._wait()
        finally:
            for task in watching:
                task.cancel()
            await self.close()

    async def close(self) -> None:
        """Stop every lane where it stands; what it had claimed is given back or lapses."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.close()

    async def _start_lanes(self) -> None:
        """Start the lane of each endpoint where something is due and that does not run already."""
        self._running = {id_: task for id_, task in self._running.items() if not task.done()}
        due = await self._service.reader.run(attempts.due)
        now = self._service.clock.now()
        for id_, at in due.items():
            lane = self._lanes.get(id_)
            if lane is None:
                lane = self._lanes[id_] = Lane(id_, self._road)
            if at <= now and id_ not in self._running and not lane.is_resting(now):
                self._running[id_] = asyncio.create_task(self._drain(lane))

    async def _drain(self, lane: Lane) -> int:
        try:
            return await lane.drain()
        except Exception as error:
            self._service.telemetry.work_failed("dispatch", error)
            return 0
        finally:
            self._woken.set()

    async def _submit_each(self, work: Work[str, int], organisations: Iterable[str]) -> int:
        """Have the work done for each; what breaks at one keeps none of the others waiting."""
        count = 0
        for one in organisations:
            try:
                count += await self._service.writer.submit(work, one, organisation=one)
            except (RetryLaterError, ReadOnlyError):
                raise
            except ComplianceError as error:
                self._service.telemetry.work_failed(work.name, error)
        return count

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        self._woken.clear()
        await asyncio.sleep(BREATH_SECONDS)

    async def _do_forever(self, do: Callable[[], Awaitable[int]], every_seconds: float) -> None:
        while True:
            try:
                await do()
            except (RetryLaterError, ReadOnlyError):
                pass  # At the next look again.
            except Exception as error:  # Whatever it was: deadlines must go on being watched.
                self._service.telemetry.work_failed("dispatch", error)
            await asyncio.sleep(every_seconds)

    async def _countries_of(self, organisation: str) -> Mapping[str, str]:
        at = self._service.clock.monotonic()
        known = self._countries.get(organisation)
        if known is None or at - known[0] > COUNTRIES_KEPT.total_seconds():
            countries = await self._service.reader.run(
                lambda connection: deadlines.countries_of_senders(connection, organisation)
            )
            known = self._countries[organisation] = (at, countries)
        return known[1]
