"""What is due is attempted, in order for each person, and no endpoint waits for another."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from api.dispatch.dispatcher import WATCH_SECONDS
from api.work import Priority
from consent.propagation.attempts import LEASE
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import Problem
from tests.support.receivers import OK, a_receiver, answering
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
FAR = datetime(2030, 1, 1, tzinfo=UTC)


def test_an_opt_out_arrives_signed_and_leaves_no_body_behind(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook()
            receipt = await here.opt_out(sender="acme", channel="sms")
            assert await _bodies(here) == [True]
            assert await here.run() == 1
            (got,) = here.receiver.got
            assert got.headers["content-type"] == "application/cloudevents+json"
            event = got.event
            assert event["type"] == "consent.revoked"
            assert event["id"] == receipt["id"]
            assert event["sequence"] == str(receipt["index"])
            assert event["data"]["addresses"] == [ANN]
            assert event["data"]["sender"] == "acme"
            (delivery,) = await here.deliveries(hook["id"])
            assert got.id == delivery["id"]
            assert delivery["state"] == "delivered"
            assert delivery["deadline_rule"] == "us-tcpa-opt-out-deadline"
            assert await _bodies(here) == [False]
            assert await here.run(timedelta(days=400)) == 0

    asyncio.run(scenario())


def test_nothing_is_queued_for_whom_nobody_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.opt_out()
            hook = await here.webhook("consent.granted")
            await here.opt_out(BOB)
            await here.grant(BOB)
            assert await here.run() == 1
            assert [one.event["type"] for one in here.receiver.got] == ["consent.granted"]
            assert len(await here.deliveries(hook["id"])) == 1

    asyncio.run(scenario())


def test_what_fails_comes_again_under_the_same_id_when_it_is_due(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook()
            await here.opt_out()
            here.receiver.then(answering(500), None, answering(302, "location: /other"))
            assert await here.run() == 1
            assert await here.run(SECOND / 2) == 0
            for wait in (2 * SECOND, 6 * SECOND, 17 * SECOND):
                assert await here.run(wait) == 1
            assert len(set(here.receiver.ids)) == 1
            assert len(here.receiver.got) == 4
            bodies = {one.body for one in here.receiver.got}
            assert len(bodies) == 1
            (delivery,) = await here.deliveries(hook["id"])
            assert (delivery["state"], delivery["attempts"]) == ("delivered", 4)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (answering(500), 500, Problem.STATUS),
        (answering(301, "location: http://127.0.0.1:1/"), 301, Problem.REDIRECTED),
        (None, None, Problem.ANSWER_UNREADABLE),
        (b"nonsense\r\n\r\n", None, Problem.ANSWER_UNREADABLE),
    ],
)
def test_each_failure_has_its_word(
    tmp_path: Path, answer: bytes | None, status: int | None, problem: Problem
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            await here.opt_out()
            here.receiver.answer = answer
            await here.run()
            (delivery,) = await here.deliveries(hook["id"])
            assert (delivery["last_status"], delivery["last_problem"]) == (status, problem)
            assert delivery["state"] == "pending"
            assert len(here.receiver.got) == 1  # A redirect is not followed.

    asyncio.run(scenario())


def test_an_answer_of_any_length_costs_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            await here.opt_out()
            here.receiver.answer = answering(200, body=b"x" * 5_000_000)
            assert await here.run() == 1
            assert (await here.deliveries(hook["id"]))[0]["state"] == "delivered"

    asyncio.run(scenario())


def test_events_of_one_person_wait_for_each_other_and_for_nobody_else(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await here.grant(ANN)
            here.receiver.then(answering(500))
            await here.run()
            await here.opt_out(ANN)
            await here.opt_out(BOB)
            # Ann's opt-out waits behind the grant that did not arrive; Bob's goes.
            assert await here.run() == 1
            assert await here.run(6 * SECOND) == 2
            told = [(one.event["type"], one.event["data"]["address"]) for one in here.receiver.got]
            assert told == [
                ("consent.granted", ANN),
                ("consent.revoked", BOB),
                ("consent.granted", ANN),
                ("consent.revoked", ANN),
            ]

    asyncio.run(scenario())


def test_an_opt_out_carries_every_linked_address_in_one_line(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.grant(ANN)
            await here.grant(BOB)
            await here.post("/v1/subjects/link", {"addresses": [ANN, BOB]})
            await here.webhook()
            await here.opt_out(ANN)
            await here.grant(BOB)
            here.receiver.then(answering(500))
            # What is said of the one waits for what was said of the other: they are one person.
            assert await here.run() == 1
            await here.run(2 * SECOND)
            assert [one.event["data"]["addresses"] for one in here.receiver.got] == [
                [ANN, BOB],
                [ANN, BOB],
                [BOB],
            ]

    asyncio.run(scenario())


def test_a_line_keeps_its_order_whatever_fails(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            for _ in range(4):
                await here.grant()
                await here.opt_out()
            here.receiver.then(*(answering(500) if n % 3 == 1 else OK for n in range(12)))
            for _ in range(10):
                await here.run(MINUTE)
            seen = list(dict.fromkeys(here.receiver.ids))
            first = {one.id: int(one.event["sequence"]) for one in here.receiver.got}
            assert [first[id_] for id_ in seen] == list(range(8))

    asyncio.run(scenario())


def test_a_dead_endpoint_slows_no_other_and_is_left_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_receiver() as dead, an_outpost(tmp_path) as here:
            await here.webhook()
            dead.answer = None
            away = await here.post(
                "/v1/webhooks", {"url": dead.url, "events": ["consent.revoked"]}, status=201
            )
            for number in range(60):
                await here.opt_out(f"+1212555{number:04}")
            await here.run()
            assert len(here.receiver.got) == 60
            # It failed a few times at once, and the rest was not even tried.
            assert len(dead.got) <= 32
            before = len(dead.got)
            assert await here.run(10 * SECOND) == 1
            assert len(dead.got) == before + 1
            dead.answer = OK
            await here.run(2 * MINUTE)
            states = {one["state"] for one in await here.deliveries(away["id"])}
            assert states == {"delivered"}

    asyncio.run(scenario())


def test_retry_after_is_honoured(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.webhook()
            await here.opt_out()
            here.receiver.then(answering(429, "retry-after: 120"))
            await here.run()
            await here.opt_out(BOB)
            # It asked to be left alone: that holds for the others as well.
            assert await here.run(119 * SECOND) == 0
            assert await here.run(2 * SECOND) == 2

    asyncio.run(scenario())


def test_gone_disables_and_discards_nothing(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook()
            await here.opt_out()
            here.receiver.then(answering(410))
            await here.run()
            shown = await here.get(f"/v1/webhooks/{hook['id']}")
            assert shown["disabled_why"] == "gone"
            await here.opt_out(BOB)
            assert await here.run(timedelta(days=3)) == 0
            await here.post(f"/v1/webhooks/{hook['id']}/enable")
            assert await here.run() == 2
            assert {one.event["data"]["address"] for one in here.receiver.got} == {ANN, BOB}

    asyncio.run(scenario())


def test_what_is_no_opt_out_is_given_up_and_can_be_retried_by_hand(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook("check.denied")
            await here.check()
            here.receiver.answer = answering(500)
            for _ in range(12):
                await here.run(timedelta(hours=12))
            (delivery,) = await here.deliveries(hook["id"])
            assert (delivery["state"], delivery["attempts"]) == ("failed", 8)
            here.receiver.answer = OK
            await here.post(f"/v1/deliveries/{delivery['id']}/retry")
            assert await here.run() == 1
            assert here.receiver.got[-1].event["data"]["reasons"]

    asyncio.run(scenario())


def test_a_claim_of_whoever_died_lapses_and_the_id_stays(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await here.opt_out()
            writer, road = here.service.components.service.writer, here.dispatcher._road
            from api.dispatch.works import ClaimRequest

            (endpoint,) = await here.service.components.service.reader.run(
                lambda c: list(c.execute(select(webhook_delivery.c.endpoint)).scalars())
            )
            claim = await writer.submit(
                road.claim, ClaimRequest(endpoint, 5, b"somebody"), organisation=""
            )
            assert len(claim.claimed) == 1
            assert await here.run(MINUTE) == 0
            assert await here.run(2 * MINUTE) == 1
            assert len(here.receiver.got) == 1

    asyncio.run(scenario())


class Strand:
    """What a lost write would leave: nothing is due, and nobody stands in front."""

    name, priority = "strand", Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[None], *, now: datetime
    ) -> list[None]:
        connection.execute(update(webhook_delivery).values(due_at=None, deadline_at=FAR))
        return [None for _ in requests]


def test_what_waits_behind_nobody_goes_within_a_claims_time(
    tmp_path: Path, database_url: str
) -> None:
    """Also where no deadline is near: nothing else would look at it before."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await here.opt_out()
            await here.service.components.service.writer.submit(Strand(), None, organisation="")
            assert await here.run(timedelta(days=1)) == 0
            assert LEASE.total_seconds() > WATCH_SECONDS
            await here.dispatcher.watch()
            assert await here.run() == 1
            await here.opt_out()
            await here.opt_out()
            assert await here.dispatcher.watch() == 2, "dated, and the second waits for the first"
            assert await here.run() == 2

    asyncio.run(scenario())


def test_a_body_that_does_not_open_is_told_and_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            await here.opt_out()

            class Spoil:
                name, priority = "spoil", 3

                def run_many(self, connection, requests, *, now):  # type: ignore[no-untyped-def]
                    connection.execute(update(webhook_delivery).values(sealed_body=b"\x01" * 60))
                    return [None]

            await here.service.components.service.writer.submit(Spoil(), None, organisation="")  # type: ignore[arg-type]
            await here.run()
            assert here.receiver.got == []
            (delivery,) = await here.deliveries(hook["id"])
            assert delivery["last_problem"] == "body_unreadable"
            assert delivery["state"] == "pending"

    asyncio.run(scenario())


def test_the_service_carries_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, dispatch=True) as here:
            arrived = asyncio.Event()
            take = here.receiver.take

            async def taken(received):  # type: ignore[no-untyped-def]
                answer = await take(received)
                arrived.set()
                return answer

            here.receiver.take = taken  # type: ignore[method-assign]
            await here.webhook()
            await here.opt_out()
            async with asyncio.timeout(30):
                await arrived.wait()

    asyncio.run(scenario())


async def _bodies(here: Outpost) -> list[bool]:
    rows = await here.service.components.service.reader.run(
        lambda c: list(c.execute(select(webhook_delivery.c.sealed_body)).scalars())
    )
    return [row is not None for row in rows]
