"""Exports are made beside the gate, end in one way or another, and leave nothing half-done."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.operations.trails import export_files, run_exports
from api.roles import Role
from audit.tables import export_job
from tests.support.bundles import members_of, verified
from tests.support.databases import open_engine
from tests.support.service import TestService, running_service

ANN, BOB = "+12125550123", "bob@example.com"
OF_ANN = {"scope": {"address": ANN}}
OF_ALL = {"scope": {"from": "2026-01-01T00:00:00Z"}}


class Desk:
    """A service with an organisation of two people on record, and its auditor."""

    def __init__(self, service: TestService, organisation: str, headers: dict[str, str]) -> None:
        self.service = service
        self.organisation = organisation
        self.headers = headers
        self.folder = service.components.settings.data / "exports"

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.service.client.request(
            method, path, json=body, headers=self.headers | headers
        )

    async def export(self, body: Any) -> dict[str, Any]:
        """Ask for an export, and wait until everything is done."""
        asked = await self.ask("POST", "/v1/exports", body)
        assert asked.status_code == 202, asked.text
        await self.service.doors.exports.settle()
        return await self.read(asked.json()["id"])

    async def read(self, id_: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"/v1/exports/{id_}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def download(self, id_: str) -> httpx.Response:
        return await self.ask("GET", f"/v1/exports/{id_}/download")

    async def keys(self) -> list[str]:
        logs = (await self.ask("GET", "/v1/logs")).json()["items"]
        return [log["verifier_keys"][0] for log in logs if log["log"] in {"consent", "decisions"}]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@asynccontextmanager
async def opened(folder: Path, database_url: str) -> AsyncIterator[Desk]:
    url = None if database_url.startswith("sqlite") else database_url
    async with running_service(folder, database_url=url) as service:
        organisation = await service.new_organisation()
        await service.put_sender(organisation)
        admin = await service.as_(organisation, Role.ADMIN)
        for address in (ANN, BOB):
            grant = {
                "address": address,
                "sender": "acme",
                "event": "grant",
                "channel": "sms",
                "purpose": "marketing",
                "level": "express_written",
            }
            told = await service.client.post("/v1/consent-events", json=grant, headers=admin)
            assert told.status_code == 201, told.text
        check = await service.client.post("/v1/checks", json=a_check(), headers=admin)
        assert check.status_code == 200, check.text
        yield Desk(service, organisation, admin)


def a_check() -> dict[str, Any]:
    return {
        "sender": "acme",
        "recipient": {"address": ANN, "region": "US-NY"},
        "message": {"channel": "sms", "purpose": "marketing"},
    }


def test_an_export_is_made_downloaded_and_genuine(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            job = await desk.export(OF_ANN)
            assert (job["state"], job["scope"], job["problem"]) == ("done", "person", None)
            # The grant, the decision, and the index in each log.
            assert (job["entries_done"], job["entries_total"]) == (4, 4)
            file = await desk.download(job["id"])
            assert file.headers["content-type"] == "application/zip"
            assert f'"{job["id"]}.zip"' in file.headers["content-disposition"]
            assert len(file.content) == job["file_size"]
            summary = verified(file.content, tmp_path, *await desk.keys())
            assert (summary["verdict"], summary["keys_are_given"]) == ("genuine", True)
            assert len(members_of(file.content)["trail.jsonl"].splitlines()) == 2
            everything = b"".join(members_of(file.content).values())
            assert ANN.encode() in everything
            assert BOB.encode() not in everything
            listed = (await desk.ask("GET", "/v1/exports")).json()["items"]
            assert [item["id"] for item in listed] == [job["id"]]
            assert ANN not in str(listed)

    asyncio.run(scenario())


def test_two_at_once_are_both_made(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            bodies = [OF_ANN, OF_ALL, {"scope": {"sender": "acme"}}]
            asked = await asyncio.gather(*(desk.ask("POST", "/v1/exports", one) for one in bodies))
            await desk.service.doors.exports.settle()
            for answer in asked:
                job = await desk.read(answer.json()["id"])
                assert job["state"] == "done", job
                file = (await desk.download(job["id"])).content
                assert verified(file, tmp_path, *await desk.keys())["damage"] == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"scope": {}}, 400, "/scope"),
        ({}, 400, "/scope"),
        ({"scope": {"address": ANN, "sender": "acme"}}, 400, "/scope"),
        ({"scope": {"address": ANN, "from": "2026-01-01T00:00:00Z"}}, 400, "/scope"),
        ({"scope": {"from": "2030-01-01T00:00:00Z"}}, 400, "/scope/from"),
        (
            {"scope": {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}},
            400,
            "/scope/to",
        ),
        ({"scope": {"from": "2026-02-01"}}, 400, None),
        ({"scope": {"sender": "acme"}, "format": "docx"}, 400, None),
        ({"scope": {"sender": "nobody"}}, 404, None),
        ({"scope": {"sender": "acme"}, "checkpoints": {"consent": 0}}, 400, None),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, body: dict[str, Any], status: int, pointer: str | None
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            answer = await desk.ask("POST", "/v1/exports", body)
            assert answer.status_code == status, answer.text
            if pointer is not None:
                assert answer.json()["errors"][0]["pointer"] == pointer
            assert (await desk.ask("GET", "/v1/exports")).json()["items"] == []

    asyncio.run(scenario())


def test_another_organisation_finds_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            job = await desk.export(OF_ANN)
            other = await desk.service.new_organisation("Theirs")
            them = await desk.service.as_(other, Role.AUDITOR)
            place = f"/v1/exports/{job['id']}"
            for method, path in (("GET", place), ("GET", f"{place}/download"), ("DELETE", place)):
                answer = await desk.service.client.request(method, path, headers=them)
                assert answer.status_code == 404, (method, path)
            theirs = await desk.service.client.get("/v1/access", headers=them)
            assert theirs.json()["items"] == []
            assert (await desk.read(job["id"]))["state"] == "done"

    asyncio.run(scenario())


class Gate:
    """Holds every job at its first step, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        step = run_exports._Running.step

        def held(running: run_exports._Running, done: int) -> None:
            self.reached.set()
            assert self.open.wait(30), "the test opens the gate"
            step(running, done)

        monkeypatch.setattr(run_exports._Running, "step", held)

    async def wait(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 30)


def test_a_job_that_is_cancelled_in_the_middle_leaves_nothing_and_holds_nothing_up(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)

    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            asked = (await desk.ask("POST", "/v1/exports", OF_ALL)).json()
            await gate.wait()
            assert len(desk.files()) == 2, "half a file, and what is to go into it"
            check = await desk.ask("POST", "/v1/checks", a_check())
            assert check.status_code == 200, "the gate is open meanwhile"
            assert (await desk.read(asked["id"]))["state"] == "running"
            ended = await desk.ask("DELETE", f"/v1/exports/{asked['id']}")
            assert ended.json()["state"] == "cancelled"
            await desk.service.doors.exports.look()
            gate.open.set()
            await desk.service.doors.exports.settle()
            assert desk.files() == []
            assert (await desk.read(asked["id"]))["state"] == "cancelled"
            assert (await desk.download(asked["id"])).status_code == 409
            again = await desk.ask("DELETE", f"/v1/exports/{asked['id']}")
            assert (again.status_code, again.json()["state"]) == (200, "cancelled")

    asyncio.run(scenario())


def test_a_service_that_stops_in_the_middle_begins_anew_when_it_starts(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            asked = (await desk.ask("POST", "/v1/exports", OF_ALL)).json()
            await gate.wait()
            files, headers = desk.files, desk.headers
            asyncio.get_running_loop().call_later(0.05, gate.open.set)
        assert files() == []
        async with running_service(tmp_path, database_url=url) as service:
            again = Desk(service, desk.organisation, headers)
            await service.doors.exports.settle()
            job = await again.read(asked["id"])
            assert (job["state"], job["problem"]) == ("done", None)
            file = (await again.download(job["id"])).content
            assert verified(file, tmp_path, *await again.keys())["damage"] == []

    asyncio.run(scenario())


def test_what_a_dead_process_left_is_begun_anew_and_its_halves_are_removed(
    tmp_path: Path, database_url: str
) -> None:
    url = None if database_url.startswith("sqlite") else database_url
    place = database_url if url else f"sqlite:///{tmp_path / 'cleartosend.sqlite3'}"

    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            job = await desk.export(OF_ALL)
            headers = desk.headers
        name = job["id"].removeprefix("exp_")
        (desk.folder / f"{name}.zip").unlink()
        (desk.folder / f"{name}.gone.part").write_bytes(b"half")
        (desk.folder / f"{name}.gone.spool").mkdir()
        (desk.folder / f"{name}.gone.spool" / "trail.csv.gz").write_bytes(b"half")
        _as_if_running(place)
        async with running_service(tmp_path, database_url=url) as service:
            again = Desk(service, desk.organisation, headers)
            await service.doors.exports.settle()
            if url is not None:
                # Another process might do it, until it has not been heard of for long.
                assert (await again.read(job["id"]))["state"] == "running"
                service.clock.move(timedelta(minutes=3))
                await service.doors.exports.settle()
            assert (await again.read(job["id"]))["state"] == "done"
            assert again.files() == [f"{name}.zip"]

    asyncio.run(scenario())


def _as_if_running(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sa.update(export_job).values(state="running", runner="gone", ended_at=None)
        )
    engine.dispose()


def test_a_job_that_kills_its_process_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            job = await desk.export(OF_ALL)
        place = f"sqlite:///{tmp_path / 'cleartosend.sqlite3'}"
        engine = open_engine(place)
        with engine.begin() as connection:
            connection.execute(sa.update(export_job).values(attempt_count=3))
        engine.dispose()
        _as_if_running(place)
        async with running_service(tmp_path) as service:
            again = Desk(service, desk.organisation, desk.headers)
            await service.doors.exports.settle()
            found = await again.read(job["id"])
            assert (found["state"], found["problem"]) == ("failed", "interrupted")
            assert again.files() == []

    asyncio.run(scenario())


def test_a_full_disk_ends_it_with_a_reason_and_nothing_half_written(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: str, _flags: int) -> int:
        return os.open("/dev/full", os.O_WRONLY)

    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            with monkeypatch.context() as patched:
                patched.setattr(export_files, "_for_the_owner", full)
                job = await desk.export(OF_ALL)
            assert job["state"] == "failed"
            assert job["problem"].startswith("there was no room on the disk")
            assert desk.files() == []
            answer = await desk.download(job["id"])
            assert (answer.status_code, answer.json()["code"]) == (409, "export_error")
            assert (await desk.export(OF_ALL))["state"] == "done"

    asyncio.run(scenario())


def test_a_finished_file_is_deleted_after_a_day(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            job = await desk.export(OF_ANN)
            desk.service.clock.move(timedelta(hours=23, minutes=59))
            await desk.service.doors.exports.settle()
            assert (await desk.download(job["id"])).status_code == 200
            desk.service.clock.move(timedelta(minutes=1))
            await desk.service.doors.exports.settle()
            assert (await desk.read(job["id"]))["state"] == "expired"
            assert desk.files() == []
            assert (await desk.download(job["id"])).status_code == 409
            desk.service.clock.move(timedelta(days=30))
            await desk.service.doors.exports.settle()
            assert (await desk.ask("GET", f"/v1/exports/{job['id']}")).status_code == 404

    asyncio.run(scenario())


def test_an_erasure_takes_back_what_the_person_may_stand_in(
    tmp_path: Path, database_url: str
) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, database_url) as desk:
            of_ann, of_all = await desk.export(OF_ANN), await desk.export(OF_ALL)
            of_bob = await desk.export({"scope": {"address": BOB}})
            erased = await desk.ask("POST", "/v1/subjects/erase", {"address": ANN, "why": "asked"})
            assert erased.status_code == 200
            for job in (of_ann, of_all):
                assert (await desk.read(job["id"]))["state"] == "withdrawn"
                assert (await desk.download(job["id"])).status_code == 409
            await desk.service.doors.exports.settle()
            assert desk.files() == [f"{of_bob['id'].removeprefix('exp_')}.zip"]
            after = await desk.export(OF_ANN)
            file = (await desk.download(after["id"])).content
            types = [b'"type":"grant"', b'"type":"check"', b'"type":"erase"']
            story = members_of(file)["trail.jsonl"]
            assert all(one in story for one in types)
            assert verified(file, tmp_path, *await desk.keys())["damage"] == []

    asyncio.run(scenario())


def test_nobody_asks_for_more_than_a_few_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            answers = await asyncio.gather(
                *(desk.ask("POST", "/v1/exports", OF_ANN) for _ in range(22))
            )
            assert {answer.status_code for answer in answers} == {202, 409}
            await desk.service.doors.exports.settle()

    asyncio.run(scenario())


def test_the_same_request_again_is_the_same_export(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(tmp_path, "sqlite") as desk:
            key = {"Idempotency-Key": "one"}
            first = await desk.ask("POST", "/v1/exports", OF_ANN, **key)
            again = await desk.ask("POST", "/v1/exports", OF_ANN, **key)
            assert first.json()["id"] == again.json()["id"]
            await desk.service.doors.exports.settle()

    asyncio.run(scenario())
