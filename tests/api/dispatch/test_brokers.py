"""What is published to brokers: at least once, by person, and only where the operator says."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.dispatch.works import ClaimRequest
from api.errors import SettingsError
from api.roles import NO_ORGANISATION
from api.settings import Settings
from consent.ledger.identifiers import label_of
from consent.propagation import outbox
from tests.support.brokers import NATS_SERVER, KafkaBroker, a_nats_server
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

wants_nats = pytest.mark.skipif(
    NATS_SERVER is None, reason="there is no nats-server; on Debian: apt-get install nats-server"
)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def to_broker(here: Outpost, url: str, *, status: int = 201) -> Any:
    body = {"url": url, "events": ["consent.granted", "consent.revoked", "subject.erased"]}
    return await here.post("/v1/webhooks", body, status=status)


@wants_nats
def test_a_stream_gets_what_a_webhook_would_be_sent(tmp_path: Path, database_url: str) -> None:
    async def scenario(url: str) -> None:
        async with an_outpost(tmp_path, database_url=database_url, brokers=url) as here:
            made = await to_broker(here, url)
            await here.webhook("consent.revoked")
            receipt = await here.opt_out()
            assert await here.run() == 2
            (message,) = await server.messages()
            (posted,) = here.receiver.got
            assert json.loads(message.data) == posted.event
            person = posted.event["subject"]
            assert message.subject == f"cts.events.{here.organisation}.{person}"
            assert message.headers["Nats-Msg-Id"] == receipt["id"]
            assert message.headers["content-type"] == "application/cloudevents+json"
            (delivery,) = await here.deliveries(made["id"])
            assert delivery["state"] == "delivered"
            assert message.headers["webhook-id"] == delivery["id"]

    with a_nats_server(tmp_path / "nats") as server:
        asyncio.run(server.make_stream("cts.events.>"))
        asyncio.run(scenario(f"{server.url}/cts.events"))


@wants_nats
def test_a_server_killed_in_the_middle_loses_nothing_and_keeps_each_persons_order(
    tmp_path: Path,
) -> None:
    async def scenario(url: str) -> None:
        async with an_outpost(tmp_path, brokers=url) as here:
            here.dispatcher._road.attempt_seconds = 2
            made = await to_broker(here, url)
            told: list[str] = []

            async def happen() -> None:
                for number in range(10):
                    address = f"+1212555{100 + number:04}"
                    told.append((await here.grant(address))["id"])
                    told.append((await here.opt_out(address))["id"])

            await happen()
            await here.run()
            await happen()
            # The connection is open, and nobody is at its other end any more.
            server.kill()
            await here.run()
            assert {one["state"] for one in (await here.deliveries(made["id"]))[:20]} == {"pending"}
            await here.run(MINUTE)
            await happen()
            server.start()
            await here.run(MINUTE)
            await here.run(HOUR)
            messages = await server.messages()
            ids = [message.headers["Nats-Msg-Id"] for message in messages]
            assert sorted(ids) == sorted(told)
            by_person: dict[str, list[int]] = {}
            for message in messages:
                event = json.loads(message.data)
                by_person.setdefault(event["subject"], []).append(int(event["sequence"]))
            assert len(by_person) == 10
            assert all(found == sorted(found) for found in by_person.values())

    with a_nats_server(tmp_path / "nats") as server:
        asyncio.run(server.make_stream("cts.>"))
        asyncio.run(scenario(f"{server.url}/cts"))


@wants_nats
def test_what_was_published_and_not_concluded_is_in_the_stream_once(tmp_path: Path) -> None:
    async def scenario(url: str) -> None:
        async with an_outpost(tmp_path, brokers=url) as here:
            made = await to_broker(here, url)
            await here.opt_out()
            # Somebody publishes it, and dies before that is on record.
            road = here.dispatcher._road
            claim = await here.service.components.service.writer.submit(
                road.claim, ClaimRequest(made["id"], 1, b"somebody"), organisation=NO_ORGANISATION
            )
            (claimed,) = claim.claimed
            courier = road.carrier_to(claim.endpoint)
            body = outbox.open_body(
                here.organisation, claimed.id, claimed.sealed_body, keys=road.keys
            )
            now = here.service.clock.now()
            outcome = await courier.carry(label_of("dlv", claimed.id), body, now=now)
            assert outcome.problem is None
            await courier.close()
            assert len(await server.messages()) == 1
            assert await here.run(timedelta(minutes=3)) == 1
            assert len(await server.messages()) == 1

    with a_nats_server(tmp_path / "nats") as server:
        asyncio.run(server.make_stream("cts.>"))
        asyncio.run(scenario(f"{server.url}/cts"))


@wants_nats
def test_what_no_stream_takes_has_not_arrived(tmp_path: Path) -> None:
    async def scenario(url: str) -> None:
        async with an_outpost(tmp_path, brokers=url) as here:
            made = await to_broker(here, url)
            await here.opt_out()
            await here.run()
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["last_problem"]) == ("pending", "broker_refused")
            await server.make_stream("cts.>")
            await here.run(MINUTE)
            assert len(await server.messages()) == 1

    with a_nats_server(tmp_path / "nats") as server:
        asyncio.run(scenario(f"{server.url}/cts"))


@wants_nats
def test_the_operators_password_opens_the_broker_and_is_never_shown(tmp_path: Path) -> None:
    async def scenario(url: str) -> None:
        listed = url.replace("nats://", "nats://cts:s3cret-of-nats@")
        async with an_outpost(tmp_path, brokers=listed) as here:
            made = await to_broker(here, url)
            assert made["url"] == url
            assert await to_broker(here, listed, status=400)
            await here.opt_out()
            await here.run()
            (delivery,) = await here.deliveries(made["id"])
            assert delivery["state"] == "delivered"
            shown = json.dumps([made, await here.get("/v1/webhooks"), here.service.log.getvalue()])
            assert "s3cret" not in shown
        other = tmp_path / "other"
        other.mkdir()
        async with an_outpost(other, brokers=url) as here:
            made = await to_broker(here, url)
            await here.opt_out()
            await here.run()
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["last_problem"]) == ("pending", "broker_refused")

    with a_nats_server(tmp_path / "nats", "--user", "cts", "--pass", "s3cret-of-nats") as server:
        address = server.url.replace("nats://", "nats://cts:s3cret-of-nats@")
        asyncio.run(server.make_stream("cts.>", url=address))
        asyncio.run(scenario(f"{server.url}/cts"))


def test_kafka_gets_it_under_the_persons_key(tmp_path: Path) -> None:
    broker = KafkaBroker()

    async def scenario(url: str) -> None:
        async with an_outpost(tmp_path, brokers=url) as here:
            made = await to_broker(here, url)
            await here.webhook("consent.revoked")
            await here.grant(ANN)
            await here.opt_out(ANN)
            await here.opt_out(BOB)
            assert await here.run() == 5
            assert {one["state"] for one in await here.deliveries(made["id"])} == {"delivered"}
            messages = await asyncio.to_thread(broker.messages, "cts-events", 3)
            events = [json.loads(message.value()) for message in messages]
            assert [message.key().decode() for message in messages] == [
                event["subject"] for event in events
            ]
            of_ann = [one["type"] for one in events if one["data"]["address"] == ANN]
            assert of_ann == ["consent.granted", "consent.revoked"]
            posted = {one.event["id"]: one.event for one in here.receiver.got}
            assert {one["id"]: one for one in events if one["id"] in posted} == posted
            headers = dict(messages[0].headers())
            assert headers["content-type"] == b"application/cloudevents+json"
            assert headers["webhook-id"].startswith(b"dlv_")

    asyncio.run(scenario(f"kafka://{broker.address}/cts-events"))


def test_a_kafka_that_is_not_there_loses_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        url = "kafka://127.0.0.1:1/cts-events"
        async with an_outpost(tmp_path, brokers=url) as here:
            made = await to_broker(here, url)
            await here.opt_out()
            await here.run()
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["last_problem"]) == ("pending", "unreachable")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    [
        "nats://127.0.0.1:4222/other",
        "nats://127.0.0.1:4222/",
        "nats://127.0.0.1:4223/cts",
        "nats://user@127.0.0.1:4222/cts",
        "nats+tls://127.0.0.1:4222/cts",
        "NATS://169.254.169.254:80/cts",
        "kafka://127.0.0.1:9092/cts",
    ],
)
def test_no_organisation_chooses_a_broker_that_the_operator_does_not_list(
    tmp_path: Path, url: str
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path, brokers="nats://127.0.0.1:4222/cts") as here:
            answer = await to_broker(here, url, status=400)
            assert answer["code"] == "endpoint_refused"
            assert "127.0.0.1" not in answer["detail"]
            await to_broker(here, "nats://127.0.0.1:4222/cts")

    asyncio.run(scenario())


def test_a_broker_taken_off_the_list_gets_nothing_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        url = "nats://127.0.0.1:4222/cts"
        async with an_outpost(tmp_path, brokers=url) as here:
            made = await to_broker(here, url)
            here.dispatcher._road.brokers._parts.clear()
            await here.opt_out()
            await here.run()
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["last_problem"]) == ("pending", "address_refused")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "url",
    [
        "nats://127.0.0.1:4222",
        "nats://127.0.0.1/cts",
        "nats://:secret@127.0.0.1:4222/a/b",
        "redis://127.0.0.1:6379/cts",
        "kafka://127.0.0.1:secret/cts",
    ],
)
def test_a_broker_that_cannot_be_read_stops_the_start_and_is_not_quoted(url: str) -> None:
    good = "kafka://127.0.0.1:9092/cts, nats+tls://user:password@127.0.0.1:4222/cts.events"
    assert Settings(brokers=good).checked().brokers == good
    with pytest.raises(SettingsError, match="broker 3 is not written as") as refused:
        Settings(brokers=f"{good},{url}").checked()
    assert "secret" not in refused.value.detail
