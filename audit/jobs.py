"""Exports as jobs: asked for, under way, ended; and how long what came of them is kept.

Runs in the writer's turn and never commits. A job belongs to the process that claimed it, for as
long as that is heard of; another one begins it anew after that.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from audit.errors import UnknownExportError
from audit.tables import export_job
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind

KEPT_FOR: Final = timedelta(hours=24)
"""How long a finished export lies ready: its file holds what else is sealed."""

LISTED_FOR: Final = timedelta(days=30)
UNHEARD_MAX: Final = timedelta(minutes=2)
ATTEMPT_COUNT_MAX: Final = 3

_SEALED_FOR: Final = b"export"
_ID_SIZE: Final = 16


class State(StrEnum):
    """Where a job stands. Only of one that is ``done`` there is a file."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


UNDER_WAY: Final = (State.WAITING, State.RUNNING)


class ScopeKind(StrEnum):
    """Whose story is asked for."""

    PERSON = "person"
    SENDER = "sender"
    PERIOD = "period"


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for, but for an address. ``since`` is in the period, ``until`` is not.

    ``kept``: by log, sizes of checkpoints that the bundle is to be comparable with.
    """

    scope: ScopeKind
    sender: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kept: dict[str, int] = {}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it stands."""

    id: bytes
    organisation: str
    actor: str
    state: State
    asked: Asked
    sealed_address: bytes | None
    subjects: tuple[bytes, ...]
    asked_at: datetime
    runner: str | None
    attempt_count: int
    done_count: int
    total_count: int | None
    ended_at: datetime | None
    expires_at: datetime | None
    file_size: int | None
    file_digest: str | None
    problem: str | None

    def address(self, keys: KeyRing) -> str | None:
        """The address whose trail is asked for, while the job is under way.

        ``UnknownKeyError``: the key that it lies under was destroyed.
        """
        if self.sealed_address is None:
            return None
        opened = keys.open_sealed(
            self.organisation, KeyKind.STANDING, self.sealed_address, _SEALED_FOR, self.id
        )
        return opened.decode()


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an export: the size of its file, and its SHA-256."""

    size: int
    digest: str


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job to be put on the list. ``address``: whose trail, where it is a person's."""

    id: bytes
    organisation: str
    actor: str
    asked: Asked
    subjects: tuple[bytes, ...] = ()
    address: str | None = None


def add(connection: Connection, new: NewJob, *, keys: KeyRing, now: datetime) -> Job:
    """Put a job on the list of what is to be done."""
    sealed = None
    if new.address is not None:
        plain = new.address.encode()
        there = (new.organisation, KeyKind.STANDING, plain, _SEALED_FOR, new.id)
        sealed = keys.seal(*there, at=now)
    row = {
        "id": new.id,
        "organisation": new.organisation,
        "actor": new.actor,
        "state": State.WAITING.value,
        "asked": msgspec.json.encode(new.asked),
        "sealed_address": sealed,
        "subjects": b"".join(new.subjects),
        "asked_at": now,
        "attempt_count": 0,
        "done_count": 0,
    }
    connection.execute(sa.insert(export_job), row)
    return find(connection, new.organisation, new.id)


def count_under_way(connection: Connection, organisation: str) -> int:
    """How many of an organisation's jobs have not ended."""
    states = [state.value for state in UNDER_WAY]
    found: int = connection.execute(
        sa.select(sa.func.count()).where(
            export_job.c.organisation == organisation, export_job.c.state.in_(states)
        )
    ).scalar_one()
    return found


def find(connection: Connection, organisation: str, id_: bytes) -> Job:
    """A job of this organisation. ``UnknownExportError``: it has none of that id."""
    row = connection.execute(
        _ALL.where(export_job.c.organisation == organisation, export_job.c.id == id_)
    ).first()
    if row is None:
        raise UnknownExportError("there is no export of that id")
    return _job_of(row)


def find_page(connection: Connection, organisation: str, before: bytes, count: int) -> list[Job]:
    """Jobs of an organisation whose id is below ``before``, the newest first."""
    wanted = _ALL.where(export_job.c.organisation == organisation, export_job.c.id < before)
    rows = connection.execute(wanted.order_by(export_job.c.id.desc()).limit(count))
    return [_job_of(row) for row in rows]


def find_owners(
    connection: Connection, ids: Collection[bytes]
) -> dict[bytes, tuple[State, str | None]]:
    """Where these jobs stand, of whichever organisation, and who does them."""
    columns = sa.select(export_job.c.id, export_job.c.state, export_job.c.runner)
    rows = connection.execute(columns.where(export_job.c.id.in_(list(ids))))
    return {row.id: (State(row.state), row.runner) for row in rows}


def is_any_due(connection: Connection, runner: str, *, alone: bool, now: datetime) -> bool:
    """Whether there is a job to claim, or one whose time is over."""
    wanted = sa.or_(_claimable(runner, now, alone=alone), _expired(now), _forgotten(now))
    return connection.execute(sa.select(export_job.c.id).where(wanted).limit(1)).first() is not None


def claim(
    connection: Connection, runner: str, count: int, *, alone: bool, now: datetime
) -> list[Job]:
    """Take up to ``count`` jobs that nobody does, the oldest first.

    ``alone``: there is no other process, so that what another one began has no owner. One that
    was begun too often is given up.
    """
    wanted = _claimable(runner, now, alone=alone)
    rows = connection.execute(_ALL.where(wanted).order_by(export_job.c.id).limit(count)).all()
    claimed: list[Job] = []
    for row in rows:
        job = _job_of(row)
        if job.attempt_count >= ATTEMPT_COUNT_MAX:
            _end(connection, job.id, State.FAILED, now, problem="interrupted")
            continue
        values = {
            "state": State.RUNNING.value,
            "runner": runner,
            "heard_at": now,
            "attempt_count": job.attempt_count + 1,
            "done_count": 0,
        }
        connection.execute(sa.update(export_job).where(export_job.c.id == job.id).values(values))
        claimed.append(find(connection, job.organisation, job.id))
    return claimed


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job has come. ``subjects``: whose trail it is, once that has been looked up."""

    done: int = 0
    total: int | None = None
    subjects: tuple[bytes, ...] | None = None


def beat(connection: Connection, id_: bytes, runner: str, heard: Heard, *, now: datetime) -> bool:
    """Say how far a job has come; the answer is whether it is still this process's to do."""
    mine = sa.update(export_job).where(*_mine(id_, runner))
    values: dict[str, Any] = {"heard_at": now, "done_count": heard.done}
    if heard.total is not None:
        values["total_count"] = heard.total
    if heard.subjects is not None:
        values["subjects"] = b"".join(heard.subjects)
    return connection.execute(mine.values(values)).rowcount == 1


def finish(connection: Connection, id_: bytes, runner: str, made: Made, *, now: datetime) -> bool:
    """Say that a job is done, and its file is in its place; False: nobody wants it any more."""
    mine = sa.update(export_job).where(*_mine(id_, runner))
    values: Mapping[str, Any] = {
        "state": State.DONE.value,
        "sealed_address": None,
        "done_count": sa.func.coalesce(export_job.c.total_count, export_job.c.done_count),
        "ended_at": now,
        "expires_at": now + KEPT_FOR,
        "file_size": made.size,
        "file_digest": made.digest,
    }
    return connection.execute(mine.values(values)).rowcount == 1


def fail(connection: Connection, id_: bytes, runner: str, problem: str, *, now: datetime) -> None:
    """Say that a job cannot be done. ``problem`` is a sentence without anything personal."""
    if connection.execute(sa.select(export_job.c.id).where(*_mine(id_, runner))).first():
        _end(connection, id_, State.FAILED, now, problem=problem)


def release(connection: Connection, id_: bytes, runner: str, now: datetime) -> None:
    """Let a job of this process wait again: it stops, and another one is to do it."""
    values = {
        "state": State.WAITING.value,
        "runner": None,
        "heard_at": now,
        "attempt_count": export_job.c.attempt_count - 1,
    }
    connection.execute(sa.update(export_job).where(*_mine(id_, runner)).values(values))


def cancel(connection: Connection, organisation: str, id_: bytes, *, now: datetime) -> Job:
    """End a job that is under way, or throw away what came of it. Again changes nothing."""
    job = find(connection, organisation, id_)
    if job.state in {*UNDER_WAY, State.DONE}:
        _end(connection, id_, State.CANCELLED, now)
    return find(connection, organisation, id_)


def withdraw(
    connection: Connection, organisation: str, erased: Collection[bytes], *, now: datetime
) -> int:
    """Take back every export in which somebody stands who is being erased; say how many.

    A person's own only if it is theirs; of a sender or a period all, for they may be in it, and
    those of nobody on record, for it may have been they.
    """
    states = [state.value for state in (*UNDER_WAY, State.DONE)]
    rows = connection.execute(
        _ALL.where(export_job.c.organisation == organisation, export_job.c.state.in_(states))
    ).all()
    taken = 0
    for job in map(_job_of, rows):
        is_other = job.asked.scope is ScopeKind.PERSON and job.subjects
        if not is_other or not set(erased).isdisjoint(job.subjects):
            _end(connection, job.id, State.WITHDRAWN, now)
            taken += 1
    return taken


def expire(connection: Connection, *, now: datetime) -> int:
    """Let finished exports go whose time is over, and forget jobs that ended long ago."""
    over = sa.update(export_job).where(_expired(now)).values(state=State.EXPIRED.value)
    forgotten = sa.delete(export_job).where(_forgotten(now))
    return connection.execute(over).rowcount + connection.execute(forgotten).rowcount


def _end(
    connection: Connection, id_: bytes, state: State, now: datetime, *, problem: str | None = None
) -> None:
    values = {
        "state": state.value,
        "sealed_address": None,
        "ended_at": now,
        "expires_at": None,
        "problem": problem,
    }
    connection.execute(sa.update(export_job).where(export_job.c.id == id_).values(values))


def _mine(id_: bytes, runner: str) -> tuple[sa.ColumnElement[bool], ...]:
    running = export_job.c.state == State.RUNNING.value
    return export_job.c.id == id_, export_job.c.runner == runner, running


def _claimable(runner: str, now: datetime, *, alone: bool) -> sa.ColumnElement[bool]:
    unheard = sa.and_(
        export_job.c.state == State.RUNNING.value,
        export_job.c.runner != runner,
        sa.true() if alone else export_job.c.heard_at < now - UNHEARD_MAX,
    )
    return sa.or_(export_job.c.state == State.WAITING.value, unheard)


def _expired(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(export_job.c.state == State.DONE.value, export_job.c.expires_at <= now)


def _forgotten(now: datetime) -> sa.ColumnElement[bool]:
    return export_job.c.ended_at <= now - LISTED_FOR


_ALL = sa.select(
    *(column for column in export_job.c if column.name != "heard_at"),
)


def _job_of(row: Any) -> Job:
    fields = dict(row._mapping)  # noqa: SLF001 - how SQLAlchemy names a row's columns
    fields["state"] = State(fields["state"])
    fields["asked"] = msgspec.json.decode(fields["asked"], type=Asked)
    ids = fields["subjects"]
    fields["subjects"] = tuple(ids[i : i + _ID_SIZE] for i in range(0, len(ids), _ID_SIZE))
    return Job(**fields)
