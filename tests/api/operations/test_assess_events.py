"""``POST /v1/consent-events/assess``: what a record would be worth, and nothing is recorded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.roles import Role
from api.v1.consent_events import EXAMPLE_EVENT
from consent.ledger.tables import log_head
from tests.support.service import TestService, running_service

PATH = "/v1/consent-events/assess"
GRANT = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "grant",
    "at": "2026-01-05T10:00:00-05:00",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
    "evidence": {
        "method": "web_form",
        "language": "en",
        "disclosure": {"text": "By ticking this box you agree to …"},
    },
}


class Desk:
    """A collector of one organisation with a sender of the United States."""

    def __init__(self, service: TestService, headers: dict[str, str]) -> None:
        self.service = service
        self.headers = headers

    async def ask(self, body: Any, status: int = 200) -> Any:
        answer = await self.service.client.post(PATH, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        assert "555" not in answer.text
        return answer.json()

    def entries(self) -> int:
        def count(connection: sa.Connection) -> int:
            sizes = sa.select(sa.func.sum(log_head.c.size)).where(log_head.c.log == "consent")
            return int(connection.execute(sizes).scalar_one())

        return self.service.components.service.reader.run_here(count)


@asynccontextmanager
async def desk_in(folder: Path, **more: Any) -> AsyncIterator[Desk]:
    async with running_service(folder, **more) as service:
        organisation = await service.new_organisation()
        await service.put_sender(organisation)
        yield Desk(service, await service.as_(organisation, Role.COLLECTOR))


def test_a_whole_record_is_enough_and_nothing_is_recorded(
    tmp_path: Path, database_url: str
) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with desk_in(tmp_path, database_url=url) as desk:
            told = await desk.ask(GRANT)
            assert (told["enough"], told["evidence"], told["findings"]) == (True, [], [])
            assert told["provable"] is True
            assert told["jurisdictions"] == ["US", "US-NY"]
            (law,) = [law for law in told["laws"] if law["jurisdiction"] == "US"]
            assert (law["worth"], law["lacks"]) == ("permits", [])
            assert law["cite"].startswith("47 CFR 64.1200")
            assert (law["channels"], law["purposes"]) == (["sms"], ["marketing"])
            assert desk.entries() == 0

    asyncio.run(scenario())


def test_what_it_lacks_is_named_under_each_law_with_its_provision(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            weak = GRANT | {"level": "express", "evidence": {}}
            del weak["at"]
            told = await desk.ask(weak)
            assert told["enough"] is False
            (law,) = told["laws"]
            (lack,) = law["lacks"]
            assert (lack["code"], lack["needed"], lack["has"]) == (
                "level_too_low",
                "express_written",
                "express",
            )
            assert "express written consent" in lack["detail"]
            assert [one["code"] for one in told["evidence"]] == [
                "time_missing",
                "source_missing",
                "disclosure_missing",
                "language_missing",
            ]

    asyncio.run(scenario())


def test_what_the_law_permits_and_nobody_could_prove_is_told_apart(tmp_path: Path) -> None:
    """A line of an old list in Germany: express consent, and no word of what was shown."""

    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            line = {"address": "+4915112345678", "level": "express"}
            told = await desk.ask(GRANT | line | {"evidence": {"method": "import"}})
            assert (told["enough"], told["provable"]) == (True, False)
            assert [one["code"] for one in told["evidence"]] == [
                "disclosure_missing",
                "language_missing",
            ]

    asyncio.run(scenario())


def test_the_region_beside_it_names_the_law_and_who_asks_for_the_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            mail = GRANT | {"address": "bob@example.com", "channel": "email", "level": "implied"}
            nowhere = await desk.ask(mail)
            assert [one["code"] for one in nowhere["findings"]] == ["unknown_jurisdiction"]
            told = await desk.ask(mail | {"region": "CA-ON", "evidence": {}})
            assert told["findings"] == []
            assert "CA" in told["jurisdictions"]
            (kept,) = told["keep"]
            assert kept["months"] == 36
            assert {tuple(one["asked_by"]) for one in told["evidence"]} == {(kept["cite"],)}

    asyncio.run(scenario())


def test_a_double_opt_in_is_answered_by_a_confirm_of_the_same_batch(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            asked = GRANT | {"double_opt_in": True}
            confirm = {
                "address": "+1 212 555 0123",
                "sender": "acme",
                "event": "confirm",
                "at": "2026-01-05T10:05:00-05:00",
            }
            alone = await desk.ask(asked)
            (lack,) = alone["laws"][0]["lacks"]
            assert lack["code"] == "unconfirmed"
            results = (await desk.ask({"events": [asked, confirm]}))["results"]
            assert results[0]["assessment"]["enough"] is True
            assert not {law["worth"] for law in results[1]["assessment"]["laws"]} & {"permits"}

    asyncio.run(scenario())


def test_a_record_that_names_no_scope_is_told_for_every_channel_and_purpose(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            wide = {
                name: said for name, said in GRANT.items() if name not in ("channel", "purpose")
            }
            told = await desk.ask(wide)
            channels = {channel for law in told["laws"] for channel in law["channels"]}
            assert channels == {"sms", "mms", "rcs", "whatsapp", "voice", "push"}
            asked = [
                (law["rule"], channel, purpose)
                for law in told["laws"]
                for channel in law["channels"]
                for purpose in law["purposes"]
            ]
            assert len(asked) == len(set(asked))

    asyncio.run(scenario())


def test_an_opt_out_stops_and_needs_no_proof(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            told = await desk.ask({"address": "+12125550123", "event": "revoke", "channel": "sms"})
            worth = {purpose: law["worth"] for law in told["laws"] for purpose in law["purposes"]}
            assert worth["marketing"] == "stops"
            assert told["evidence"] == []
            # What could not be recorded strictly is read as leniently as it would be recorded.
            odd = {"address": "+12125550123", "event": "revoke", "channel": "pigeon"}
            assert {law["worth"] for law in (await desk.ask(odd))["laws"]} >= {"stops"}

    asyncio.run(scenario())


def test_when_it_lapses_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            dated = GRANT | {"expires_at": "2026-12-01T00:00:00Z"}
            told = await desk.ask(dated)
            assert told["lapses_at"] == "2026-12-01T00:00:00Z"
            told = await desk.ask(GRANT | {"expires_at": "2026-11-01T00:00:00Z"})
            assert [one["code"] for one in told["laws"][0]["lacks"]] == ["lapsed"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "status", "what"),
    [
        ({"level": "firm"}, 400, "/level"),
        ({"region": 5}, 400, "/region"),
        ({"age": 200}, 400, "/age"),
        ({"kind": "robot"}, 400, "/kind"),
        ({"at": "2026-01-05T10:00:00"}, 400, "/at"),
        ({"colour": "red"}, 400, "colour"),
        ({"region": "US-ZZ"}, 400, "unknown_region"),
        ({"time_zone": "Mars/North"}, 400, "unknown_time_zone"),
        ({"at": "2027-01-05T10:00:00-05:00"}, 400, "event_in_future"),
        ({"level": None}, 400, "event_refused"),
        ({"sender": "nobody"}, 404, "unknown_sender"),
        ({"address": "+1"}, 400, "invalid_address"),
        ({"event": "erase"}, 400, "/event"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], status: int, what: str
) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            told = await desk.ask(GRANT | change, status=status)
            assert what in str(told), told
            (item,) = (await desk.ask({"events": [GRANT | change]}))["results"]
            assert item["error"]["status"] == status
            assert "assessment" not in item

    asyncio.run(scenario())


def test_batches_have_a_limit_and_other_bodies_are_none(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk_in(tmp_path) as desk:
            await desk.ask({"events": [GRANT] * 1001}, status=400)
            assert (await desk.ask({"events": []}))["results"] == []
            bodies: list[Any] = [[], "grant", {}, {"events": GRANT}]
            for body in bodies:
                await desk.ask(body, status=400)
            assert (await desk.ask(EXAMPLE_EVENT | {"region": "US-NY"}))["enough"] is True

    asyncio.run(scenario())
