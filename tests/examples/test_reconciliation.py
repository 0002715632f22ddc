"""After any loss the sample receiver finds exactly what it lacks, and is told it again."""

import asyncio
import json
import math
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.propagation.ranges import Entries
from tests.support.sample_receiver import EXAMPLE
from tests.support.webhooks import Outpost, an_outpost

PEOPLE = [f"+1212555{number:04}" for number in range(100, 140)]
EVENTS = ("consent.revoked", "consent.granted", "subject.erased", "propagation.summary")


def asked_of(told: list[str]) -> Any:
    entries = Entries(told)

    def ask(prefixes: list[str]) -> Any:
        return json.loads(msgspec.json.encode([entries.range_of(prefix) for prefix in prefixes]))

    return ask


@given(
    st.integers(0, 3000),
    st.integers(0, 12),
    st.integers(0, 5),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_any_loss_is_found_in_few_questions(
    count: int, lost_count: int, surplus_count: int, seed: int, all_lost: bool
) -> None:
    chance = random.Random(seed)
    told = [f"evt_{chance.getrandbits(128):032x}" for _ in range(count)]
    lost = told if all_lost else chance.sample(told, min(lost_count, count))
    surplus = [f"evt_{chance.getrandbits(128):032x}" for _ in range(surplus_count)]
    held = EXAMPLE.Held((set(told) - set(lost)) | set(surplus))
    found = EXAMPLE.compare(held, asked_of(told))
    assert found.missing == set(lost)
    assert found.surplus == set(surplus)
    # A question for each hexadecimal digit of how many there are, for each that differs.
    depth = 1 + math.ceil(math.log(max(count, 2), 16))
    assert found.asked <= 1 + (len(lost) + len(surplus)) * depth
    if not lost and not surplus:
        assert found.asked == 1


class Site:
    """The sample receiver beside the service: it takes what the outpost's receiver was sent."""

    def __init__(self, here: Outpost, made: Any, folder: Path) -> None:
        self.here, self.made = here, made
        self.stops = EXAMPLE.Stops(str(folder / "stops.sqlite"))
        self.receiver = EXAMPLE.Receiver(made["secret"], self.stops, lambda *_: None, self._ask)
        self.asked: list[str] = []
        self._taken = 0
        self._loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        return self.here.service.clock.now().timestamp()

    def take(self) -> list[str]:
        """Receive what has come since; give the types of the events."""
        came = self.here.receiver.got[self._taken :]
        self._taken += len(came)
        for one in came:
            status, _ = self.receiver.receive(one.headers, one.body, now=self.now)
            assert status == 204
        return [one.event["type"] for one in came]

    def lose(self, events: list[str]) -> None:
        """As after a restored backup: what they said is gone, and that they came."""
        for event in events:
            row = self.stops._database.execute(
                "DELETE FROM opt_out WHERE event = ? RETURNING sequence", (event,)
            ).fetchone()
            self.stops._database.execute("DELETE FROM stop WHERE sequence = ?", row)

    async def reconcile(self) -> Any:
        return await asyncio.to_thread(self.receiver.reconcile, now=self.now)

    def is_stopped(self, address: str) -> bool:
        return bool(self.stops.stops(address, "acme", "sms", "marketing"))

    def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        self.asked.append(path.rsplit("/", 1)[1])
        answer = asyncio.run_coroutine_threadsafe(
            self.here.service.client.post(path, content=body, headers=headers), self._loop
        ).result(30)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def a_night(here: Outpost) -> int:
    here.service.clock.move(timedelta(days=1))
    count = await here.dispatcher.sum_up()
    await here.run()
    return count


def test_what_a_receiver_lost_is_told_again_the_next_night(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            site = Site(here, await here.webhook(*EVENTS), tmp_path)
            receipts = {address: (await here.opt_out(address))["id"] for address in PEOPLE}
            await here.run()
            site.take()
            assert await a_night(here) == 1
            assert site.take() == ["propagation.summary"]
            assert await site.reconcile() is None
            assert site.asked == []

            lost = PEOPLE[3:6]
            site.lose([receipts[address] for address in lost])
            assert not any(map(site.is_stopped, lost))
            assert await a_night(here) == 1
            site.take()
            found = await site.reconcile()
            assert found.missing == {receipts[address] for address in lost}
            assert found.surplus == set()
            await here.run()
            assert site.take() == ["consent.revoked"] * 3
            assert all(map(site.is_stopped, PEOPLE))
            again = here.receiver.got[-1].event
            first = next(one.event for one in here.receiver.got if one.event["id"] == again["id"])
            assert again == first

            assert await a_night(here) == 1
            site.take()
            assert await site.reconcile() is None
            site.stops.close()

    asyncio.run(scenario())


def test_an_erased_person_is_not_told_again_and_does_not_differ_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            site = Site(here, await here.webhook(*EVENTS), tmp_path)
            gone = (await here.opt_out(PEOPLE[0]))["id"]
            kept = (await here.opt_out(PEOPLE[1]))["id"]
            await here.post("/v1/subjects/erase", {"address": PEOPLE[0], "why": "asked"})
            await here.run()
            assert len(site.take()) == 3
            site.lose([gone, kept])
            await a_night(here)
            site.take()
            assert (await site.reconcile()).missing == {gone, kept}
            await here.run()
            assert site.take() == ["consent.revoked"]
            assert site.is_stopped(PEOPLE[1])
            await a_night(here)
            site.take()
            assert await site.reconcile() is None
            site.stops.close()

    asyncio.run(scenario())


def test_what_is_on_its_way_or_was_never_told_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            before = (await here.opt_out(PEOPLE[0]))["id"]
            made = await here.webhook(*EVENTS)
            site = Site(here, made, tmp_path)
            waiting = (await here.opt_out(PEOPLE[1]))["id"]
            asked = {"events": [before, waiting]}
            answer = await asyncio.to_thread(
                site.receiver._question, made["id"], "missing", asked, site.now
            )
            assert answer == {
                "sent_again": [],
                "under_way": [waiting],
                "lost": [],
                "unknown": [before],
            }
            assert await here.run() == 1
            site.stops.close()

    asyncio.run(scenario())


def test_a_summary_leaves_out_the_last_hour_and_comes_once_a_day(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.webhook(*EVENTS)
            assert await here.dispatcher.sum_up() == 0  # Nothing was told yet.
            first = await here.opt_out(PEOPLE[0])
            here.service.clock.move(timedelta(minutes=59, seconds=59))
            assert await here.dispatcher.sum_up() == 0
            here.service.clock.move(timedelta(seconds=1))
            await here.opt_out(PEOPLE[1])
            assert await here.dispatcher.sum_up() == 1
            assert await here.dispatcher.sum_up() == 0
            await here.run()
            (summary,) = [one.event for one in here.receiver.got if one.event["type"] == EVENTS[-1]]
            assert summary["data"]["count"] == 1
            assert summary["data"]["at"] == str(first["index"])

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["reconciliation", "missing"])
def test_only_the_receiver_may_ask(tmp_path: Path, what: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            made, other = await here.webhook(*EVENTS), await here.webhook(*EVENTS)
            site = Site(here, made, tmp_path)
            told = (await here.opt_out(PEOPLE[0]))["id"]
            asked = {
                "reconciliation": {"at": "9", "prefixes": [""]},
                "missing": {"events": [told]},
            }[what]
            body = json.dumps(asked).encode()
            good = site.receiver._headers(made["id"], body, site.now)
            stale = site.receiver._headers(made["id"], body, site.now - 301)
            of_other = site.receiver._headers(other["id"], body, site.now)

            async def status(webhook: str, headers: dict[str, str], body: bytes = body) -> int:
                path = f"/v1/webhooks/{webhook}/{what}"
                answer = await here.service.client.post(path, content=body, headers=headers)
                assert (answer.status_code == 200) == ("evt_" in answer.text)
                return answer.status_code

            assert await status(made["id"], good) == 200
            assert await status(made["id"], stale) == 401
            assert await status(made["id"], of_other) == 401
            assert await status(other["id"], good) == 401
            assert await status(other["id"], of_other) == 401
            assert await status(made["id"], good, body + b" ") == 401
            assert await status(made["id"], {"content-type": "application/json"}) == 401
            assert await status("whk_none", good) == 404
            site.stops.close()

    asyncio.run(scenario())
