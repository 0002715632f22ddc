"""What endpoints are told when addresses turn out to be one person's, and in which order."""

import asyncio
import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.propagation.laws import AT_ONCE
from consent.propagation.signatures import Secret, Signer
from tests.support.receivers import OK, Received, answering
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
CARL = "+12125550125"
MAIL = "ann@example.com"


async def link(here: Outpost, *addresses: str) -> Any:
    return await here.post("/v1/subjects/link", {"addresses": list(addresses)})


async def asked_again(here: Outpost, hook: Any, events: list[str]) -> Any:
    """What the receiver of ``hook`` is told when it says that it lacks these."""
    body = json.dumps({"events": events}).encode()
    shared = Secret(base64.b64decode(hook["secret"].removeprefix("whsec_")), b"p" * 32)
    signed = Signer([shared]).headers(hook["id"], body, now=here.service.clock.now())
    answer = await here.service.client.post(
        f"/v1/webhooks/{hook['id']}/missing",
        content=body,
        headers={**signed, "content-type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def unlink(here: Outpost, *addresses: str) -> Any:
    return await here.post("/v1/subjects/unlink", {"addresses": list(addresses)})


def told(got: list[Received]) -> list[tuple[str, str]]:
    """The type and the address of each, in the order in which they came."""
    return [
        (one.event["type"].removeprefix("consent."), one.event["data"]["address"]) for one in got
    ]


def test_a_stop_is_told_of_every_address_that_a_link_brings_under_it(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook("consent.revoked")
            await here.grant(ANN)
            stopped = await here.opt_out(BOB, channel="sms", sender="acme")
            await link(here, ANN, MAIL)
            await here.run()
            here.receiver.got.clear()
            here.service.clock.move(DAY)
            linked = await link(here, ANN, BOB)
            assert (await here.check(ANN))["verdict"] == "deny"
            await here.run()
            # Ann's other address is covered too, though nobody named it.
            assert sorted(told(here.receiver.got)) == [("revoked", ANN), ("revoked", MAIL)]
            indexes = {receipt["index"] for receipt in linked["receipts"]}
            for one in here.receiver.got:
                data = one.event["data"]
                assert (data["event"], data["sender"], data["channel"]) == ("revoke", "acme", "sms")
                assert data["addresses"] == [data["address"]]
                assert data["stop_sequence"] == str(stopped["index"])
                assert int(one.event["sequence"]) in indexes
                assert one.event["id"] != stopped["id"]
            assert len({one.event["id"] for one in here.receiver.got}) == 2
            # Linking again brings nobody under anything.
            here.receiver.got.clear()
            await link(here, BOB, ANN, MAIL)
            assert await here.run() == 0
            assert len(await here.deliveries(hook["id"])) == 3

    asyncio.run(scenario())


def test_the_deadline_runs_from_the_stop_but_nobody_is_late_for_what_a_link_tells(
    tmp_path: Path, database_url: str
) -> None:
    """Ten business days from Friday the 20th end with Monday 7 December: Thanksgiving is none."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook("consent.revoked")
            here.receiver.answer = None
            await here.opt_out(BOB)
            here.service.clock.move(2 * DAY)
            await link(here, ANN, BOB)
            here.service.clock.move(60 * DAY)
            await link(here, CARL, ANN)
            linked_at = here.service.clock.now()
            await here.dispatcher.watch()
            found = {one["sequence"]: one for one in await here.deliveries(hook["id"])}
            of_stop, of_ann, *of_carl = (found[sequence] for sequence in sorted(found))
            assert of_ann["deadline_at"] == of_stop["deadline_at"]
            assert of_ann["deadline_rule"] == of_stop["deadline_rule"]
            assert [datetime.fromisoformat(one["deadline_at"]) for one in of_carl] == [
                linked_at + AT_ONCE
            ]

    asyncio.run(scenario())


def test_an_endpoint_that_has_not_heard_of_a_linked_stop_in_time_sends_nothing(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.opt_out(BOB)
            here.service.clock.move(60 * DAY)
            await here.grant(CARL)
            await here.webhook("consent.revoked", gates=[{"sender": "acme", "channel": "sms"}])
            here.receiver.answer = None
            await link(here, ANN, BOB)
            await here.run()
            codes = [one["code"] for one in (await here.check(CARL))["reasons"]]
            assert "propagation_overdue" not in codes
            await here.run(AT_ONCE + SECOND)
            codes = [one["code"] for one in (await here.check(CARL))["reasons"]]
            assert "propagation_overdue" in codes

    asyncio.run(scenario())


def test_a_stop_that_went_with_an_erasure_is_told_of_who_is_linked_with_it(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.grant(BOB)
            await here.post("/v1/subjects/erase", {"address": BOB, "why": "asked"})
            await here.grant(ANN)
            await here.webhook("consent.revoked")
            await link(here, ANN, BOB)
            await here.run()
            assert told(here.receiver.got) == [("revoked", ANN)]
            assert here.receiver.got[0].event["data"]["channel"] is None

    asyncio.run(scenario())


def test_what_was_told_of_a_link_is_told_again_to_who_has_lost_it(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook("consent.revoked")
            await here.opt_out(BOB)
            await link(here, ANN, BOB)
            await here.run()
            ids = [one.event["id"] for one in here.receiver.got]
            bodies = [one.event for one in here.receiver.got]
            here.receiver.got.clear()
            answer = await asked_again(here, hook, ids)
            assert answer == {"sent_again": ids, "under_way": [], "lost": [], "unknown": []}
            await here.run()
            # Of the stop itself all addresses are told by now; of the link the same as before.
            assert [one.event["id"] for one in here.receiver.got] == ids
            assert here.receiver.got[1].event == bodies[1]
            await here.post("/v1/subjects/erase", {"address": ANN, "why": "asked"})
            answer = await asked_again(here, hook, ids[1:])
            assert answer["lost"] == ids[1:]

    asyncio.run(scenario())


def test_the_trail_tells_where_the_stop_of_a_link_was_carried(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook("consent.revoked")
            await here.opt_out(BOB)
            await link(here, ANN, BOB)
            await here.run()
            found = await here.post("/v1/subjects/trail", {"address": ANN})
            carried = [
                [one["webhook"] for one in entry["deliveries"]]
                for entry in found["items"]
                if entry["type"] == "link"
            ]
            assert sorted(carried) == [[], [hook["id"]]]

    asyncio.run(scenario())


# In which order: whatever waits while addresses are linked and parted.


def test_who_parts_waits_behind_what_was_told_of_both(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await link(here, ANN, BOB, CARL)
            for person in (ANN, BOB, CARL):
                await here.grant(person)
            here.receiver.answer = None
            await here.run()
            await unlink(here, ANN, BOB)
            for person in (BOB, ANN, CARL):
                await here.opt_out(person)
            here.receiver.answer = OK
            here.receiver.got.clear()
            await settle(here)
            for person in (ANN, BOB, CARL):
                mine = [what for what, whose in told(here.receiver.got) if whose == person]
                assert mine == ["granted", "revoked"], person

    asyncio.run(scenario())


def test_who_is_linked_waits_behind_what_was_told_of_each(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            for person in (ANN, BOB, CARL):
                await here.grant(person)
            here.receiver.answer = None
            await here.run()
            await link(here, ANN, BOB)
            await link(here, BOB, CARL)
            await here.opt_out(ANN)
            here.receiver.answer = OK
            here.receiver.got.clear()
            await settle(here)
            assert [what for what, _ in told(here.receiver.got)] == ["granted"] * 3 + ["revoked"]

    asyncio.run(scenario())


def test_what_was_in_flight_when_addresses_were_linked_lets_the_next_go(
    tmp_path: Path, database_url: str
) -> None:
    """Who attempts it knows it by the line that it stood in then."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await here.grant(ANN)
            await here.grant(BOB)
            here.receiver.hold = asyncio.Event()
            running = asyncio.create_task(here.run())
            await here.receiver.more()
            await link(here, ANN, BOB)
            await here.opt_out(ANN)
            here.receiver.hold.set()
            await running
            await here.run()
            assert [what for what, _ in told(here.receiver.got)] == ["granted"] * 2 + ["revoked"]

    asyncio.run(scenario())


@pytest.mark.parametrize("erased", [ANN, BOB])
def test_an_erasure_comes_behind_what_waits_of_all_who_are_erased(
    tmp_path: Path, database_url: str, erased: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await link(here, ANN, BOB)
            for person in (ANN, BOB):
                await here.opt_out(person)
            here.receiver.answer = None
            await here.run()
            await here.post("/v1/subjects/erase", {"address": erased, "why": "asked"})
            await here.grant(erased)
            here.receiver.answer = OK
            here.receiver.got.clear()
            await settle(here)
            types = [one.event["type"].split(".")[1] for one in here.receiver.got]
            assert types == ["revoked", "revoked", "erased", "granted"]

    asyncio.run(scenario())


# What was given up, and is to go out after all.


async def failed_grant(here: Outpost, hook: str, person: str = ANN) -> str:
    """Grant, and let every attempt fail until it is given up; the path that retries it."""
    await here.grant(person)
    here.receiver.answer = answering(500)
    for _ in range(10):
        await here.run(12 * timedelta(hours=1))
    here.receiver.answer = OK
    newest = (await here.deliveries(hook))[0]
    assert newest["state"] == "failed"
    return f"/v1/deliveries/{newest['id']}/retry"


@pytest.mark.parametrize("before", [[], [ANN, BOB]], ids=["alone", "linked"])
@pytest.mark.parametrize("after", [[], [ANN, BOB]], ids=["alone", "linked"])
def test_a_grant_that_failed_is_not_sent_behind_a_later_stop(
    tmp_path: Path, database_url: str, before: list[str], after: list[str]
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = (await here.webhook())["id"]
            if before:
                await link(here, *before)
            retry = await failed_grant(here, hook)
            if after:
                await link(here, *after)
            await here.opt_out(BOB if before and after else ANN)
            if before and not after:
                await unlink(here, *before)
            # It waits, it is under way, it has arrived: the grant would come behind it.
            for _ in range(2):
                answer = await here.post(retry, status=409)
                assert answer["code"] == "delivery_overtaken"
                await here.run()
            assert [what for what, _ in told(here.receiver.got)][-1] == "revoked"
            await here.run(DAY)
            assert [what for what, _ in told(here.receiver.got)][-1] == "revoked"

    asyncio.run(scenario())


def test_a_grant_that_failed_is_not_sent_behind_a_stop_that_a_link_brought(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = (await here.webhook())["id"]
            await here.opt_out(BOB)
            await here.run()
            retry = await failed_grant(here, hook)
            await link(here, ANN, BOB)
            await here.run()
            assert told(here.receiver.got)[-1] == ("revoked", ANN)
            assert (await here.post(retry, status=409))["code"] == "delivery_overtaken"

    asyncio.run(scenario())


def test_a_grant_that_failed_is_not_sent_for_somebody_erased(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = (await here.webhook("consent.granted"))["id"]
            retry = await failed_grant(here, hook)
            await here.post("/v1/subjects/erase", {"address": ANN, "why": "asked"})
            assert (await here.post(retry, status=409))["code"] == "delivery_overtaken"

    asyncio.run(scenario())


def test_grants_that_failed_are_retried_in_their_order(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = (await here.webhook())["id"]
            first = await failed_grant(here, hook)
            second = await failed_grant(here, hook)
            await here.opt_out(BOB)
            await here.run()
            here.receiver.got.clear()
            # Others' stops are no hindrance, and the second waits for the first.
            await here.post(first)
            await here.post(second)
            await here.opt_out(ANN)
            found = {one["sequence"]: one["next_attempt_at"] for one in await here.deliveries(hook)}
            assert (found[0] is None, found[1], found[3]) == (False, None, None)
            await settle(here)
            assert [int(one.event["sequence"]) for one in here.receiver.got] == [0, 1, 3]
            assert (await here.post(first, status=409))["code"] == "conflict"

    asyncio.run(scenario())


async def settle(here: Outpost) -> None:
    for _ in range(12):
        await here.run(12 * timedelta(hours=1))
    assert (await here.get("/v1/propagation"))["items"] == []
