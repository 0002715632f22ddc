"""The sample receiver does what the documentation asks of receivers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from consent.propagation.signatures import Secret, Signer
from tests.support.receivers import OK, answering
from tests.support.sample_receiver import EXAMPLE
from tests.support.webhooks import ANN, BOB, Outpost, an_outpost

Reports = SimpleQueue[tuple[str, bytes, dict[str, str]]]


@contextmanager
def listening(receiver: Any) -> Iterator[str]:
    """The example's own server, in a thread, on any free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), EXAMPLE.handler_for(receiver))
    server.daemon_threads = True  # One a connection, and those are kept.
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_opt_out_is_applied_once_and_reported(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            here.service.clock.at = _now()  # The example asks the machine for the time.
            made = await here.post(
                "/v1/webhooks",
                {"url": here.receiver.url, "events": ["consent.revoked"], "proof": "applied"},
                status=201,
            )
            reports: Reports = SimpleQueue()
            stops = EXAMPLE.Stops(str(tmp_path / "stops.sqlite"))
            receiver = EXAMPLE.Receiver(made["secret"], stops, lambda *one: reports.put(one))
            await here.opt_out(channel="sms")
            await here.run()
            (got,) = here.receiver.got
            now = here.service.clock.now().timestamp()
            for _ in range(2):  # It comes twice.
                assert receiver.receive(got.headers, got.body, now=now) == (204, got.id)
            assert stops._database.execute("SELECT count(*) FROM stop").fetchone() == (1,)
            assert stops.stops(ANN, "acme", "sms", "marketing")
            assert not stops.stops(ANN, "acme", "email", "marketing")
            assert not stops.stops(BOB, "acme", "sms", "marketing")
            receiver.report(got.id, now=now)
            await _pass_on(here, reports)
            (delivery,) = await here.deliveries(made["id"])
            assert (delivery["state"], delivery["late"]) == ("applied", False)
            stops.close()

    asyncio.run(scenario())


def test_its_server_receives_and_refuses(tmp_path: Path) -> None:
    async def scenario() -> None:
        reports: Reports = SimpleQueue()
        async with an_outpost(tmp_path) as here:
            here.service.clock.at = _now()
            stops = EXAMPLE.Stops(str(tmp_path / "stops.sqlite"))
            receiver = EXAMPLE.Receiver("whsec_", stops, lambda *one: reports.put(one))
            with listening(receiver) as url:
                made = await here.post(
                    "/v1/webhooks",
                    {"url": url, "events": ["consent.revoked"], "proof": "applied"},
                    status=201,
                )
                receiver._secret = Secret.new().shown
                await here.opt_out()
                await here.run()
                (refused,) = await here.deliveries(made["id"])
                assert (refused["state"], refused["last_status"]) == ("pending", 401)
                receiver._secret = made["secret"]
                await here.run(_seconds(2))
                assert stops.stops(ANN, "acme", "sms", "marketing")
                await here.dispatcher.close()
            stops.close()
            await _pass_on(here, reports)
            assert (await here.deliveries(made["id"]))[0]["state"] == "applied"

    asyncio.run(scenario())


@pytest.mark.parametrize("field", ["webhook-id", "webhook-timestamp", "webhook-signature", "body"])
def test_whatever_was_changed_is_refused(tmp_path: Path, field: str) -> None:
    secret, now = Secret.new(), _now()
    body = (
        b'{"id": "evt_1", "type": "consent.revoked", "sequence": "7",'
        b' "data": {"addresses": ["+12125550123"]}}'
    )
    headers = Signer([secret]).headers("dlv_1", body, now=now)
    stops = EXAMPLE.Stops(str(tmp_path / "stops.sqlite"))
    receiver = EXAMPLE.Receiver(secret.shown, stops, lambda *_: None)
    at = now.timestamp()
    changed = body if field != "body" else body.replace(b"0123", b"0124")
    other = headers | ({} if field == "body" else {field: "dlv_2"})
    assert receiver.receive(other, changed, now=at) == (401, "")
    assert receiver.receive(headers, body, now=at + 301) == (401, "")
    assert receiver.receive(headers, body, now=at) == (204, "dlv_1")
    stops.close()


def test_what_cannot_be_applied_is_not_taken_for_seen(tmp_path: Path) -> None:
    stops = EXAMPLE.Stops(str(tmp_path / "stops.sqlite"))
    broken = {"id": "evt_1", "type": "consent.revoked", "sequence": "0", "data": {}}
    with pytest.raises(KeyError):
        stops.apply("dlv_1", broken)
    whole = {"id": "evt_1", "sequence": "0", "data": {"addresses": [ANN]}}
    assert stops.apply("dlv_1", {"type": "consent.revoked", **whole})
    assert stops.stops(ANN, "acme", "sms", "marketing")
    stops.close()


async def _pass_on(here: Outpost, reports: Reports) -> None:
    # The example's thread reports after it has answered.
    id_, body, headers = await asyncio.to_thread(reports.get, timeout=30)
    answer = await here.service.client.post(
        f"/v1/deliveries/{id_}/applied", content=body, headers=headers
    )
    assert answer.status_code == 200, answer.text


def _now() -> Any:
    from api.clock import SystemClock

    return SystemClock().now()


def _seconds(count: int) -> Any:
    from datetime import timedelta

    return timedelta(seconds=count)


def test_a_stop_that_came_too_late_to_name_an_address_stops_those_it_was_told_before(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with an_outpost(tmp_path) as here:
            stops = EXAMPLE.Stops(str(tmp_path / "stops.sqlite"))
            await here.webhook()
            await here.opt_out(channel="sms")
            await here.run()
            here.receiver.answer = answering(503)
            await here.opt_out(channel="email")
            await here.post("/v1/subjects/erase", {"address": ANN, "why": "asked"})
            await here.run()
            here.service.clock.move(timedelta(days=60))
            await here.dispatcher.watch()
            here.receiver.answer = OK
            for _ in range(3):
                await here.run(timedelta(days=2))
            for got in here.receiver.got:
                stops.apply(got.id, got.event)
            assert stops.stops(ANN, "acme", "email", "marketing")
            assert stops._database.execute("SELECT count(*) FROM known").fetchone() == (0,)
            stops.close()

    asyncio.run(scenario())
