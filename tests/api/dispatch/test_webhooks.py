"""Webhooks as an admin keeps them, and what a receiver reports back."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from api.roles import Role
from consent.propagation.signatures import Secret, Signer
from tests.support.receivers import answering
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

DAY = timedelta(days=1)


def test_a_secret_is_shown_once_and_the_list_never_shows_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            made = await here.webhook(gates=[{"sender": "acme", "channel": "sms"}])
            assert made["secret"].startswith("whsec_")
            (listed,) = (await here.get("/v1/webhooks"))["items"]
            assert listed["id"] == made["id"]
            assert listed["gates"] == [{"sender": "acme", "channel": "sms"}]
            assert listed["proof"] == "delivered"
            assert made["secret"] not in json.dumps([listed, here.service.log.getvalue()])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://hooks.example.com/"}, 400, "endpoint_refused"),
        ({"url": "https://127.0.0.1/"}, 400, "endpoint_refused"),
        ({"events": ["consent.lost"]}, 400, "invalid_request"),
        ({"events": []}, 400, "invalid_request"),
        ({"more": 1}, 400, "invalid_request"),
        ({"gates": [{"sender": "nobody", "channel": "sms"}]}, 404, "unknown_sender"),
        ({"gates": [{"sender": "acme", "channel": "pigeon"}]}, 400, "invalid_request"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_said(
    tmp_path: Path, body: dict[str, Any], status: int, code: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, webhooks_to_loopback=False) as here:
            good = {"url": "https://hooks.example.com/", "events": ["consent.revoked"]}
            answer = await here.post("/v1/webhooks", good | body, status=status)
            assert answer["code"] == code
            await here.post("/v1/webhooks", good, status=201)

    asyncio.run(scenario())


def test_while_a_secret_is_changed_over_both_sign_and_both_are_taken(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            made = await here.webhook()
            rotated = await here.post(f"/v1/webhooks/{made['id']}/rotate-secret")
            assert rotated["secret"] != made["secret"]
            await here.opt_out()
            await here.run()
            (got,) = here.receiver.got
            signatures = got.headers["webhook-signature"].split()
            now = here.service.clock.now()
            for secret in (made["secret"], rotated["secret"]):
                assert Webhook(secret).sign(got.id, now, got.body.decode()) in signatures
                assert (await report(here, got.id, secret)).status_code == 200
            here.service.clock.move(DAY)
            assert (await report(here, got.id, made["secret"])).status_code == 401
            assert (await report(here, got.id, rotated["secret"])).status_code == 200

    asyncio.run(scenario())


def test_a_receiver_reports_that_it_applied_an_opt_out(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            made = await here.webhook(proof="applied")
            await here.opt_out()
            await here.run()
            (got,) = here.receiver.got
            # It arrived, and that is not enough for this one.
            (under_way,) = (await here.get("/v1/propagation"))["items"]
            assert (under_way["id"], under_way["state"]) == (got.id, "delivered")
            here.service.clock.move(DAY)
            answer = await report(here, got.id, made["secret"])
            assert answer.status_code == 200
            assert answer.json()["in_time"] is True
            assert (await here.get("/v1/propagation"))["items"] == []
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["late"]) == ("applied", False)
            first = delivery["applied_at"]
            told = await here.post("/v1/subjects/trail", {"address": ANN})
            (entry,) = [one for one in told["items"] if one["type"] == "revoke"]
            (carried,) = entry["deliveries"]
            assert (carried["webhook"], carried["applied_at"]) == (made["id"], first)
            here.service.clock.move(DAY)
            assert (await report(here, got.id, made["secret"])).json()["applied_at"] == first

    asyncio.run(scenario())


def test_what_was_applied_without_an_answer_is_not_sent_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            made = await here.webhook()
            await here.opt_out()
            await here.opt_out(channel="sms")
            here.receiver.then(None)
            await here.run()
            (got,) = here.receiver.got
            assert (await report(here, got.id, made["secret"])).status_code == 200
            # The one behind it in the line goes now, and the first never again.
            assert await here.run() == 1
            assert await here.run(DAY) == 0
            assert here.receiver.ids[0] != here.receiver.ids[1]

    asyncio.run(scenario())


def test_only_the_receiver_itself_can_report(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            made = await here.webhook()
            other = await here.webhook()
            await here.opt_out()
            await here.run()
            ours = (await here.deliveries(made["id"]))[0]["id"]
            theirs = (await here.deliveries(other["id"]))[0]["id"]
            path = f"/v1/deliveries/{ours}/applied"
            assert (await report(here, ours, other["secret"])).status_code == 401
            assert (await report(here, ours, Secret.new().shown)).status_code == 401
            late = here.service.clock.now() - timedelta(minutes=6)
            assert (await report(here, ours, made["secret"], at=late)).status_code == 401
            # Signed for another delivery.
            swapped = await report(here, theirs, made["secret"], path=path)
            assert swapped.status_code == 400
            unsigned = await here.service.client.post(path, json={}, headers=here.headers)
            assert unsigned.status_code == 401
            unknown = "dlv_" + "0" * 32
            assert (await report(here, unknown, made["secret"])).status_code == 404
            assert (await report(here, ours, made["secret"], body=b"[]")).status_code == 400
            assert (await here.deliveries(made["id"]))[0]["state"] == "delivered"
            assert (await report(here, ours, made["secret"])).status_code == 200

    asyncio.run(scenario())


def test_retry_makes_it_due_and_what_arrived_stays_where_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            await here.opt_out()
            here.receiver.then(answering(500), answering(500), answering(500))
            for _ in range(3):
                await here.run(timedelta(seconds=20))
            (delivery,) = await here.deliveries(hook["id"])
            path = f"/v1/deliveries/{delivery['id']}/retry"
            assert await here.run() == 0
            await here.post(path)
            assert await here.run() == 1
            assert (await here.post(path, status=409))["code"] == "conflict"
            other = await here.service.new_organisation("Other")
            headers = await here.service.as_(other, Role.ADMIN)
            answer = await here.service.client.post(path, headers=headers)
            assert answer.status_code == 404

    asyncio.run(scenario())


def test_a_webhook_that_owes_opt_outs_is_not_deleted_by_mistake(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            await here.opt_out()
            path = f"/v1/webhooks/{hook['id']}"
            answer = await here.service.client.delete(path, headers=here.headers)
            assert answer.status_code == 409
            answer = await here.service.client.delete(f"{path}?abandon=true", headers=here.headers)
            assert answer.status_code == 200
            await here.get(path, status=404)
            await here.opt_out(BOB)
            assert await here.run() == 0
            assert (await here.get("/v1/propagation"))["items"] == []

    asyncio.run(scenario())


def test_a_disabled_webhook_misses_nothing_about_people(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook("consent.revoked", "consent.granted", "check.denied")
            await here.post(f"/v1/webhooks/{hook['id']}/disable")
            await here.grant()
            await here.opt_out()
            await here.check()
            assert await here.run() == 0
            await here.post(f"/v1/webhooks/{hook['id']}/enable")
            await here.run()
            told = [one.event["type"] for one in here.receiver.got]
            assert told == ["consent.granted", "consent.revoked"]

    asyncio.run(scenario())


def test_an_erasure_is_told_and_does_not_stop_what_is_on_its_way(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, database_url=database_url) as here:
            await here.webhook()
            await here.opt_out()
            await here.post("/v1/subjects/erase", {"address": ANN, "why": "asked"})
            assert await here.run() == 2
            told = [
                (one.event["type"], one.event["data"]["addresses"]) for one in here.receiver.got
            ]
            assert told == [("consent.revoked", [ANN]), ("subject.erased", [ANN])]

    asyncio.run(scenario())


def test_deliveries_page_from_the_newest_and_by_state(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            hook = await here.webhook()
            for number in range(5):
                await here.opt_out(f"+1212555000{number}")
            path = f"/v1/webhooks/{hook['id']}/deliveries"
            first = await here.get(f"{path}?limit=3")
            rest = await here.get(f"{path}?limit=3&cursor={first['next_cursor']}")
            found = [one["sequence"] for one in first["items"] + rest["items"]]
            assert found == [4, 3, 2, 1, 0]
            assert rest["next_cursor"] is None
            assert (await here.get(f"{path}?state=delivered"))["items"] == []
            assert len((await here.get(f"{path}?state=pending"))["items"]) == 5
            assert ANN not in json.dumps(first)
            under_way = await here.get("/v1/propagation?limit=3")
            more = await here.get(f"/v1/propagation?limit=3&cursor={under_way['next_cursor']}")
            assert len(under_way["items"] + more["items"]) == 5
            for odd in ("cMQ", "cLTE", "cMS4y", "x"):
                for listed in (path, "/v1/propagation"):
                    url = f"{listed}?cursor={odd}"
                    answer = await here.service.client.get(url, headers=here.headers)
                    assert answer.status_code in (200, 400), url

    asyncio.run(scenario())


async def report(
    here: Outpost,
    delivery: str,
    secret: str,
    *,
    body: bytes = b"{}",
    path: str | None = None,
    at: Any = None,
) -> httpx.Response:
    """Report a delivery as applied, as its receiver would: signed, and without a key."""
    import base64

    shared = Secret(base64.b64decode(secret.removeprefix("whsec_")), b"p" * 32)
    signed = Signer([shared]).headers(delivery, body, now=at or here.service.clock.now())
    return await here.service.client.post(
        path or f"/v1/deliveries/{delivery}/applied",
        content=body,
        headers={**signed, "content-type": "application/json"},
    )
