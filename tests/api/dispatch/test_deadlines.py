"""What is late is told of, shown, and keeps from sending what hangs on it."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.data_folder import DataFolder
from api.roles import Role
from tests.api.dispatch.test_webhooks import report
from tests.support.receivers import OK, answering
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

DAY = timedelta(days=1)
GATES = [{"sender": "acme", "channel": "sms"}]
GERMAN = "+4915112345678"


def codes(answer: Any) -> set[str]:
    return {reason["code"] for reason in answer["reasons"]}


def test_an_overdue_opt_out_keeps_from_sending_what_its_endpoint_sends(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook(gates=GATES)
            await here.grant(BOB)
            await here.run()
            here.receiver.answer = answering(500)
            await here.opt_out(GERMAN)
            await here.run()
            assert codes(await here.check(BOB)) == set()
            here.service.clock.move(timedelta(minutes=14))
            assert "propagation_overdue" not in codes(await here.check(BOB))
            here.service.clock.move(timedelta(minutes=1))
            denied = await here.check(BOB)
            assert denied["verdict"] == "deny"
            assert codes(denied) == {"propagation_overdue"}
            # The same by another channel goes by another road, and a one-time code is spared.
            assert "propagation_overdue" not in codes(await here.check(BOB, channel="voice"))
            spared = await here.check(BOB, purpose="authentication")
            assert "propagation_overdue" not in codes(spared)
            here.receiver.answer = OK
            await here.run(timedelta(hours=1))
            assert codes(await here.check(BOB)) == set()

    asyncio.run(scenario())


def test_where_applied_is_the_proof_arrival_opens_no_gate(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook(gates=GATES, proof="applied")
            await here.grant(BOB)
            await here.opt_out(GERMAN)
            await here.run()
            here.service.clock.move(timedelta(minutes=15))
            assert codes(await here.check(BOB)) == {"propagation_overdue"}
            revoked = next(one for one in here.receiver.got if "revoked" in one.event["type"])
            answer = await report(here, revoked.id, hook["secret"])
            assert answer.json()["in_time"] is True
            assert codes(await here.check(BOB)) == set()

    asyncio.run(scenario())


def test_a_disabled_endpoint_with_an_overdue_opt_out_keeps_its_gate_shut(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook(gates=GATES)
            await here.grant(BOB)
            await here.post(f"/v1/webhooks/{hook['id']}/disable")
            await here.opt_out(GERMAN)
            # Nothing was attempted, so nobody has looked at the law yet.
            assert await here.dispatcher.watch() == 1
            here.service.clock.move(timedelta(minutes=15))
            assert codes(await here.check(BOB)) == {"propagation_overdue"}

    asyncio.run(scenario())


def test_what_is_late_is_told_once_and_shown(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            hook = await here.webhook("consent.revoked", "propagation.overdue")
            here.receiver.answer = answering(500)
            await here.opt_out(GERMAN)
            await here.opt_out(ANN)
            await here.run()
            assert await here.dispatcher.watch() == 0
            (soon, later) = (await here.get("/v1/propagation"))["items"]
            assert soon["deadline_rule"] == "eea-gdpr-opt-out-deadline"
            assert not soon["late"]
            assert later["deadline_rule"] == "us-tcpa-opt-out-deadline"
            here.service.clock.move(timedelta(minutes=16))
            assert await here.dispatcher.watch() == 1
            assert await here.dispatcher.watch() == 0
            (late,) = (await here.get("/v1/propagation?late=true"))["items"]
            assert (late["id"], late["late"]) == (soon["id"], True)
            here.receiver.answer = OK
            await here.run(DAY)
            (told,) = [one.event for one in here.receiver.got if "overdue" in one.event["type"]]
            assert told["data"]["delivery"] == soon["id"]
            assert told["data"]["webhook"] == hook["id"]
            assert told["data"]["rule"] == "eea-gdpr-opt-out-deadline"
            # It arrived in the end, and too late it stays.
            shown = {one["id"]: one for one in await here.deliveries(hook["id"])}
            assert shown[soon["id"]]["late"] is True
            assert shown[later["id"]]["late"] is False

    asyncio.run(scenario())


def test_what_we_learnt_of_late_is_not_overdue_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.webhook()
            said_at = here.service.clock.now() - 90 * DAY
            await here.post(
                "/v1/consent-events",
                {"address": ANN, "event": "revoke", "at": said_at.isoformat(), "via": "letter"},
                status=201,
            )
            assert await here.dispatcher.watch() == 1
            (one,) = (await here.get("/v1/propagation"))["items"]
            assert not one["late"]
            assert one["deadline_at"] == "2026-11-20T17:15:00Z"

    asyncio.run(scenario())


def test_a_stale_copy_of_a_register_is_told_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.webhook("registry.stale")
            answer = await here.service.client.put(
                "/v1/registries/us-national-dnc/snapshots/2026-11-01",
                content=b"address\n+12125550199\n",
                headers={**here.headers, "content-type": "text/csv"},
            )
            assert answer.status_code == 200, answer.text
            assert await here.dispatcher.look_for_stale() == 0
            here.service.clock.move(60 * DAY)
            assert await here.dispatcher.look_for_stale() == 1
            assert await here.dispatcher.look_for_stale() == 0
            await here.run()
            (got,) = here.receiver.got
            assert got.event["data"]["registry"] == "us-national-dnc"

    asyncio.run(scenario())


def test_law_that_is_to_come_is_told_when_it_is_known_and_when_it_is_near(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            assert await here.dispatcher.look_for_scheduled() == 0, "nobody asked"
            await here.webhook("rules.scheduled")
            await here.dispatcher.look_for_scheduled()
            assert await here.dispatcher.look_for_scheduled() == 0
            await here.run()
            assert [one["notice"] for one in _told_of(here, "2027-01-31")] == ["announced"]
            here.service.clock.move(datetime(2027, 1, 1, tzinfo=UTC) - here.service.clock.now())
            for days in (timedelta(), DAY, 30 * DAY):
                here.service.clock.move(days)
                await here.dispatcher.look_for_scheduled()
                await here.run()
            told = _told_of(here, "2027-01-31")
            assert [one["notice"] for one in told] == ["announced", "near"]
            assert told[0]["jurisdictions"] == ["US"]
            assert any(rule.startswith("us-tcpa") for rule in told[0]["rules"])
            assert all(one["takes_effect_on"] > "2026-11-20" for one in _told_of(here))

    asyncio.run(scenario())


def _told_of(here: Outpost, on: str = "") -> list[dict[str, Any]]:
    told = [one.event["data"] for one in here.receiver.got]
    return [data for data in told if on in data["takes_effect_on"]]


def test_a_denied_check_is_told_without_the_address(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            await here.webhook("check.denied")
            denied = await here.check(ANN)
            await here.grant(BOB)
            assert (await here.check(BOB))["verdict"] == "allow"
            assert await here.run() == 1
            (got,) = here.receiver.got
            assert got.event["id"] == denied["id"]
            assert got.event["data"]["reasons"] == ["consent_missing"]
            assert got.event["sequence"] == str(denied["index"])
            assert ANN.encode() not in got.body

    asyncio.run(scenario())


def test_an_organisation_whose_records_are_broken_keeps_no_other_from_being_dated(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            organisations = sorted([here.organisation, await here.service.new_organisation()])
            hooks = {}
            for organisation in organisations:
                await here.service.put_sender(organisation)
                here.headers = await here.service.as_(organisation, Role.ADMIN)
                hooks[organisation] = await here.webhook(gates=GATES)
                await here.post(f"/v1/webhooks/{hooks[organisation]['id']}/disable")
                await here.opt_out(GERMAN)
            broken, sound = organisations
            with closing(sqlite3.connect(DataFolder(tmp_path).database)) as database, database:
                database.execute(
                    "UPDATE sender SET record = x'7b' WHERE organisation = ?", (broken,)
                )
            assert await here.dispatcher.watch() == 1
            (delivery,) = await here.deliveries(hooks[sound]["id"])
            assert delivery["deadline_at"] is not None

    asyncio.run(scenario())
