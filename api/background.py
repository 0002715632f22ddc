"""What the service does by itself, beside answering."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from api.errors import RetryLaterError
from api.exchange import Service
from api.idempotency import forget_expired
from api.operations.rotate_keys import KeyKeeper
from api.roles import NO_ORGANISATION
from api.tables import organisation
from api.work import Priority
from api.writer import Writer
from consent import holds
from rules.errors import ComplianceError

SWEEP_SECONDS = 600.0
ROTATION_SECONDS = 3600.0

_ORGANISATIONS = select(organisation.c.id).order_by(organisation.c.id)


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
        except RetryLaterError:
            continue


async def rotate_forever(
    service: Service, keeper: KeyKeeper, *, every_seconds: float = ROTATION_SECONDS
) -> None:
    """Rotate each organisation's keys once a month until cancelled.

    What cannot be done now is tried again at the next look: old keys only live longer by that.
    """
    is_start = True
    while True:
        try:
            for id_ in await service.reader.run(
                lambda c: list(c.execute(_ORGANISATIONS).scalars())
            ):
                await keeper.keep_monthly(
                    service.writer, id_, now=service.clock.now(), is_start=is_start
                )
            is_start = False
        except ComplianceError as error:
            service.telemetry.work_failed("rotate_keys", error)
        await asyncio.sleep(every_seconds)


def _organisations(connection: Connection) -> list[str]:
    return list(connection.execute(_ORGANISATIONS).scalars())
