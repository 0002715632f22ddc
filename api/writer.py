"""The one queue and the one thread that write; concurrent requests share a transaction.

A turn drains what is waiting, runs it in one transaction, commits, and only then answers.
Nobody else begins a writing transaction, so a check is ordered after every event that was
acknowledged before it, and two checks for the last place of a cap meet in one order.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue
from typing import Any, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from api.clock import Clock
from api.errors import (
    CheckFailedError,
    ImportThrottledError,
    OutcomeUnknownError,
    OverloadedError,
    StoppingError,
    StoreUnavailableError,
    WorkFailedError,
)
from api.work import Once, Perishable, Priority, Reply, Work
from consent.ledger.errors import ReadOnlyError
from rules.errors import ComplianceError

TURN_WEIGHT_MAX = 256
TURN_WEIGHT_MIN = 64
TURN_SECONDS = 0.02
"""A turn takes what it can do in about this time, within the two limits of weight."""

LockHeads = Callable[[Connection, Sequence[str]], None]
"""Takes the head locks of these organisations (sorted), in the fixed order of logs."""


class Answers(Protocol):
    """The memory of answers given under idempotency keys; ``idempotency.py`` has the real one."""

    def find_many(
        self, connection: Connection, wanted: Sequence[tuple[str, str]], *, now: datetime
    ) -> dict[tuple[str, str], tuple[bytes, Reply | ComplianceError]]: ...

    def keep_many(
        self,
        connection: Connection,
        answered: Sequence[tuple[str, Once, Reply]],
        *,
        now: datetime,
    ) -> None: ...

    def mismatch(self) -> ComplianceError: ...


class Watcher(Protocol):
    """Who is told of turns, failures and the end of writing: ``telemetry.py``."""

    def turn_done(self, *, size: int, seconds: float, waiting: int) -> None: ...

    def work_failed(self, work: str, error: BaseException) -> None: ...

    def refuses(self, why: str) -> None: ...


@dataclass(slots=True, eq=False)
class Item:
    """One request on its way through a turn. ``outcome`` is an answer or an exception."""

    work: Work[Any, Any]
    request: Any
    organisation: str
    once: Once | None
    weight: int
    future: "asyncio.Future[Any]"
    outcome: Any = None


@dataclass(slots=True)
class Queue:
    """What waits, by priority. One thread appends, another takes; ``deque`` makes that safe."""

    limit: int
    lanes: tuple[deque[Item], ...] = field(default_factory=lambda: tuple(deque() for _ in Priority))

    def add(self, item: Item) -> None:
        """Put ``item`` in its lane, or refuse it for load. Opt-outs are never refused."""
        priority = item.work.priority
        lane = self.lanes[priority]
        if priority is Priority.IMPORT:
            if len(lane) >= max(1, self.limit // 16):
                raise ImportThrottledError("too many imports are waiting; go on a little later")
        elif priority is not Priority.OPT_OUT and len(lane) >= self.limit:
            raise OverloadedError("too many requests are waiting; nothing was decided")
        lane.append(item)

    def put_back(self, items: Sequence[Item]) -> None:
        """Return ``items`` to the heads of their lanes, in their order."""
        for item in reversed(items):
            self.lanes[item.work.priority].appendleft(item)

    def take(self, weight: int) -> list[Item]:
        """Take up to ``weight`` worth, most urgent first, but something of every lane.

        One request that alone weighs more is taken all the same: it would never fit.
        """
        taken: list[Item] = []
        left = self._take_from(self.lanes[Priority.OPT_OUT], weight, taken)
        for lane in self.lanes[1:]:
            if lane and left > 0:
                first = lane.popleft()
                taken.append(first)
                left -= first.weight
        for lane in self.lanes[1:]:
            left = self._take_from(lane, left, taken)
        taken.sort(key=_urgency)
        return taken

    @staticmethod
    def _take_from(lane: deque[Item], left: int, taken: list[Item]) -> int:
        while lane and left > 0:
            item = lane.popleft()
            taken.append(item)
            left -= item.weight
        return left

    def __len__(self) -> int:
        return sum(map(len, self.lanes))


class Writer:
    """One thread, one connection, one transaction a turn."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        lock_heads: LockHeads,
        answers: Answers,
        watcher: Watcher,
        queue_limit: int,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lock_heads = lock_heads
        self._answers = answers
        self._watcher = watcher
        self._queue = Queue(queue_limit)
        self._wake_ups: SimpleQueue[None] = SimpleQueue()
        self._idle = False
        self._wake_scheduled = False
        self._stopping = False
        self._read_only: str | None = None
        self._on_turn: list[Callable[[], None]] = []
        self._connection: Connection | None = None
        self._unit_seconds = TURN_SECONDS / TURN_WEIGHT_MAX
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # Called in the event loop's thread.

    def start(self) -> None:
        """Begin to take turns. Call it in the running loop that will submit."""
        assert self._thread is None, "a writer starts once"
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._take_turns, name="writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Work[Any, Any],
        request: Any,
        *,
        organisation: str,
        once: Once | None = None,
        weight: int = 1,
    ) -> "asyncio.Future[Any]":
        """Queue one request; the future has its answer once the turn has committed.

        With ``once`` the answer is a ``Reply``. ``weight`` counts what is inside: a batch of a
        thousand events weighs a thousand.
        """
        if self._stopping or not self.is_alive:
            raise StoppingError("the service is stopping; nothing was decided")
        if self._read_only is not None:
            raise ReadOnlyError(f"nothing was decided or recorded: {self._read_only}")
        loop = self._loop
        assert loop is not None, "is_alive says that the writer has started"
        item = Item(work, request, organisation, once, weight, loop.create_future())
        self._queue.add(item)
        # Waking waits until the loop has run what is ready: requests that arrived together
        # are all in the queue by then and share the turn. A lone one loses nothing.
        if not self._wake_scheduled:
            self._wake_scheduled = True
            loop.call_soon(self._wake)
        return item.future

    async def stop(self) -> None:
        """Take nothing new, answer everything that waits, and close the connection."""
        self._stopping = True
        if self._thread is not None:
            self._wake_ups.put(None)
            await asyncio.to_thread(self._thread.join)

    def refuse(self, why: str) -> None:
        """Take no more work in this process: what would be written to is not sound."""
        self._read_only = why
        self._watcher.refuses(why)

    def after_turns(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called in the event loop after each turn, beside whoever asked before."""
        self._on_turn.append(tell)

    @property
    def read_only(self) -> str | None:
        """Why nothing is written; None where all is well."""
        return self._read_only

    @property
    def is_alive(self) -> bool:
        """Whether the thread is there to take turns."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def waiting_count(self) -> int:
        """How many requests wait for a turn."""
        return len(self._queue)

    def _wake(self) -> None:
        self._wake_scheduled = False
        if self._idle:
            self._idle = False
            self._wake_ups.put(None)

    def _deliver(self, items: Sequence[Item]) -> None:
        for tell in self._on_turn:
            tell()
        for item in items:
            if item.future.done():  # Its caller has gone; what it asked for is done all the same.
                continue
            if isinstance(item.outcome, BaseException):
                item.future.set_exception(item.outcome)
            else:
                item.future.set_result(item.outcome)

    # Called in the writer's thread.

    def _take_turns(self) -> None:
        loop = self._loop
        assert loop is not None, "start() sets the loop before the thread"
        while True:
            items = self._queue.take(self._turn_weight())
            if not items:
                if self._stopping:
                    break
                # Look again after saying that we sleep: what came in between must not wait.
                self._idle = True
                if not len(self._queue):
                    self._wake_ups.get()
                self._idle = False
                continue
            began = self._clock.monotonic()
            put_back = self._turn(items)
            if put_back:
                self._queue.put_back(put_back)
                items = [item for item in items if item not in put_back]
            self._measure(items, self._clock.monotonic() - began)
            loop.call_soon_threadsafe(self._deliver, items)
        self._discard_connection()

    def _turn_weight(self) -> int:
        return min(TURN_WEIGHT_MAX, max(TURN_WEIGHT_MIN, int(TURN_SECONDS / self._unit_seconds)))

    def _measure(self, items: Sequence[Item], seconds: float) -> None:
        weight = sum(item.weight for item in items) or 1
        self._unit_seconds += 0.1 * (seconds / weight - self._unit_seconds)
        self._unit_seconds = max(self._unit_seconds, 1e-6)
        self._watcher.turn_done(size=len(items), seconds=seconds, waiting=len(self._queue))

    def _turn(self, items: Sequence[Item]) -> list[Item]:
        """Give every item its outcome, but for those returned: they need another turn."""
        now = self._clock.now()
        try:
            connection = self._begin(items)
            fresh, put_back = self._answer_again(connection, items, now)
            groups = _by_work(fresh)
            if len(groups) == 1:
                self._run_alone(connection, groups[0], now)
            else:
                for group in groups:
                    self._run_group(connection, group, now)
        except Exception as error:
            return self._fail_all(items, error, StoreUnavailableError, "nothing was decided")
        try:
            connection.commit()
        except Exception as error:
            # It may or may not be on disk. Nobody is told that it is; who asks again with the
            # same idempotency key learns it, and the next turn reads the heads anew.
            return self._fail_all(items, error, OutcomeUnknownError, "ask again")
        return put_back

    def _begin(self, items: Sequence[Item]) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        self._connection.begin()
        organisations = {item.organisation for item in items if item.organisation}
        self._lock_heads(self._connection, sorted(organisations))
        return self._connection

    def _answer_again(
        self, connection: Connection, items: Sequence[Item], now: datetime
    ) -> tuple[list[Item], list[Item]]:
        """Settle what was answered before; return what is new, and what must wait.

        A duplicate of a request in this very turn waits for the next, where it finds the answer.
        """
        wanted = [(item.organisation, item.once.key) for item in items if item.once]
        if not wanted:
            return list(items), []
        known = self._answers.find_many(connection, wanted, now=now)
        fresh: list[Item] = []
        put_back: list[Item] = []
        under_way: set[tuple[str, str]] = set()
        for item in items:
            if item.once is None:
                fresh.append(item)
                continue
            place = (item.organisation, item.once.key)
            if place in known:
                item.outcome = self._known_answer(connection, item, *known[place], now=now)
            elif place in under_way:
                put_back.append(item)
            else:
                under_way.add(place)
                fresh.append(item)
        return fresh, put_back

    def _known_answer(
        self,
        connection: Connection,
        item: Item,
        request_hash: bytes,
        reply: Reply | ComplianceError,
        *,
        now: datetime,
    ) -> Reply | ComplianceError:
        assert item.once is not None, "only asked for items that have a key"
        if request_hash != item.once.request_hash:
            return self._answers.mismatch()
        if isinstance(reply, ComplianceError):
            return reply
        if isinstance(item.work, Perishable):
            overtaken = item.work.superseded(connection, item.organisation, reply, now=now)
            if overtaken is not None:
                return overtaken
        return reply

    def _run_alone(self, connection: Connection, group: Sequence[Item], now: datetime) -> None:
        """Run the only group of a turn: what it would spoil is the turn, so that is rolled back.

        A savepoint costs SQLite a copy of every page that changes under it.
        """
        try:
            self._run(connection, group, now)
        except Exception as error:
            connection.rollback()
            self._begin(group)
            if len(group) == 1:
                group[0].outcome = self._failure(group[0], error)
            for item in group if len(group) > 1 else ():
                self._run_group(connection, [item], now)

    def _run_group(self, connection: Connection, group: Sequence[Item], now: datetime) -> None:
        savepoint = connection.begin_nested()
        try:
            self._run(connection, group, now)
        except Exception as error:
            # If this raises too, the transaction itself is broken and the turn fails.
            savepoint.rollback()
            if len(group) > 1:
                for item in group:
                    self._run_group(connection, [item], now)
                return
            group[0].outcome = self._failure(group[0], error)
        else:
            savepoint.commit()

    def _run(self, connection: Connection, group: Sequence[Item], now: datetime) -> None:
        work = group[0].work
        outcomes = work.run_many(connection, [item.request for item in group], now=now)
        assert len(outcomes) == len(group), "a work gives as many answers as it got requests"
        kept: list[tuple[str, Once, Reply]] = []
        for item, outcome in zip(group, outcomes, strict=True):
            item.outcome = outcome
            if item.once is not None and not isinstance(outcome, ComplianceError):
                item.outcome = item.once.render(outcome)
                kept.append((item.organisation, item.once, item.outcome))
        if kept:
            self._answers.keep_many(connection, kept, now=now)

    def _failure(self, item: Item, error: Exception) -> ComplianceError:
        if isinstance(error, ComplianceError):
            return error
        self._watcher.work_failed(item.work.name, error)
        if isinstance(error, SQLAlchemyError):
            return StoreUnavailableError("the database refused; nothing was decided or recorded")
        if item.work.priority is Priority.CHECK:
            return CheckFailedError("the check could not be made; do not send")
        return WorkFailedError("something broke here; nothing was recorded")

    def _fail_all(
        self,
        items: Sequence[Item],
        error: Exception,
        kind: type[StoreUnavailableError] | type[OutcomeUnknownError],
        what: str,
    ) -> list[Item]:
        self._watcher.work_failed("turn", error)
        self._discard_connection()
        for item in items:
            item.outcome = kind(f"the database failed; {what}")
        return []

    def _discard_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception as error:
            self._watcher.work_failed("turn", error)


def _urgency(item: Item) -> int:
    return int(item.work.priority)


def _by_work(items: Sequence[Item]) -> list[list[Item]]:
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(id(item.work), []).append(item)
    return list(groups.values())
