"""Receivers that fail in every way, and dispatchers that die at every step.

Nothing is lost, nothing comes out of order for one person, and what comes twice has the same id.
Time is the test's own, but for the trial that kills a process.
"""

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.data_folder import DataFolder
from api.dispatch.dispatcher import Dispatcher
from consent.keys.key_ring import KeyRing
from tests.support.project import PROJECT
from tests.support.receivers import OK, Received, Receiver, a_receiver, answering
from tests.support.served import address_of
from tests.support.service import running_service, the_law
from tests.support.webhooks import CONSENT, Outpost, an_outpost

pytestmark = pytest.mark.trial

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
PEOPLE = [f"+1212555{number:04}" for number in range(12)]
Property = Callable[[str, object], None]

SERVE = """
import sys
from pathlib import Path
from api.serving import serve
from api.settings import Settings

def tell(address, read_only):
    print("listening", address, flush=True)

serve(Settings(data=Path(sys.argv[1]), port=0, webhooks_to_loopback=True), on_start=tell)
"""


def sequences(got: Sequence[Received]) -> dict[str, list[int]]:
    """The places in the log of what came, for each person in the order in which it came."""
    found: dict[str, list[int]] = {}
    for one in got:
        found.setdefault(one.event["subject"], []).append(int(one.event["sequence"]))
    return found


def check_arrived(got: Sequence[Received], expected: int) -> None:
    """All of it came; in order for each person; and what came twice was the same."""
    bodies: dict[str, set[bytes]] = {}
    for one in got:
        bodies.setdefault(one.id, set()).add(one.body)
    assert len(bodies) == expected, f"{expected - len(bodies)} were lost"
    assert all(len(each) == 1 for each in bodies.values())
    assert len({one.event["id"] for one in got}) == expected
    for places in sequences(got).values():
        assert places == sorted(places), "out of order"


async def rounds_until_settled(here: Outpost, wait: timedelta, most: int) -> int:
    """Let time pass until nothing is under way; give how many rounds it took."""
    for number in range(most):
        await here.run(wait)
        if not (await here.get("/v1/propagation"))["items"]:
            return number + 1
    raise AssertionError("it did not arrive")


def test_a_receiver_that_is_down_for_an_hour_gets_everything(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook("consent.revoked")
            here.receiver.answer = None
            recorded, refused = 0, 0
            for _ in range(30):
                for person in PEOPLE[:4]:
                    await here.opt_out(person)
                    recorded += 1
                refused += await here.run(2 * MINUTE)
            assert refused > 0
            down = list(here.receiver.got)
            here.receiver.got.clear()
            here.receiver.answer = OK
            await rounds_until_settled(here, 15 * MINUTE, 20)
            check_arrived(here.receiver.got, recorded)
            # An hour of trying cost little, and under the ids that arrived in the end.
            assert {one.id for one in down} <= {one.id for one in here.receiver.got}
            assert len(down) < 150

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_a_receiver_answers_nothing_is_lost_or_out_of_order(
    tmp_path: Path, database_url: str, seed: int
) -> None:
    """Errors, redirects, pauses that it asks for, and connections cut before or after applying."""
    chance = random.Random(seed)
    bad = [
        answering(500),
        answering(503, "retry-after: 7"),
        answering(429, "retry-after: 30"),
        answering(302, "location: http://127.0.0.1:1/"),
        answering(404),
        None,  # It applied what it got, and died before it answered.
        b"nonsense\r\n\r\n",
    ]

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            recorded = 0
            for _ in range(12):
                for person in chance.sample(PEOPLE, 5):
                    await (here.grant(person) if chance.random() < 0.4 else here.opt_out(person))
                    recorded += 1
                here.receiver.then(
                    *(chance.choice(bad) if chance.random() < 0.5 else OK for _ in range(8))
                )
                await here.run(chance.choice([SECOND, 20 * SECOND, 5 * MINUTE]))
            here.receiver.answers.clear()
            for _ in range(40):
                await here.run(HOUR)
            check_arrived(here.receiver.got, recorded)
            assert (await here.get("/v1/propagation"))["items"] == []

    asyncio.run(scenario())


def test_a_slow_receiver_times_out_and_holds_nobody_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_receiver() as slow, an_outpost(tmp_path) as here:
            await here.webhook("consent.revoked")
            away = await here.post(
                "/v1/webhooks", {"url": slow.url, "events": ["consent.revoked"]}, status=201
            )
            slow.hold = asyncio.Event()
            impatient = another(here, attempt_seconds=0.2)
            for person in PEOPLE:
                await here.opt_out(person)
            await impatient.run_due()
            check_arrived(here.receiver.got, len(PEOPLE))
            problems = Counter(one["last_problem"] for one in await here.deliveries(away["id"]))
            assert problems["timed_out"] >= 8
            slow.hold.set()
            slow.hold = None
            here.service.clock.move(HOUR)
            await impatient.run_due()
            await impatient.close()
            check_arrived(slow.got, len(PEOPLE))

    asyncio.run(scenario())


def test_a_name_that_turns_private_is_never_reached(tmp_path: Path) -> None:
    """It was public when the webhook was made; now it leads to the metadata of the cloud."""

    async def private(host: str, port: int) -> Sequence[str]:
        return ("169.254.169.254",)

    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.post(
                "/v1/webhooks",
                {"url": "https://hooks.example.com/", "events": ["consent.revoked"]},
                status=201,
            )
            await here.opt_out()
            dispatcher = another(here, resolver=private)
            await dispatcher.run_due()
            await dispatcher.close()
            (delivery,) = await here.deliveries(hook["id"])
            assert delivery["last_problem"] == "address_refused"
            assert delivery["state"] == "pending"

    asyncio.run(scenario())


def test_a_dispatcher_that_is_stopped_at_any_step_loses_nothing(
    tmp_path: Path, database_url: str, record_property: Property
) -> None:
    """Cancelled after one turn of the loop, after two, and so on, each time in another place."""

    async def scenario() -> int:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            recorded = stops = 0
            for steps in range(1, 300, 6):
                person = PEOPLE[steps % len(PEOPLE)]
                await here.grant(person)
                await here.opt_out(person)
                recorded += 2
                dispatcher = another(here)
                task = asyncio.create_task(dispatcher.run_due())
                for _ in range(steps):
                    await asyncio.sleep(0)
                stops += not task.done()
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await dispatcher.close()
            # What was under way when it stopped is free again once its claim has lapsed.
            await rounds_until_settled(here, 3 * MINUTE, 20)
            check_arrived(here.receiver.got, recorded)
            return stops

    record_property("trial", f"{asyncio.run(scenario())} dispatchers stopped in the middle")


def test_two_dispatchers_share_the_work_and_keep_the_order(
    tmp_path: Path,
    postgres_server: Any,
    record_property: Property,
) -> None:
    async def scenario(url: str) -> list[int]:
        async with an_outpost(tmp_path, database_url=url) as here:
            async with running_service(
                tmp_path, database_url=url, webhooks_to_loopback=True
            ) as other:
                other.clock.at = here.service.clock.at
                await here.webhook()
                recorded = 0
                shares = [0, 0]
                for _ in range(10):
                    for person in PEOPLE:
                        await here.grant(person)
                        await here.opt_out(person)
                        recorded += 2
                    both = (here.dispatcher, other.doors.dispatcher)
                    for _ in range(4):
                        counts = await asyncio.gather(*(one.run_due() for one in both))
                        shares = [a + b for a, b in zip(shares, counts, strict=True)]
                await other.doors.dispatcher.close()
            await rounds_until_settled(here, MINUTE, 10)
            check_arrived(here.receiver.got, recorded)
            assert len(here.receiver.got) == recorded, "a delivery was made twice"
            return shares

    with postgres_server.database("migrated") as url:
        shares = asyncio.run(scenario(url))
    assert min(shares) > 0, shares
    record_property("trial", f"two dispatchers delivered {shares[0]} and {shares[1]}")


def test_a_service_killed_while_it_delivers_loses_nothing(
    tmp_path: Path, record_property: Property
) -> None:
    """``kill -9`` at no particular moment, again and again, under load."""
    chance = random.Random(20261122)

    async def scenario() -> tuple[int, int, int]:
        folder = tmp_path / "data"
        folder.mkdir(mode=0o700)
        KeyRing.create(folder, at=datetime(2026, 11, 1, tzinfo=UTC))
        acknowledged, kills = 0, 0
        async with a_receiver() as receiver:
            async with a_life(folder) as (client, _):
                headers = await an_organisation(client, folder, receiver)
            for _ in range(8):
                async with a_life(folder) as (client, process):
                    acknowledged += await opt_out_for(
                        client, headers, seconds=chance.uniform(0.2, 1.2), number=acknowledged
                    )
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
            async with a_life(folder):
                async with asyncio.timeout(120):
                    while len(set(receiver.ids)) < acknowledged:
                        await receiver.more()
            return kills, acknowledged, check_at_least(receiver.got, acknowledged)

    kills, acknowledged, repeated = asyncio.run(scenario())
    told = f"{kills} kills, {acknowledged} opt-outs acknowledged, {repeated} delivered again"
    record_property("trial", told)


def check_at_least(got: Sequence[Received], acknowledged: int) -> int:
    """What was acknowledged came, and perhaps what was committed but not acknowledged any more."""
    distinct = len({one.id for one in got})
    assert distinct >= acknowledged
    check_arrived(got, distinct)
    return len(got) - distinct


@asynccontextmanager
async def a_life(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    """One life of the service in a process of its own."""
    process = await asyncio.to_thread(
        subprocess.Popen[str],
        [sys.executable, "-c", SERVE, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    try:
        address = await asyncio.to_thread(address_of, process)
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            yield client, process
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def an_organisation(
    client: httpx.AsyncClient, folder: Path, receiver: Receiver
) -> dict[str, str]:
    """Found one by the operator's door, with a webhook to the receiver; give an admin's headers."""
    with DataFolder(folder).socket_address() as path:
        transport = httpx.AsyncHTTPTransport(uds=path)
        async with httpx.AsyncClient(transport=transport, base_url=client.base_url) as operator:
            founded = await operator.post("/v1/organisations", json={"name": "Acme Inc"})
            issued = await operator.post(
                "/v1/keys",
                json={"person": "Ada", "roles": ["admin"]},
                headers={"X-Organisation": founded.json()["id"]},
            )
    headers = {"Authorization": f"Bearer {issued.json()['token']}"}
    hook = {"url": receiver.url, "events": CONSENT}
    answer = await client.post("/v1/webhooks", json=hook, headers=headers)
    assert answer.status_code == 201, answer.text
    return headers


async def opt_out_for(
    client: httpx.AsyncClient, headers: dict[str, str], *, seconds: float, number: int
) -> int:
    """Record opt-outs of a few people for a while; give how many were acknowledged."""
    count = 0
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        person = PEOPLE[(number + count) % len(PEOPLE)]
        answer = await client.post(
            "/v1/opt-outs", json={"address": person, "via": "link"}, headers=headers
        )
        assert answer.status_code == 201, answer.text
        count += 1
    return count


def another(here: Outpost, **options: Any) -> Dispatcher:
    """A dispatcher beside the service's own, as another process has one."""
    components = here.service.components
    return Dispatcher(
        components.service, components.keys, the_law(), **{"to_loopback": True, **options}
    )
