"""The writer's promises: record, then answer; one that fails takes nothing with it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from api.database import writing_engine
from api.errors import (
    CheckFailedError,
    ConflictError,
    IdempotencyMismatchError,
    ImportThrottledError,
    OutcomeUnknownError,
    OverloadedError,
    StoppingError,
    StoreUnavailableError,
    WorkFailedError,
)
from api.work import Once, Priority, Reply
from api.writer import Item, Queue, Writer
from rules.errors import ComplianceError
from tests.support.clock import FixedClock

NOTES = "CREATE TABLE note (body TEXT PRIMARY KEY, turn TEXT, CHECK (body <> 'forbidden'))"


class Notebook:
    """A work that writes down what it is asked to, and remembers in which calls."""

    name = "note"

    def __init__(self, priority: Priority = Priority.OTHER) -> None:
        self.priority = priority
        self.calls: list[list[str]] = []

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[str | ComplianceError]:
        self.calls.append(list(requests))
        answers: list[str | ComplianceError] = []
        for body in requests:
            if body == "bug":
                raise AssertionError("ours")
            if body == "refused":
                answers.append(ConflictError("refused"))
                continue
            if body == "rejected":
                raise ConflictError("rejected")
            connection.exec_driver_sql(_insert(connection), (body, str(len(self.calls))))
            answers.append(f"noted {body}")
        return answers


class Remembered:
    """A memory of answers, in the database as the real one, but open."""

    def __init__(self, engine: Engine) -> None:
        self.kept: dict[tuple[str, str], tuple[bytes, Reply]] = {}

    def find_many(
        self, connection: Connection, wanted: Sequence[tuple[str, str]], *, now: datetime
    ) -> dict[tuple[str, str], tuple[bytes, Reply | ComplianceError]]:
        return {place: self.kept[place] for place in wanted if place in self.kept}

    def keep_many(
        self, connection: Connection, answered: Sequence[tuple[str, Once, Reply]], *, now: datetime
    ) -> None:
        for organisation, once, reply in answered:
            self.kept[organisation, once.key] = (once.request_hash, reply)

    def mismatch(self) -> ComplianceError:
        return IdempotencyMismatchError("another body")


class Watched:
    """Counts turns and failures."""

    def __init__(self) -> None:
        self.turns: list[int] = []
        self.failures: list[tuple[str, str]] = []

    def turn_done(self, *, size: int, seconds: float, waiting: int) -> None:
        self.turns.append(size)

    def work_failed(self, work: str, error: BaseException) -> None:
        self.failures.append((work, type(error).__name__))

    def refuses(self, why: str) -> None:
        self.failures.append(("refuses", why))


class Bench:
    """A writer on a database of its own, and what it did."""

    def __init__(self, writer: Writer, engine: Engine, watched: Watched) -> None:
        self.writer = writer
        self.engine = engine
        self.watched = watched

    async def ask(self, work: Any, *requests: Any, **more: Any) -> list[Any]:
        """Submit all at once; give answers and errors."""
        futures = [self.writer.submit(work, r, organisation="org_a", **more) for r in requests]
        return await asyncio.gather(*futures, return_exceptions=True)

    def notes(self) -> list[str]:
        """What is on record."""
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT body FROM note ORDER BY body")
            return list(rows.scalars())


@asynccontextmanager
async def writing(
    url: str, *, queue_limit: int = 100, prepare: Callable[[Engine], None] | None = None
) -> AsyncIterator[Bench]:
    engine = writing_engine(url)
    watcher = sa.create_engine(engine.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(NOTES)
    if prepare is not None:
        prepare(engine)
    watched = Watched()
    writer = Writer(
        engine,
        clock=FixedClock(),
        lock_heads=lambda connection, organisations: None,
        answers=Remembered(engine),
        watcher=watched,
        queue_limit=queue_limit,
    )
    writer.start()
    try:
        yield Bench(writer, watcher, watched)
    finally:
        await writer.stop()
        engine.dispose()
        watcher.dispose()


def test_concurrent_requests_share_a_turn_and_a_lone_one_has_its_own(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            notebook = Notebook()
            assert await bench.ask(notebook, "a", "b", "c") == ["noted a", "noted b", "noted c"]
            assert await bench.ask(notebook, "d") == ["noted d"]
            assert notebook.calls == [["a", "b", "c"], ["d"]]
            assert bench.watched.turns == [3, 1]

    asyncio.run(scenario())


def test_one_that_fails_takes_nothing_with_it(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            answers = await bench.ask(
                Notebook(), "a", "bug", "refused", "rejected", "forbidden", "b"
            )
            assert answers[0] == "noted a"
            assert isinstance(answers[1], WorkFailedError)
            assert isinstance(answers[2], ConflictError)
            assert isinstance(answers[3], ConflictError)
            assert isinstance(answers[4], StoreUnavailableError)
            assert answers[5] == "noted b"
            assert bench.notes() == ["a", "b"]
            assert ("note", "AssertionError") in bench.watched.failures

    asyncio.run(scenario())


def test_a_check_that_breaks_is_503_and_anything_else_500(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            [check] = await bench.ask(Notebook(Priority.CHECK), "bug")
            [other] = await bench.ask(Notebook(Priority.OTHER), "bug")
            assert isinstance(check, CheckFailedError)
            assert isinstance(other, WorkFailedError)

    asyncio.run(scenario())


def test_nothing_is_answered_when_the_commit_fails(database_url: str) -> None:
    def refuse_commits(engine: Engine) -> None:
        @sa.event.listens_for(engine, "commit")
        def _refuse(connection: Connection) -> None:
            raise OSError("no space left")

    async def scenario() -> None:
        async with writing(database_url, prepare=refuse_commits) as bench:
            answers = await bench.ask(Notebook(), "a", "b")
            assert [type(answer) for answer in answers] == [OutcomeUnknownError] * 2
            assert bench.notes() == []

    asyncio.run(scenario())


def test_nothing_is_answered_before_the_commit(database_url: str) -> None:
    """While the commit is under way no future is done; the listener looks from the thread."""
    done_at_commit: list[bool] = []
    futures: list[asyncio.Future[Any]] = []

    def look(engine: Engine) -> None:
        @sa.event.listens_for(engine, "commit")
        def _look(connection: Connection) -> None:
            done_at_commit.extend(future.done() for future in futures)

    async def scenario() -> None:
        async with writing(database_url, prepare=look) as bench:
            notebook = Notebook()
            futures.extend(
                bench.writer.submit(notebook, body, organisation="org_a") for body in "abc"
            )
            await asyncio.gather(*futures)
            assert done_at_commit == [False, False, False]

    asyncio.run(scenario())


def test_a_database_that_is_gone_answers_503_and_the_next_turn_tries_again(
    database_url: str,
) -> None:
    broken = [True]

    def break_begin(engine: Engine) -> None:
        @sa.event.listens_for(engine, "begin")
        def _break(connection: Connection) -> None:
            if broken.pop() if broken else False:
                raise OSError("gone")

    async def scenario() -> None:
        async with writing(database_url, prepare=break_begin) as bench:
            [first] = await bench.ask(Notebook(), "a")
            [second] = await bench.ask(Notebook(), "a")
            assert isinstance(first, StoreUnavailableError)
            assert second == "noted a"

    asyncio.run(scenario())


def test_the_same_key_and_body_get_the_same_answer(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            notebook = Notebook()
            once = Once("key", b"body", lambda answer: Reply(201, answer.encode()))
            # Two at once: the second waits for the first and is not run.
            together = await bench.ask(notebook, "a", "a", once=once)
            later = await bench.ask(notebook, "a", once=once)
            assert together + later == [Reply(201, b"noted a")] * 3
            assert notebook.calls == [["a"]]
            other = Once("key", b"other body", once.render)
            [refused] = await bench.ask(notebook, "b", once=other)
            assert isinstance(refused, IdempotencyMismatchError)
            assert bench.notes() == ["a"]

    asyncio.run(scenario())


def test_an_error_is_not_kept_under_its_key(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            once = Once("key", b"body", lambda answer: Reply(201, answer.encode()))
            [refused] = await bench.ask(Notebook(), "refused", once=once)
            [noted] = await bench.ask(Notebook(), "a", once=once)
            assert isinstance(refused, ConflictError)
            assert noted == Reply(201, b"noted a")

    asyncio.run(scenario())


class Fading(Notebook):
    """A work whose answers do not hold."""

    def superseded(
        self, connection: Connection, organisation: str, reply: Reply, *, now: datetime
    ) -> ComplianceError | None:
        return ConflictError("overtaken")


def test_an_answer_that_no_longer_holds_is_not_given_again(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            once = Once("key", b"body", lambda answer: Reply(200, answer.encode()))
            fading = Fading(Priority.CHECK)
            [first] = await bench.ask(fading, "a", once=once)
            [again] = await bench.ask(fading, "a", once=once)
            assert first == Reply(200, b"noted a")
            assert isinstance(again, ConflictError)

    asyncio.run(scenario())


def test_stopping_answers_what_waits_and_takes_nothing_new(database_url: str) -> None:
    async def scenario() -> None:
        async with writing(database_url) as bench:
            notebook = Notebook()
            future = bench.writer.submit(notebook, "a", organisation="org_a")
            await bench.writer.stop()
            await asyncio.sleep(0)
            assert future.result() == "noted a"
            with pytest.raises(StoppingError):
                bench.writer.submit(notebook, "b", organisation="org_a")

    asyncio.run(scenario())


def _item(priority: Priority, name: str, weight: int = 1) -> Item:
    return Item(Notebook(priority), name, "org_a", None, weight, None)  # type: ignore[arg-type]


def test_opt_outs_overtake_checks_and_are_never_refused_for_load() -> None:
    queue = Queue(limit=2)
    queue.add(_item(Priority.CHECK, "check 1"))
    queue.add(_item(Priority.CHECK, "check 2"))
    with pytest.raises(OverloadedError):
        queue.add(_item(Priority.CHECK, "check 3"))
    for n in range(5):
        queue.add(_item(Priority.OPT_OUT, f"opt-out {n}"))
    taken = [item.request for item in queue.take(6)]
    assert taken == [*(f"opt-out {n}" for n in range(5)), "check 1"]


def test_imports_are_throttled_before_anything_else() -> None:
    queue = Queue(limit=16)
    queue.add(_item(Priority.IMPORT, "import 1"))
    with pytest.raises(ImportThrottledError):
        queue.add(_item(Priority.IMPORT, "import 2"))
    queue.add(_item(Priority.CHECK, "check"))


def test_no_lane_starves() -> None:
    queue = Queue(limit=1000)
    for n in range(300):
        queue.add(_item(Priority.CHECK, f"check {n}"))
    queue.add(_item(Priority.IMPORT, "import"))
    taken = queue.take(256)
    assert len(taken) == 256
    assert taken[-1].request == "import"


def test_what_weighs_more_than_a_turn_is_taken_alone() -> None:
    queue = Queue(limit=10)
    queue.add(_item(Priority.EVENT, "batch", weight=1000))
    queue.add(_item(Priority.EVENT, "one"))
    assert [item.request for item in queue.take(256)] == ["batch"]
    assert [item.request for item in queue.take(256)] == ["one"]


def _insert(connection: Connection) -> str:
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    return f"INSERT INTO note (body, turn) VALUES ({mark}, {mark})"
