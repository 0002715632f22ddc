"""What the service does by itself, beside answering."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from api.errors import RetryLaterError
from api.exchange import Service
from api.idempotency import forget_expired
from api.operations.adopt_release import AdoptRelease, all_organisations
from api.operations.rotate_keys import KeyKeeper
from api.operations.upkeep.retain import RetentionKeeper
from api.operations.upkeep.sign_checkpoints import CheckpointSigner
from api.operations.upkeep.state_index import StatedIndex, StateIndex, is_due
from api.roles import NO_ORGANISATION
from api.work import Priority
from api.writer import Writer
from consent import holds
from consent.ledger import subject_index
from consent.ledger.errors import ReadOnlyError
from rules.errors import ComplianceError

SWEEP_SECONDS = 600.0
SIGN_SECONDS = 0.5
"""A log that grows is signed at once, and then as often: always within a second."""

INDEX_SECONDS = 3600.0
INDEX_FIRST_SECONDS = 60.0
"""A command that opens the ledger for a moment does not state an index."""
ROTATION_SECONDS = 3600.0
RETENTION_SECONDS = 3600.0
RETENTION_FIRST_SECONDS = 90.0
"""A command that opens the ledger for a moment lets nothing go."""


class Sweep:
    """The work that deletes answers and places whose time is over; neither counts any more."""

    name = "sweep"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[None], *, now: datetime
    ) -> list[int]:
        """Delete them once, however often it was asked."""
        swept = forget_expired(connection, now=now) + holds.expire(connection, now=now)
        return [swept for _ in requests]


async def sweep_forever(writer: Writer, *, every_seconds: float = SWEEP_SECONDS) -> None:
    """Sweep now and then until cancelled. A turn that fails is tried again at the next."""
    sweep = Sweep()
    while True:
        await asyncio.sleep(every_seconds)
        try:
            await writer.submit(sweep, None, organisation=NO_ORGANISATION)
        except (RetryLaterError, ReadOnlyError):
            continue


async def adopt_everywhere(service: Service, adopt: AdoptRelease) -> None:
    """Put the release on the record of every organisation that has not run under it yet."""
    known = await service.reader.run(all_organisations)
    await asyncio.gather(*(service.writer.submit(adopt, one, organisation=one) for one in known))


async def sign_forever(writer: Writer, signer: CheckpointSigner) -> None:
    """Sign what has grown, after the turns that made it grow, until cancelled."""
    grown = asyncio.Event()
    writer.after_turns(grown.set)
    while True:
        await grown.wait()
        grown.clear()
        await signer.sign_grown()
        await asyncio.sleep(SIGN_SECONDS)


async def state_indexes_forever(service: Service) -> None:
    """State each organisation's index of subjects once a day, until cancelled."""
    await asyncio.sleep(INDEX_FIRST_SECONDS)
    work = StateIndex()
    while True:
        with contextlib.suppress(RetryLaterError, ReadOnlyError):  # At the next hour again.
            await state_indexes(service, work)
        await asyncio.sleep(INDEX_SECONDS)


async def state_indexes(service: Service, work: StateIndex) -> int:
    """State today's index wherever that has not been done; give for how many it was."""
    stated = 0
    now = service.clock.now()
    for organisation in await service.reader.run(all_organisations):
        due = await service.reader.run(
            lambda connection, of=organisation: is_due(connection, of, now=now)  # type: ignore[misc]
        )
        if not due:
            continue
        index = await service.reader.run_long(
            lambda connection, of=organisation: subject_index.compute(connection, of)  # type: ignore[misc]
        )
        request = StatedIndex(organisation, index, daily=True)
        receipt = await service.writer.submit(work, request, organisation=organisation)
        stated += receipt is not None
    return stated


async def retain_forever(
    service: Service, keeper: RetentionKeeper, *, every_seconds: float = RETENTION_SECONDS
) -> None:
    """Let go of what has outlived its retention, now and then until cancelled."""
    await asyncio.sleep(RETENTION_FIRST_SECONDS)
    while True:
        try:
            for id_ in await service.reader.run(all_organisations):
                await keeper.keep(service, id_)
        except ComplianceError as error:
            service.telemetry.work_failed("retain", error)
        await asyncio.sleep(every_seconds)


async def rotate_forever(
    service: Service, keeper: KeyKeeper, *, every_seconds: float = ROTATION_SECONDS
) -> None:
    """Rotate each organisation's keys once a month until cancelled.

    What cannot be done now is tried again at the next look: old keys only live longer by that.
    """
    is_start = True
    while True:
        try:
            for id_ in await service.reader.run(all_organisations):
                await keeper.keep_monthly(
                    service.writer, id_, now=service.clock.now(), is_start=is_start
                )
            is_start = False
        except ComplianceError as error:
            service.telemetry.work_failed("rotate_keys", error)
        await asyncio.sleep(every_seconds)
