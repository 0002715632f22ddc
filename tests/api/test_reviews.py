"""Held replies over HTTP: what they stop, who reads them, and how they are decided on."""

import asyncio
import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.roles import Role
from tests.api.test_resources import CHECK, GRANT, Desk, desk_at
from tests.support.service import TestService, running_service

HOLD = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "hold",
    "via": "keyword",
    "text": "stop by tomorrow?",
}


def url_of(database_url: str) -> str | None:
    return None if database_url.startswith("sqlite") else database_url


async def codes(desk: Desk, purpose: str = "marketing") -> list[str]:
    body = CHECK | {"message": {"channel": "sms", "purpose": purpose, "from": "+12125550100"}}
    answer = await desk.ask("POST", "/v1/checks", body, status=200)
    told = {"under_review", "consent_revoked", "erased"}
    return sorted({reason["code"] for reason in answer["reasons"]} & told)


async def collector_at(service: TestService) -> tuple[Desk, Desk]:
    """An admin with a sender and a grant on record, and a collector beside them."""
    desk = await desk_at(service)
    await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
    organisation = (await desk.ask("GET", "/v1/organisations", status=200))["items"][0]["id"]
    return desk, Desk(service, await service.as_(organisation, Role.COLLECTOR))


def leaf_of(entry: dict[str, str]) -> Any:
    return json.loads(base64.b64decode(entry["leaf"]))


async def decide(desk: Desk, review: str, decision: str, *, status: int = 201) -> Any:
    body = {"decision": decision, "why": "he asks when we open"}
    return await desk.ask("POST", f"/v1/reviews/{review}", body, status=status)


@pytest.mark.parametrize(("decision", "left"), [("release", []), ("revoke", ["consent_revoked"])])
def test_a_held_reply_stops_marketing_until_somebody_decides(
    tmp_path: Path, database_url: str, decision: str, left: list[str]
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            admin, collector = await collector_at(service)
            assert await codes(admin) == []
            held = await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            assert await codes(admin) == ["under_review"]
            assert await codes(admin, "transactional") == []

            (shown,) = (await collector.ask("GET", "/v1/reviews", status=200))["items"]
            assert (shown["id"], shown["index"]) == (held["id"], held["index"])
            assert (shown["text"], shown["sender"]) == ("stop by tomorrow?", "acme")
            assert "+12125550123" not in str(shown)

            receipt = await decide(collector, shown["id"], decision)
            assert (receipt["log"], receipt["index"]) == ("consent", held["index"] + 1)
            assert await codes(admin) == left
            assert (await collector.ask("GET", "/v1/reviews", status=200))["items"] == []
            for again in ("release", "revoke"):
                problem = await decide(collector, shown["id"], again, status=409)
                assert problem["code"] == "review_decided"
            assert await codes(admin) == left

    asyncio.run(scenario())


def test_a_permit_does_not_outlive_a_held_reply(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            check = await admin.ask("POST", "/v1/checks", CHECK, status=200)
            shown = {"permit": check["permit"]} | {
                name: CHECK[name] for name in ("recipient", "message")
            }
            assert (await admin.ask("POST", "/v1/permits/verify", shown, status=200))["valid"]
            await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            answer = await admin.ask("POST", "/v1/permits/verify", shown, status=200)
            assert answer == {"valid": False, "why": "under_review"}

    asyncio.run(scenario())


def test_an_allow_is_not_given_again_after_a_held_reply(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            admin.headers["Idempotency-Key"] = "row-12"
            assert (await admin.ask("POST", "/v1/checks", CHECK, status=200))["permit"]
            await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            problem = await admin.ask("POST", "/v1/checks", CHECK, status=409)
            assert problem["code"] == "decision_superseded"

    asyncio.run(scenario())


def test_who_reads_a_held_reply_and_who_decides_is_on_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            (shown,) = (await collector.ask("GET", "/v1/reviews", status=200))["items"]
            read = await admin.ask("GET", "/v1/logs/access/entries?from=0&to=9", status=200)
            (leaf,) = [leaf_of(entry) for entry in read["items"]]
            assert (leaf["type"], leaf["subject"]) == ("review", shown["subject"])
            await decide(collector, shown["id"], "release")
            log = await admin.ask("GET", "/v1/logs/consent/entries?from=0&to=9", status=200)
            grant, hold, release = [leaf_of(entry) for entry in log["items"]]
            assert (hold["type"], release["type"]) == ("hold", "release")
            assert release["actor"] == leaf["actor"] != grant["actor"]

    asyncio.run(scenario())


def test_reviews_come_in_pages_the_oldest_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            _, collector = await collector_at(service)
            for number in range(3):
                body = HOLD | {"address": f"+1212555012{number}", "text": f"stop {number}?"}
                await collector.ask("POST", "/v1/consent-events", body, status=201)
            seen, cursor = [], ""
            while True:
                page = await collector.ask("GET", f"/v1/reviews?limit=2{cursor}", status=200)
                seen += [item["text"] for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert seen == ["stop 0?", "stop 1?", "stop 2?"]
            await collector.ask("GET", "/v1/reviews?cursor=cYWJj", status=400)

    asyncio.run(scenario())


def test_another_organisation_has_no_part_in_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            held = await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            other = await service.new_organisation("Other Inc")
            stranger = Desk(service, await service.as_(other, Role.COLLECTOR))
            assert (await stranger.ask("GET", "/v1/reviews", status=200))["items"] == []
            await decide(stranger, held["id"], "release", status=404)
            assert await codes(admin) == ["under_review"]

    asyncio.run(scenario())


def test_no_review_has_such_an_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            _, collector = await collector_at(service)
            await decide(collector, "evt_" + "0" * 32, "release", status=404)
            await decide(collector, "nonsense", "release", status=404)
            held = await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            bad = {"decision": "perhaps", "why": "x"}
            await collector.ask("POST", f"/v1/reviews/{held['id']}", bad, status=400)
            grant = await collector.ask("POST", "/v1/consent-events", GRANT, status=201)
            await decide(collector, grant["id"], "release", status=404)

    asyncio.run(scenario())


def test_a_release_is_no_event_to_send_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            body = HOLD | {"event": "release"}
            await collector.ask("POST", "/v1/consent-events", body, status=400)
            assert await codes(admin) == ["under_review"]

    asyncio.run(scenario())


def test_a_hold_that_cannot_be_read_whole_is_held_all_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            body = HOLD | {"sender": "nobody", "purpose": "postcards", "extra": 1}
            held = await collector.ask("POST", "/v1/consent-events", body, status=201)
            assert set(held["flags"]) >= {"sender_unknown", "purpose_unreadable"}
            assert await codes(admin) == ["under_review"]

    asyncio.run(scenario())


def test_erasing_leaves_the_doubt_and_closes_the_review(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            admin, collector = await collector_at(service)
            held = await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            erase = {"address": "+12125550123", "why": "request 1"}
            await admin.ask("POST", "/v1/subjects/erase", erase, status=200)
            assert (await collector.ask("GET", "/v1/reviews", status=200))["items"] == []
            problem = await decide(collector, held["id"], "release", status=409)
            assert problem["code"] == "review_decided"
            assert await codes(admin) == ["erased", "under_review"]

    asyncio.run(scenario())


def test_a_new_grant_after_the_erasure_begins_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            admin, collector = await collector_at(service)
            await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            erase = {"address": "+12125550123", "why": "request 1"}
            await admin.ask("POST", "/v1/subjects/erase", erase, status=200)
            service.clock.move(timedelta(seconds=5))
            fresh = {name: value for name, value in GRANT.items() if name != "at"}
            await collector.ask("POST", "/v1/consent-events", fresh, status=201)
            service.clock.move(timedelta(seconds=5))
            assert await codes(admin) == []

    asyncio.run(scenario())


def test_two_who_decide_at_once_decide_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            _, collector = await collector_at(service)
            held = await collector.ask("POST", "/v1/consent-events", HOLD, status=201)
            path, headers = f"/v1/reviews/{held['id']}", collector.headers
            bodies = [{"decision": word, "why": "x"} for word in ("release", "revoke")]
            answers = await asyncio.gather(
                *(service.client.post(path, json=body, headers=headers) for body in bodies)
            )
            assert sorted(answer.status_code for answer in answers) == [201, 409]

    asyncio.run(scenario())


# A reply of one of several linked addresses, which may have meant all of them.

ANN, BOB, CARL = "+12125550123", "+12125550124", "+12125550125"


async def codes_at(desk: Desk, address: str) -> list[str]:
    recipient = {"address": address, "region": "US-NY"}
    answer = await desk.ask("POST", "/v1/checks", CHECK | {"recipient": recipient}, status=200)
    told = {"under_review", "consent_revoked", "erased"}
    return sorted({reason["code"] for reason in answer["reasons"]} & told)


async def linked(desk: Desk, *addresses: str) -> None:
    await desk.ask("POST", "/v1/subjects/link", {"addresses": list(addresses)}, status=200)


async def parted(desk: Desk, *addresses: str) -> None:
    await desk.ask("POST", "/v1/subjects/unlink", {"addresses": list(addresses)}, status=200)


async def granted(desk: Desk, *addresses: str) -> None:
    for address in addresses:
        await desk.ask("POST", "/v1/consent-events", GRANT | {"address": address}, status=201)


@pytest.mark.parametrize(("decision", "left"), [("release", []), ("revoke", ["consent_revoked"])])
@pytest.mark.parametrize("leaving", [ANN, BOB])
def test_who_parts_stays_held_until_somebody_decides_and_then_for_all(
    tmp_path: Path, database_url: str, decision: str, left: list[str], leaving: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            admin, collector = await collector_at(service)
            await granted(admin, BOB, CARL)
            await linked(admin, ANN, BOB)
            await collector.ask("POST", "/v1/consent-events", HOLD | {"address": BOB}, status=201)
            await parted(admin, leaving)
            # Carl was nobody of theirs when the reply came; he is Ann's for a while.
            await linked(admin, ANN, CARL)
            await parted(admin, CARL)
            for address in (ANN, BOB, CARL):
                assert await codes_at(admin, address) == ["under_review"], address
            (shown,) = (await collector.ask("GET", "/v1/reviews", status=200))["items"]
            await decide(collector, shown["id"], decision)
            service.clock.move(timedelta(seconds=1))
            for address in (ANN, BOB, CARL):
                assert await codes_at(admin, address) == left, address

    asyncio.run(scenario())


def test_what_was_decided_on_while_they_were_linked_holds_nobody_after(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            admin, collector = await collector_at(service)
            await granted(admin, BOB)
            await linked(admin, ANN, BOB)
            held = await collector.ask(
                "POST", "/v1/consent-events", HOLD | {"address": BOB}, status=201
            )
            await decide(collector, held["id"], "release")
            await parted(admin, BOB)
            assert await codes_at(admin, ANN) == []
            assert await codes_at(admin, BOB) == []

    asyncio.run(scenario())


def test_of_two_held_replies_the_one_decided_on_takes_the_other_with_it_nowhere(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url_of(database_url)) as service:
            admin, collector = await collector_at(service)
            await linked(admin, ANN, BOB)
            held = [
                await collector.ask(
                    "POST", "/v1/consent-events", HOLD | {"address": BOB, "text": text}, status=201
                )
                for text in ("stop by tomorrow?", "stop calling me Bob")
            ]
            await decide(collector, held[1]["id"], "release")
            await parted(admin, BOB)
            assert await codes_at(admin, ANN) == ["under_review"]
            await decide(collector, held[0]["id"], "release")
            assert await codes_at(admin, ANN) == []

    asyncio.run(scenario())
