"""Exports in the background: claimed, made in a thread beside the gate, and thrown away in time.

A job reads in handfuls and rests as long as it has worked, so that checks never wait for it. What
a process left behind when it ended is begun anew by the next, and half a file is never shown.
"""

import asyncio
import contextlib
import errno
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, BinaryIO

from sqlalchemy import Connection

from api.clock import Clock
from api.errors import RetryLaterError
from api.exchange import Service
from api.operations.found_organisation import list_organisations
from api.operations.trails.export_files import ExportFiles
from api.operations.upkeep.sign_checkpoints import CheckpointSigner
from api.operations.upkeep.state_index import StatedIndex, StateIndex
from api.reader import Reader
from api.roles import NO_ORGANISATION
from api.work import Priority
from audit import jobs
from audit.exports import scopes
from audit.exports.making import Source, make_export
from audit.exports.scopes import Planned
from audit.jobs import Heard, Job, Made, State
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import ReadOnlyError
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError

AT_ONCE = 2
LOOK_SECONDS = 2.0
BEAT_SECONDS = 1.0
REST_SECONDS_MAX = 0.1

Change = Callable[[Connection, datetime], Any]


class ChangeJobs:
    """The work of every step that a job takes: each request is a change of the list of jobs."""

    name = "change_export"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[Change], *, now: datetime
    ) -> list[Any]:
        """Make each change; one that finds no such job is answered by the error."""
        answers: list[Any] = []
        for change in requests:
            try:
                answers.append(change(connection, now))
            except ComplianceError as error:
                answers.append(error)
        return answers


class JobEndedError(Exception):
    """The job is nobody's to go on with: cancelled, withdrawn, or the service is stopping."""


@dataclass(eq=False)
class _Running:
    """A job in this process, and how far it has come."""

    job: Job
    clock: Clock
    ended: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    since: float = 0.0

    def step(self, done: int) -> None:
        """Note how far it is, and rest as long as it worked. Called in the job's thread."""
        self.done = done
        worked = self.clock.monotonic() - self.since
        if self.ended.wait(min(max(worked, 0.0), REST_SECONDS_MAX)):
            raise JobEndedError
        self.since = self.clock.monotonic()


class ExportRunner:
    """Does the jobs of this process. ``alone``: no other process works on this database."""

    def __init__(
        self,
        service: Service,
        signer: CheckpointSigner,
        keys: KeyRing,
        *,
        reader: Reader,
        files: ExportFiles,
        alone: bool,
    ) -> None:
        self._service = service
        self._signer = signer
        self._keys = keys
        self._reader = reader
        self._files = files
        self._alone = alone
        self._token = secrets.token_hex(8)
        self._change = ChangeJobs()
        self._state_index = StateIndex()
        self._woken = asyncio.Event()
        self._looking = asyncio.Lock()
        self._running: dict[bytes, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look at once: there is a new job, or one that is to end."""
        self._woken.set()

    async def run_forever(self) -> None:
        """Do what is asked for until cancelled; what is under way then is begun anew later."""
        try:
            while True:
                self._woken.clear()
                with contextlib.suppress(RetryLaterError, ReadOnlyError):
                    await self.look()
                # Not wait_for: before Python 3.12 it may swallow a cancellation just then.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._woken.wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End what runs here, and wait until its files are gone."""
        for running in self._running.values():
            running.ended.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Do everything that there is to do, and tidy up, before this returns."""
        await self.look()
        while self._tasks:
            await asyncio.gather(*self._tasks)
            await self.look()

    async def look(self) -> None:
        """Begin what can be begun, end what is to end, and throw away what nobody may have."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        now = self._service.clock.now()
        await self._end_unwanted()
        is_due = await self._service.reader.run(
            lambda connection: jobs.is_any_due(connection, self._token, alone=self._alone, now=now)
        )
        room = AT_ONCE - len(self._running)
        if is_due:
            for job in await self._submit(lambda connection, at: self._claim(connection, room, at)):
                self._begin(job)
        await self._tidy_up()

    def _claim(self, connection: Connection, room: int, now: datetime) -> list[Job]:
        jobs.expire(connection, now=now)
        return jobs.claim(connection, self._token, room, alone=self._alone, now=now)

    def _begin(self, job: Job) -> None:
        running = _Running(job, self._service.clock)
        self._running[job.id] = running
        task = asyncio.create_task(self._do(running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._running.pop(job.id, None))
        task.add_done_callback(lambda _: self.wake())

    async def _end_unwanted(self) -> None:
        ids = list(self._running)
        if not ids:
            return
        owners = await self._service.reader.run(
            lambda connection: jobs.find_owners(connection, ids)
        )
        for id_, running in self._running.items():
            if id_ in ids and owners.get(id_) != (State.RUNNING, self._token):
                running.ended.set()

    async def _tidy_up(self) -> None:
        names = await asyncio.to_thread(self._files.ids)
        if names:
            owners = await self._service.reader.run(
                lambda connection: jobs.find_owners(connection, names)
            )
            # A file goes into its place a moment before its job is done.
            mine = set(self._running)
            await asyncio.to_thread(self._files.keep_only, owners, mine=mine)

    async def _do(self, running: _Running) -> None:
        job = running.job
        beating = asyncio.create_task(self._beat(running))
        try:
            await self._make(running)
        except JobEndedError:
            # It was taken away, and this changes nothing; or the service stops, and it waits.
            await self._change_mine(job, jobs.release)
        except ComplianceError as error:
            if not running.ended.is_set():
                await self._fail(job, error.detail)
        except OSError as error:
            await self._fail(job, _reason_of(error))
        except Exception as error:
            self._service.telemetry.work_failed("export", error)
            await self._fail(job, "something broke here; the service's log names it")
        finally:
            beating.cancel()

    async def _make(self, running: _Running) -> None:
        job = running.job
        address = self._address_of(job)
        parsed = None if address is None else parse_address(address)
        planned = await self._reader.run_long(
            lambda connection: scopes.plan(
                connection, job.organisation, job.asked, parsed, keys=self._keys
            )
        )
        stated_at = [await self._state(job, index) for index in planned.indexes]
        total = await self._reader.run_long(
            lambda connection: scopes.count_of(
                connection, job.organisation, planned.parts(stated_at)
            )
        )
        await self._hear(running, Heard(total=total, subjects=planned.subjects))
        if running.ended.is_set():
            raise JobEndedError
        await self._signer.sign_grown()
        made = await self._reader.run_aside(
            lambda: self._write(running, planned, stated_at, address)
        )
        if not await self._submit(
            lambda connection, now: jobs.finish(connection, job.id, self._token, made, now=now)
        ):
            await asyncio.to_thread(self._files.remove, job.id)

    def _write(
        self, running: _Running, planned: Planned, stated_at: Sequence[int], whose: str | None
    ) -> Made:
        """Make the file, in a thread of its own; it is in its place, and on disk, after this."""
        running.since = self._service.clock.monotonic()
        organisation = running.job.organisation
        source = Source(
            organisation=organisation,
            at_once=self._reader.run_here,
            apart=self._reader.run_apart,
            keys=self._keys,
            named=self._reader.run_here(lambda connection: _name_of(connection, organisation)),
        )
        with self._files.half(running.job.id, self._token) as half:
            sink = _Measured(half.file, running)
            make_export(
                source,
                planned,
                stated_at,
                sink,
                folder=half.spool,
                whose=whose,
                step=running.step,
            )
            half.complete()
        return Made(size=sink.size, digest=sink.digest.hexdigest())

    def _address_of(self, job: Job) -> str | None:
        try:
            return job.address(self._keys)
        except (BrokenSealError, UnknownKeyError):
            return None

    async def _state(self, job: Job, index: Any) -> int:
        request = StatedIndex(job.organisation, index, actor=job.actor)
        receipt = await self._service.writer.submit(
            self._state_index, request, organisation=job.organisation
        )
        place: int = receipt.index
        return place

    async def _beat(self, running: _Running) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with contextlib.suppress(RetryLaterError, ReadOnlyError):
                await self._hear(running, Heard(done=running.done))

    async def _hear(self, running: _Running, heard: Heard) -> None:
        id_ = running.job.id
        if not await self._submit(
            lambda connection, now: jobs.beat(connection, id_, self._token, heard, now=now)
        ):
            running.ended.set()

    async def _fail(self, job: Job, problem: str) -> None:
        await self._change_mine(
            job,
            lambda connection, id_, runner, now: jobs.fail(
                connection, id_, runner, problem, now=now
            ),
        )

    async def _change_mine(
        self, job: Job, change: Callable[[Connection, bytes, str, datetime], object]
    ) -> None:
        with contextlib.suppress(RetryLaterError, ReadOnlyError):  # Another begins it anew then.
            await self._submit(lambda connection, now: change(connection, job.id, self._token, now))

    async def _submit(self, change: Change) -> Any:
        return await self._service.writer.submit(self._change, change, organisation=NO_ORGANISATION)


class _Measured:
    """A file that knows its size and digest, and stops when its job has ended."""

    def __init__(self, file: BinaryIO, running: _Running) -> None:
        self._file = file
        self._running = running
        self.size = 0
        self.digest = sha256()

    def write(self, chunk: bytes) -> None:
        """Write on."""
        if self._running.ended.is_set():
            raise JobEndedError
        self._file.write(chunk)
        self.size += len(chunk)
        self.digest.update(chunk)


def _name_of(connection: Connection, organisation: str) -> str | None:
    found = list_organisations(connection, only=organisation, after="", limit=1)
    return found[0].name if found else None


def _reason_of(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "there was no room on the disk for the file; nothing of it was kept"
    return f"the file could not be written: {error.strerror or type(error).__name__}"
