"""What the service does by itself, beside answering."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from api.errors import RetryLaterError
from api.idempotency import forget_expired
from api.roles import NO_ORGANISATION
from api.work import Priority
from api.writer import Writer
from consent import holds

SWEEP_SECONDS = 600.0


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
