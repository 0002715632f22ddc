"""Resources over HTTP: keys, senders, events, opt-outs, checks, registers, permits."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from api.roles import Role
from tests.support.service import TestService, running_service

GRANT = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "grant",
    "at": "2026-01-05T10:00:00-05:00",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
}
MESSAGE = {
    "channel": "sms",
    "purpose": "marketing",
    "from": "+12125550100",
    "text": "Acme: 20% off today. Reply STOP to opt out.",
}
CHECK = {
    "sender": "acme",
    "recipient": {"address": "+12125550123", "region": "US-NY"},
    "message": MESSAGE,
    "reference": "row-12",
}


class Desk:
    """An admin of one organisation with the sender ``acme`` and a fresh national register."""

    def __init__(self, service: TestService, headers: dict[str, str]) -> None:
        self.service = service
        self.headers = headers

    async def ask(self, method: str, path: str, body: Any = None, *, status: int) -> Any:
        answer = await self.service.client.request(method, path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def load(self, content: bytes, *, as_of: str = "2026-11-01", covers: str = "") -> Any:
        return await self.service.client.put(
            f"/v1/registries/us-national-dnc/snapshots/{as_of}{covers}",
            content=content,
            headers=self.headers,
        )


async def desk_at(service: TestService) -> Desk:
    organisation = await service.new_organisation()
    await service.put_sender(organisation)
    desk = Desk(service, await service.as_(organisation, Role.ADMIN))
    assert (await desk.load(b"address\n+12125550199\n")).status_code == 200
    return desk


def test_a_grant_a_check_a_stop_and_a_check(tmp_path: Path, database_url: str) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url) as service:
            desk = await desk_at(service)
            receipt = await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            assert (receipt["log"], receipt["index"], receipt["flags"]) == ("consent", 0, [])
            assert receipt["id"].startswith("evt_")

            check = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            assert (check["verdict"], check["reasons"]) == ("allow", [])
            assert check["evidence"] == [{"log": "consent", "index": 0}]
            assert (check["reference"], check["log"], check["index"]) == ("row-12", "decisions", 0)

            shown = {"permit": check["permit"], "recipient": CHECK["recipient"], "message": MESSAGE}
            assert await desk.ask("POST", "/v1/permits/verify", shown, status=200) == {
                "valid": True,
                "why": None,
            }
            read = await desk.ask("GET", f"/v1/checks/{check['id']}", status=200)
            assert read["verdict"] == "allow"
            assert "555" not in str(read["facts"]["recipient"])

            stop = {"address": "+1 212 555 0123", "via": "keyword", "text": "STOP"}
            stopped = await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            assert stopped["index"] == 1
            denied = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            assert denied["verdict"] == "deny"
            assert [reason["code"] for reason in denied["reasons"]] == ["consent_revoked"]
            assert denied["reasons"][0]["detail"]
            assert (await desk.ask("POST", "/v1/permits/verify", shown, status=200))["valid"] is (
                False
            )

    asyncio.run(scenario())


def test_a_permit_is_verified_anew_whatever_the_idempotency_key(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            check = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            shown = {"permit": check["permit"], "recipient": CHECK["recipient"], "message": MESSAGE}
            desk.headers["Idempotency-Key"] = "gateway-1"
            assert (await desk.ask("POST", "/v1/permits/verify", shown, status=200))["valid"]
            del desk.headers["Idempotency-Key"]
            stop = {"address": "+12125550123", "via": "keyword"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            desk.headers["Idempotency-Key"] = "gateway-1"
            again = await desk.ask("POST", "/v1/permits/verify", shown, status=200)
            assert again == {"valid": False, "why": "revoked"}

    asyncio.run(scenario())


def test_a_report_is_taken_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            check = (await desk.ask("POST", "/v1/checks", CHECK, status=200))["id"]
            first = await desk.ask("POST", f"/v1/checks/{check}/sent", status=200)
            assert (first["outcome"], first["id"]) == ("sent", check)
            assert await desk.ask("POST", f"/v1/checks/{check}/sent", {}, status=200) == first
            refused = await desk.ask("POST", f"/v1/checks/{check}/not-sent", status=409)
            assert refused["code"] == "already_reported"

    asyncio.run(scenario())


def test_a_batch_is_answered_item_by_item(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            batch = [
                GRANT,
                {**GRANT, "colour": 1},
                {**GRANT, "at": "2030-01-01T00:00:00Z"},
                {**GRANT, "sender": "nobody"},
                {**GRANT, "address": "+1"},
                {"event": "revoke", "address": "+12125550124", "channel": 5},
                "nonsense",
            ]
            answer = await desk.ask("POST", "/v1/consent-events", {"events": batch}, status=200)
            results = answer["results"]
            assert [result.get("index") for result in results] == [0, *[None] * 4, 1, None]
            assert [result["error"]["code"] for result in results if "error" in result] == [
                "invalid_request",
                "event_in_future",
                "unknown_sender",
                "invalid_address",
                "invalid_request",
            ]
            assert results[5]["flags"] == ["channel_unreadable"]
            empty = await desk.ask("POST", "/v1/consent-events", {"events": []}, status=200)
            assert empty == {"results": []}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "status", "code", "pointer"),
    [
        ({"at": "2026-01-05T10:00:00"}, 400, "invalid_request", "/at"),
        ({"at": 1767625200}, 400, "invalid_request", "/at"),
        ({"at": "2026-11-20T17:00:01Z"}, 400, "event_in_future", "/at"),
        ({"address": "+1"}, 400, "invalid_address", "/address"),
        ({"event": "erase"}, 400, "invalid_request", "/event"),
        ({"channel": "pigeon"}, 400, "invalid_request", "/channel"),
        ({"double_opt_in": "true"}, 400, "invalid_request", "/double_opt_in"),
        ({"evidence": {"colour": 1}}, 400, "invalid_request", "/evidence/colour"),
    ],
)
def test_an_event_that_cannot_stand_is_refused_and_leaves_nothing(
    tmp_path: Path, change: dict[str, Any], status: int, code: str, pointer: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            told = await desk.ask("POST", "/v1/consent-events", GRANT | change, status=status)
            assert (told["code"], told["errors"][0]["pointer"]) == (code, pointer)
            receipt = await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            assert receipt["index"] == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        ({"address": "+12125550123"}, []),
        ({"address": "not an address"}, ["address_unreadable"]),
        ({"address": "+12125550123", "sender": "nobody"}, ["sender_unknown"]),
        ({"address": "+12125550123", "channel": "pigeon"}, ["channel_unreadable"]),
        ({"address": "+12125550123", "colour": 1}, ["fields_unreadable"]),
        ({"address": "+12125550123", "at": "yesterday"}, ["at_unreadable"]),
    ],
)
@pytest.mark.parametrize("path", ["/v1/opt-outs", "/v1/consent-events"])
def test_an_opt_out_is_never_refused_for_its_content(
    tmp_path: Path, path: str, body: dict[str, Any], flags: list[str]
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            sent = body if path == "/v1/opt-outs" else {"event": "revoke", **body}
            receipt = await desk.ask("POST", path, sent, status=201)
            assert receipt["flags"] == flags

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "written",
    [
        "tel:+12125550123",
        "tel:+1-212-555-0123;ext=5",
        "0012125550123",
        "00 1 (212) 555-0123",
        "Ann <+12125550123>",
        "+1\u200b2125550123",
        "\ufeff+12125550123",
        "sms:%2B12125550123",
    ],
)
@pytest.mark.parametrize("path", ["/v1/opt-outs", "/v1/consent-events"])
def test_an_opt_out_reaches_the_address_that_is_plainly_meant(
    tmp_path: Path, path: str, written: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            sent = {"address": written} | ({} if path == "/v1/opt-outs" else {"event": "revoke"})
            receipt = await desk.ask("POST", path, sent, status=201)
            assert receipt["flags"] == ["address_unreadable"]
            check = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            assert check["verdict"] == "deny"
            # Who consents writes an address.
            grant = {**GRANT, "address": written}
            await desk.ask("POST", "/v1/consent-events", grant, status=400)

    asyncio.run(scenario())


@pytest.mark.parametrize("word", ["STOP", "Revoke", " revoke ", "opt-out", "OPT_OUT", "Complaint"])
def test_a_stop_is_kept_however_its_kind_is_written(tmp_path: Path, word: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            stop = {"address": "+12125550123", "event": word}
            await desk.ask("POST", "/v1/consent-events", stop, status=201)
            batch = await desk.ask("POST", "/v1/consent-events", {"events": [stop]}, status=200)
            assert "index" in batch["results"][0]
            check = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            assert check["verdict"] == "deny"

    asyncio.run(scenario())


def test_a_field_that_stands_twice_is_refused_but_in_an_opt_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            headers = desk.headers | {"Content-Type": "application/json"}

            async def post(path: str, body: str) -> Any:
                sent = body.encode()
                return await service.client.post(path, content=sent, headers=headers)

            twice = '{"address": "+12125550123", "event": "%s", "sender": "acme", "sender": "beta"}'
            refused = await post("/v1/consent-events", twice % "purchase")
            assert refused.status_code == 400
            assert [error["pointer"] for error in refused.json()["errors"]] == ["/sender"]
            for path in ("/v1/consent-events", "/v1/opt-outs"):
                kept = await post(path, twice % "revoke")
                assert kept.status_code == 201, kept.text
                assert "sender_unreadable" in kept.json()["flags"]
            checked = await post("/v1/checks", '{"sender": "acme", "sender": "acme"}')
            assert checked.status_code == 400
            whose = '{"address": "+12125550123", "address": "+12125550124"}'
            before = await desk.ask("GET", "/v1/logs", status=200)
            refused = await post("/v1/opt-outs", whose)
            assert (refused.status_code, refused.json()["code"]) == (400, "address_missing")
            assert await desk.ask("GET", "/v1/logs", status=200) == before, "of neither is a word"
            same = '{"address": "+12125550123", "address": "tel:+1-212-555-0123"}'
            assert (await post("/v1/opt-outs", same)).status_code == 201

    asyncio.run(scenario())


@pytest.mark.parametrize("name", [" ", "!", "\u200b", "- -"])
def test_a_sender_has_a_name_that_a_message_can_show(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            sender = {"name": name, "country": "US"}
            told = await desk.ask("PUT", "/v1/senders/beta", sender, status=400)
            assert [error["pointer"] for error in told["errors"]] == ["/name"]

    asyncio.run(scenario())


def test_an_opt_out_of_a_brand_outlives_its_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            stop = {"address": "+12125550123", "brand": "ACME", "via": "agent"}
            await desk.ask("POST", "/v1/opt-outs", stop, status=201)
            kept = await desk.ask("GET", "/v1/senders/acme", status=200)
            del kept["id"]
            for name in ("Novum", "Ultra"):
                await desk.ask("PUT", "/v1/senders/acme", {**kept, "name": name}, status=200)
                text = {"text": f"{name}: 20% off today. Reply STOP to opt out."}
                check = {**CHECK, "message": {**MESSAGE, **text}}
                answer = await desk.ask("POST", "/v1/checks", check, status=200)
                assert answer["verdict"] == "deny", name
                assert answer["reasons"][0]["code"] == "consent_revoked"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"recipient": {"address": "+12125550123", "region": "US-XX"}}, 400, "/recipient/region"),
        (
            {"recipient": {"address": "+12125550123", "time_zone": "Mars/Base"}},
            400,
            "/recipient/time_zone",
        ),
        ({"message": {**MESSAGE, "send_at": "2026-11-20T16:54:59Z"}}, 400, "/message/send_at"),
        ({"message": {**MESSAGE, "send_at": "2026-11-20T17:00:00"}}, 400, "/message/send_at"),
        ({"message": {"channel": "sms"}}, 400, "/message/purpose"),
        ({"recipient": {}}, 400, "/recipient/address"),
        ({"colour": 1}, 400, "/colour"),
    ],
)
def test_a_check_that_cannot_be_made_names_the_field(
    tmp_path: Path, change: dict[str, Any], status: int, pointer: str
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            told = await desk.ask("POST", "/v1/checks", CHECK | change, status=status)
            assert told["errors"][0]["pointer"] == pointer
            answer = await desk.ask("POST", "/v1/checks", CHECK, status=200)
            assert answer["index"] == 0

    asyncio.run(scenario())


def test_an_impossible_address_is_a_decision_and_an_unknown_sender_is_none(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            odd = CHECK | {"recipient": {"address": "+1"}}
            answer = await desk.ask("POST", "/v1/checks", odd, status=200)
            assert answer["verdict"] == "deny"
            assert "invalid_address" in [reason["code"] for reason in answer["reasons"]]
            told = await desk.ask("POST", "/v1/checks", CHECK | {"sender": "nobody"}, status=404)
            assert told["code"] == "unknown_sender"

    asyncio.run(scenario())


def test_a_register_is_loaded_once_a_date(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            again = await desk.load(b"address\n+12125550199\n")
            assert (again.status_code, again.json()["size"]) == (200, 1)
            other = await desk.load(b"address\n+12125550198\n")
            assert (other.status_code, other.json()["code"]) == (409, "registry_conflict")
            unread = await desk.load(b"address\nnonsense\n", as_of="2026-11-02")
            assert (unread.status_code, unread.json()["code"]) == (400, "registry_file_error")
            assert (await desk.load(b"", as_of="tomorrow")).status_code == 400
            narrow = await desk.load(
                b"address\n+12125550199\n", as_of="2026-11-03", covers="?covers=%2B1212"
            )
            assert narrow.json()["covers"] == ["+1212"]
            listed = await desk.ask("GET", "/v1/registries", status=200)
            [register] = listed["items"]
            assert (register["as_of"], register["goes_stale_on"]) == ("2026-11-03", "2026-12-05")

    asyncio.run(scenario())


def test_senders_are_listed_in_pages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            body = {"name": "Other", "country": "DE", "registrations": []}
            for name in ("beta", "gamma", "delta"):
                await desk.ask("PUT", f"/v1/senders/{name}", body, status=200)
            seen: list[str] = []
            cursor = ""
            while True:
                page = await desk.ask("GET", f"/v1/senders?limit=3{cursor}", status=200)
                seen += [sender["id"] for sender in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert seen == ["acme", "beta", "delta", "gamma"]
            for odd in ({"country": "ZZ"}, {"country": "de"}, {"colour": 1}, {"name": ""}):
                await desk.ask("PUT", "/v1/senders/beta", body | odd, status=400)
            await desk.ask("PUT", "/v1/senders/Not_An_Id!", body, status=400)

    asyncio.run(scenario())


def test_a_lookup_says_what_was_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            desk = await desk_at(service)
            await desk.ask("POST", "/v1/consent-events", GRANT, status=201)
            address = {"address": "+1 (212) 555-0123"}
            found = await desk.ask("POST", "/v1/subjects/lookup", address, status=200)
            [scope] = found["consent"]
            assert (scope["sender"], scope["channel"], scope["purpose"]) == (
                "acme",
                "sms",
                "marketing",
            )
            stranger = {"address": "+12125550177"}
            nothing = await desk.ask("POST", "/v1/subjects/lookup", stranger, status=200)
            assert (nothing["subject"], nothing["consent"]) == (None, [])

    asyncio.run(scenario())


def test_permits_can_be_verified_by_anybody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            answer = await service.client.get("/.well-known/jwks.json")
            [key] = answer.json()["keys"]
            assert (key["kty"], key["crv"], key["use"]) == ("OKP", "Ed25519", "sig")
            assert answer.headers["cache-control"].startswith("public")

    asyncio.run(scenario())
