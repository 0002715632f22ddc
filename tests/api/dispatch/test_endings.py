"""What becomes of deliveries that have done their part, and of bodies of somebody erased."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import sqlite

from consent.propagation import endings, outbox
from consent.propagation.tables import webhook_delivery
from tests.support.receivers import OK, answering
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

DAY = timedelta(days=1)


async def bodies(here: Outpost) -> list[dict[str, Any]]:
    """Every body that there is, opened, in order of telling."""
    keys = here.service.components.keys
    rows = await here.service.components.service.reader.run(
        lambda connection: connection.execute(
            select(webhook_delivery).order_by(webhook_delivery.c.position)
        ).all()
    )
    return [
        json.loads(outbox.open_body(row.organisation, row.id, row.sealed_body, keys=keys))
        for row in rows
        if row.sealed_body is not None
    ]


async def erase(here: Outpost, address: str = ANN) -> None:
    await here.post("/v1/subjects/erase", {"address": address, "why": "asked"})


def test_the_addresses_of_somebody_erased_end_at_the_deadline(
    tmp_path: Path, database_url: str
) -> None:
    """The stop still goes: its receiver knows the person by what it was told before."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            here.receiver.answer = answering(503)
            await here.webhook()
            await here.opt_out(ANN, purpose="marketing")
            await here.opt_out(BOB)
            await erase(here)
            await here.run()
            await here.dispatcher.watch()
            assert all(body["data"]["addresses"] for body in await bodies(here)), "they may arrive"
            here.service.clock.move(60 * DAY)
            assert await here.dispatcher.watch() > 0
            stop, bobs, erasure = await bodies(here)
            assert (stop["data"]["address"], stop["data"]["addresses"]) == (None, [])
            assert (stop["data"]["purpose"], stop["data"]["withheld"]) == ("marketing", "erased")
            assert (erasure["data"]["addresses"], erasure["data"]["withheld"]) == ([], "erased")
            assert bobs["data"]["addresses"] == [BOB], "nobody erased him"
            here.receiver.answer = OK
            here.receiver.got.clear()
            for _ in range(4):
                await here.run(2 * DAY)
            assert {one.event["id"] for one in here.receiver.got} == {
                stop["id"],
                bobs["id"],
                erasure["id"],
            }
            (arrived,) = (one for one in here.receiver.got if one.event["id"] == stop["id"])
            assert ANN.encode() not in arrived.body
            assert arrived.event["subject"]
            assert await here.dispatcher.watch() == 0

    asyncio.run(scenario())


def test_a_stranger_who_was_erased_is_not_named_past_the_deadline_either(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            here.receiver.answer = answering(503)
            await here.webhook("subject.erased")
            await erase(here, BOB)
            await here.run()
            here.service.clock.move(60 * DAY)
            await here.dispatcher.watch()
            (body,) = await bodies(here)
            assert body["data"]["addresses"] == []

    asyncio.run(scenario())


def test_what_is_no_opt_out_loses_its_addresses_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            here.receiver.answer = answering(503)
            await here.webhook("consent.granted")
            await here.grant(ANN)
            await here.grant(BOB)
            await erase(here)
            assert await here.dispatcher.watch() == 1
            anns, bobs = await bodies(here)
            assert (anns["data"]["addresses"], bobs["data"]["addresses"]) == ([], [BOB])

    asyncio.run(scenario())


def test_what_was_given_up_loses_its_body_with_the_person_or_with_age(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            here.receiver.answer = answering(503)
            hook = await here.webhook("consent.granted")
            await here.grant(ANN)
            await here.grant(BOB)
            for _ in range(12):
                await here.run(DAY)
            states = [one["state"] for one in await here.deliveries(hook["id"])]
            assert states == ["failed", "failed"]
            assert await here.dispatcher.sweep() == 0
            await erase(here)
            assert await here.dispatcher.sweep() == 1
            assert [body["data"]["addresses"] for body in await bodies(here)] == [[BOB]]
            here.service.clock.move(91 * DAY)
            assert await here.dispatcher.sweep() == 1
            assert await bodies(here) == []
            kept = await here.deliveries(hook["id"])
            assert len(kept) == 2, "the trail says that it never arrived"
            await here.post(f"/v1/deliveries/{kept[0]['id']}/retry", status=409)

    asyncio.run(scenario())


def test_rows_that_nothing_is_worked_out_from_go_after_their_time(
    tmp_path: Path, database_url: str
) -> None:
    """An opt-out's stays: trails show when it arrived, and receivers compare what they hold."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url, deliveries_kept_days=30) as here:
            hook = await here.webhook("consent.revoked", "check.denied", "propagation.summary")
            await here.opt_out()
            await here.check()
            await here.check(BOB)
            await here.run()
            here.service.clock.move(DAY)
            await here.dispatcher.sum_up()
            await here.run()
            before = await summed(here)
            assert await here.dispatcher.sweep() == 0
            here.service.clock.move(29 * DAY)
            assert await here.dispatcher.sweep() == 0
            here.service.clock.move(2 * DAY)
            assert await here.dispatcher.sweep() == 3
            (kept,) = await here.deliveries(hook["id"])
            assert (kept["type"], kept["state"]) == ("consent.revoked", "delivered")
            assert await here.dispatcher.sweep() == 0
            trail = await here.post("/v1/subjects/trail", {"address": ANN})
            told = [one["deliveries"] for one in trail["items"] if one.get("deliveries")]
            assert [[one["delivered_at"] for one in each] for each in told] == [
                [kept["delivered_at"]]
            ]
            assert await here.dispatcher.sum_up() == 1
            await here.run()
            assert await summed(here) == before

    asyncio.run(scenario())


async def summed(here: Outpost) -> tuple[int, str]:
    """The last summary that came."""
    data = [one.event["data"] for one in here.receiver.got if "root" in one.event["data"]][-1]
    return data["count"], data["root"]


def test_what_is_looked_for_by_age_is_found_by_an_index(tmp_path: Path) -> None:
    def plans(connection: Connection) -> list[str]:
        return [
            str(connection.execute(text(f"EXPLAIN QUERY PLAN {written}")).all())
            for statement in (endings._PASSED, endings._GIVEN_UP)
            for written in (str(statement.compile(dialect=sqlite.dialect())).replace("?", "0"),)
        ]

    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            passed, given_up = await here.service.components.service.reader.run(plans)
            assert "USING INDEX webhook_delivery_passing (settled_at<" in passed.replace(
                "COVERING ", ""
            )
            assert "USING INDEX webhook_delivery_failed" in given_up

    asyncio.run(scenario())


def test_who_stands_in_the_line_of_somebody_erased_is_named(
    tmp_path: Path, database_url: str
) -> None:
    """By parting from them, or by coming anew under their address."""

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            here.receiver.answer = answering(503)
            await here.webhook()
            linked = {"addresses": [ANN, BOB]}
            await here.post("/v1/subjects/link", linked)
            await here.opt_out(ANN)
            await here.post("/v1/subjects/unlink", linked)
            await erase(here, ANN)
            await erase(here, BOB)
            await here.grant(ANN)
            await here.grant(BOB)
            await here.run()
            await here.dispatcher.watch()
            named = [body["data"]["addresses"] for body in await bodies(here)]
            assert named == [[ANN, BOB], [ANN], [BOB], [ANN], [BOB]]

    asyncio.run(scenario())


def test_the_stop_that_a_link_brought_somebody_erased_names_them_no_more(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            here.receiver.answer = answering(503)
            await here.opt_out(BOB)
            await here.webhook("consent.revoked")
            linked = {"addresses": [ANN, BOB]}
            await here.post("/v1/subjects/link", linked)
            await here.post("/v1/subjects/unlink", linked)
            await erase(here, ANN)
            await here.run()
            await here.dispatcher.watch()
            here.service.clock.move(60 * DAY)
            await here.dispatcher.watch()
            (body,) = await bodies(here)
            assert (body["data"]["addresses"], body["data"]["withheld"]) == ([], "erased")

    asyncio.run(scenario())


@pytest.mark.parametrize("first", [ANN, BOB])
def test_a_stop_of_two_names_the_one_who_was_not_erased(
    tmp_path: Path, database_url: str, first: str
) -> None:
    """Whichever of them said it; and neither, once both were erased."""
    second = BOB if first == ANN else ANN

    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            here.receiver.answer = answering(503)
            await here.webhook("consent.revoked")
            linked = {"addresses": [ANN, BOB]}
            await here.post("/v1/subjects/link", linked)
            await here.opt_out(ANN)
            await here.post("/v1/subjects/unlink", linked)
            await erase(here, first)
            await here.run()
            await here.dispatcher.watch()
            here.service.clock.move(60 * DAY)
            assert await here.dispatcher.watch() > 0
            (body,) = await bodies(here)
            assert body["data"]["addresses"] == [second]
            assert body["data"]["address"] == (None if first == ANN else ANN)
            assert body["data"]["withheld"] == "erased"
            assert await here.dispatcher.watch() == 0
            here.service.clock.move(DAY)
            await erase(here, second)
            assert await here.dispatcher.watch() == 1
            (body,) = await bodies(here)
            assert (body["data"]["address"], body["data"]["addresses"]) == (None, [])

    asyncio.run(scenario())
