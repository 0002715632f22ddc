"""A person's trail over HTTP, and who has read it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.roles import Role
from tests.api.test_exports import ANN, BOB, OF_ALL, OF_ANN, Desk, opened


async def trail_of(desk: Desk, address: str, **given: Any) -> dict[str, Any]:
    answer = await desk.ask("POST", "/v1/subjects/trail", {"address": address, **given})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_trail_tells_events_and_decisions_with_their_places(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            desk.service.clock.move(timedelta(seconds=1))
            await desk.ask("POST", "/v1/opt-outs", {"address": ANN, "text": "Stop"})
            page = await trail_of(desk, ANN)
            grant, check, stop = page["items"]
            assert [(one["log"], one["index"], one["type"]) for one in page["items"]] == [
                ("consent", 0, "grant"),
                ("decisions", 0, "check"),
                ("consent", 2, "revoke"),
            ]
            assert (grant["event"]["level"], grant["decision"]) == ("express_written", None)
            assert grant["event"]["address"] == ANN
            assert stop["event"]["text"] == "Stop"
            assert check["event"] is None
            assert check["decision"]["verdict"] in {"allow", "defer", "deny"}
            assert all("cite" in one for one in check["decision"]["reasons"])
            assert all(one["release"].startswith("sha256:") for one in page["items"])
            assert (len(page["subjects"]), page["erased_at"], page["next_cursor"]) == (
                1,
                None,
                None,
            )
            read = await desk.ask("GET", f"/v1/checks/{check['id']}")
            assert read.json()["leaf_hash"] == check["leaf_hash"]

    asyncio.run(scenario())


def test_pages_of_a_trail_are_the_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            for _ in range(3):
                await desk.ask("POST", "/v1/opt-outs", {"address": ANN})
            whole = await trail_of(desk, ANN)
            found: list[dict[str, Any]] = []
            given: dict[str, str] = {}
            while True:
                page = await trail_of(desk, ANN, limit=2, **given)
                found += page["items"]
                if page["next_cursor"] is None:
                    break
                given = {"cursor": page["next_cursor"]}
            assert found == whole["items"]
            assert len(found) == 5

    asyncio.run(scenario())


@pytest.mark.parametrize("cursor", ["", "t", "t1", "t1.2.3", "t-1.2", "t１.2", "c1.2" * 20])
def test_a_cursor_that_is_none_of_ours_is_refused(tmp_path: Path, cursor: str) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            body = {"address": ANN, "cursor": cursor}
            answer = await desk.ask("POST", "/v1/subjects/trail", body)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/cursor"

    asyncio.run(scenario())


def test_who_reads_whose_trail_is_on_record(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            auditor = await desk.service.as_(desk.organisation, Role.AUDITOR)
            ann = (await trail_of(desk, ANN))["subjects"]
            await desk.service.client.post(
                "/v1/subjects/lookup", json={"address": BOB}, headers=auditor
            )
            await trail_of(desk, "+12125550199")
            job = await desk.export(OF_ANN)
            await desk.download(job["id"])
            await desk.export(OF_ALL)
            told = (await desk.ask("GET", "/v1/access")).json()["items"]
            assert [one["kind"] for one in told] == [
                "export",
                "download",
                "export",
                "trail",
                "lookup",
                "trail",
            ]
            assert [one["index"] for one in told] == [5, 4, 3, 2, 1, 0]
            of_ann = [one["subject"] for one in told if one["subject"] == ann[0]]
            assert len(of_ann) == 3
            assert told[0]["statement"]["scope"] == "period"
            assert told[1]["statement"] == {"export": job["id"], "scope": "person"}
            assert (told[3]["subject"], told[5]["person"]) == (None, "Ada")
            whose = await desk.ask("POST", "/v1/subjects/access", {"address": ANN})
            assert [one["kind"] for one in whose.json()["items"]] == ["download", "export", "trail"]
            first = (await desk.ask("GET", "/v1/access?limit=2")).json()
            rest = await desk.ask("GET", f"/v1/access?cursor={first['next_cursor']}")
            assert first["items"] + rest.json()["items"] == told
            # Reading who read is no reading of a trail, and both stand in the log as leaves.
            leaves = await desk.ask("GET", "/v1/logs/access/entries?from=0&to=99")
            assert len(leaves.json()["items"]) == 6

    asyncio.run(scenario())


def test_while_the_ledger_is_read_only_nobody_gets_what_would_not_be_on_record(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            job = await desk.export(OF_ANN)
            desk.service.components.service.writer.refuse("it is not what was signed last")
            for method, path, body in (
                ("POST", "/v1/subjects/trail", {"address": ANN}),
                ("POST", "/v1/subjects/lookup", {"address": ANN}),
                ("POST", "/v1/exports", OF_ANN),
                ("GET", f"/v1/exports/{job['id']}/download", None),
            ):
                answer = await desk.ask(method, path, body)
                assert (answer.status_code, answer.json()["code"]) == (503, "ledger_read_only")
            for path in ("/v1/logs", "/v1/logs/consent/checkpoint", "/v1/access"):
                assert (await desk.ask("GET", path)).status_code == 200

    asyncio.run(scenario())
