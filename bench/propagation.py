"""Opt-outs to webhooks, one of them dead: how soon the first attempt, and how many a second.

Two organisations of one service: one with four healthy endpoints, one with the same four and a dead
one. Opt-outs come in a burst first, so that all are queued; the time until the healthy endpoints
have them gives deliveries a second. Then, with the burst still waiting for the dead endpoint, they
come at a steady pace, and from commit to first attempt is told for the healthy ones. Receivers
run in a process of their own and answer 200 at once.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from api.app import Components, create_app, open_components
from api.clock import SystemClock
from api.operations.found_organisation import FoundOrganisation
from api.operations.propagation.keep_webhooks import MakeWebhooks, NewWebhook
from api.operations.record_events import EventBatch, RecordEvents, Said
from api.operations.record_opt_out import RecordOptOuts
from api.roles import NO_ORGANISATION
from api.settings import Settings
from bench._machine import fsync_seconds, machine
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.propagation.brokers import Brokers
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import Proof, WebhookEvent
from jurisdictions.addresses import parse_address

HEALTHY = 4
AT_ONCE = 64


def main() -> None:
    """Measure, and print."""
    options = _options()
    there, here = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=receive, args=(there,))
    process.start()
    try:
        ports = here.recv()
        with tempfile.TemporaryDirectory(dir=options.disk) as disk:
            figures = asyncio.run(_measure(Path(disk), ports, options))
            about = machine(Path(disk))
            figures["fsync ms p50 p99"] = [1000 * s for s in fsync_seconds(Path(disk))]
    finally:
        process.kill()
        process.join()
    for name, what in (*about.items(), *figures.items()):
        print(f"{name:42} {what}")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, **figures}, indent=1) + "\n")


def receive(pipe: Pipe) -> None:
    """Answer 200 at every port, until killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def serve() -> None:
        servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(HEALTHY)]
        # Bound, and closed again: whoever connects is refused.
        dead = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports = [one.sockets[0].getsockname()[1] for one in (*servers, dead)]
        dead.close()
        pipe.send(ports)
        await asyncio.gather(*(server.serve_forever() for server in servers))

    asyncio.run(serve())


async def _measure(disk: Path, ports: Sequence[int], options: argparse.Namespace) -> dict[str, Any]:
    folder = disk / "data"
    folder.mkdir(mode=0o700)
    KeyRing.create(folder, at=SystemClock().now())
    settings = Settings(data=folder, log_requests="none", webhooks_to_loopback=True)
    figures: dict[str, Any] = {"opt-outs": options.opt_outs}
    with open_components(settings, clock=SystemClock()) as components:
        async with create_app(components).litestar.lifespan():
            rates: dict[str, list[float]] = {"without": [], "with": []}
            last = ""
            for _ in range(options.rounds):
                for name, count in (("without", HEALTHY), ("with", HEALTHY + 1)):
                    last = await _organisation(components, ports[:count])
                    rates[name].append(await _burst(components, last, options.opt_outs))
            without, with_dead = (statistics.median(rates[name]) for name in ("without", "with"))
            pace = options.pace or with_dead / HEALTHY / 4
            figures |= {
                "delivered a second, 4 healthy": round(without),
                "delivered a second, 4 healthy and 1 dead": round(with_dead),
                "ratio": round(with_dead / without, 3),
                "pace of opt-outs a second": round(pace, 1),
                "commit to first attempt, healthy, ms": await _paced(
                    components, last, pace, options.seconds
                ),
            }
    return figures


async def _organisation(components: Components, ports: Sequence[int]) -> str:
    writer, keys = components.service.writer, components.keys
    founded = await writer.submit(
        FoundOrganisation(keys, release=components.release),
        "Acme Inc",
        organisation=NO_ORGANISATION,
    )
    make = MakeWebhooks(keys, to_loopback=True, brokers=Brokers())
    for port in ports:
        wanted = NewWebhook(
            organisation=founded.id,
            url=f"http://127.0.0.1:{port}/",
            events=[WebhookEvent.REVOKED],
            gates=(),
            proof=Proof.DELIVERED,
        )
        await writer.submit(make, wanted, organisation=founded.id)
    return str(founded.id)


async def _burst(components: Components, organisation: str, count: int) -> float:
    """Queue all at once; give deliveries a second until the healthy endpoints have them."""
    works = _works(components)
    started = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        await asyncio.gather(*(_opt_out(components, works, organisation, n) for n in numbers))
    while await _delivered(components, organisation) < count * HEALTHY:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return count * HEALTHY / (time.perf_counter() - started)


async def _paced(
    components: Components, organisation: str, pace: float, seconds: float
) -> dict[str, float]:
    """Opt-outs at a steady pace; give what passed from commit to first attempt."""
    works = _works(components)
    since = SystemClock().now()
    started, tasks = time.perf_counter(), []
    for number in range(int(pace * seconds)):
        await asyncio.sleep(max(0.0, started + number / pace - time.perf_counter()))
        opt_out = _opt_out(components, works, organisation, 1_000_000 + number)
        tasks.append(asyncio.create_task(opt_out))
    await asyncio.gather(*tasks)
    await asyncio.sleep(2.0)
    waits = sorted(await _waits(components, organisation, since))
    return {
        "attempts": len(waits),
        "p50": round(1000 * waits[len(waits) // 2], 1),
        "p99": round(1000 * waits[int(0.99 * len(waits))], 1),
        "most": round(1000 * waits[-1], 1),
    }


def _works(components: Components) -> RecordOptOuts:
    return RecordOptOuts(RecordEvents(components.keys, release=components.release.digest))


async def _opt_out(
    components: Components, works: RecordOptOuts, organisation: str, number: int
) -> None:
    event = ConsentEvent(event=RecordedKind.REVOKE, at=datetime.now(UTC))
    said = Said(parse_address(f"p{number}@example.com"), event)
    batch = EventBatch(organisation, "key_bench", [said])
    await components.service.writer.submit(works, batch, organisation=organisation)


async def _delivered(components: Components, organisation: str) -> int:
    counted = sa.select(sa.func.count()).where(
        webhook_delivery.c.organisation == organisation, webhook_delivery.c.state == "delivered"
    )
    return await components.service.reader.run(lambda c: int(c.execute(counted).scalar_one()))


async def _waits(components: Components, organisation: str, since: datetime) -> list[float]:
    """Of the endpoints that took something: the dead one is left alone, and never attempted."""
    of = webhook_delivery.c
    alive = sa.select(of.endpoint).where(of.organisation == organisation, of.state == "delivered")
    found = sa.select(of.recorded_at, of.first_attempt_at).where(
        of.organisation == organisation, of.recorded_at >= since, of.endpoint.in_(alive)
    )
    rows = await components.service.reader.run(lambda c: c.execute(found).all())
    now = SystemClock().now()
    return [((attempted or now) - recorded).total_seconds() for recorded, attempted in rows]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opt-outs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--pace", type=float, help="opt-outs a second; a quarter of what it takes")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--disk", type=Path, help="a folder on the disk to measure on")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
