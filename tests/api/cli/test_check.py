"""``check``, with a service running and without."""

import asyncio
import json
from pathlib import Path

import pytest

from api.cli.service import OperatorService, ask
from api.settings import Settings
from tests.support.commands import command

MAIL = ("--sender", "acme", "--to", "ada@example.com", "--region", "US-NY", "--channel", "email")
BODY = {
    "sender": "acme",
    "recipient": {"address": "+12125550123"},
    "message": {"channel": "sms", "purpose": "marketing"},
    "reference": "row-1",
}


@pytest.fixture(scope="module", autouse=True)
def sender(folder: Path) -> None:
    async def put(service: OperatorService) -> None:
        one = await service.of_one()
        await one.put("/v1/senders/acme", {"name": "Acme", "country": "US"})

    ask(Settings(data=folder), put)


def test_a_message_by_options_that_may_go(folder: Path) -> None:
    ran = command("check", *MAIL, "--purpose", "marketing", "--data", folder)
    assert ran.code == 0
    assert ran.record["verdict"] == "allow"
    assert ran.record["permit"]


def test_a_message_on_standard_input_that_may_not(folder: Path) -> None:
    ran = command("check", "--data", folder, stdin=json.dumps(BODY))
    assert ran.code == 1
    assert ran.record["verdict"] == "deny"
    assert ran.record["reference"] == "row-1"
    assert "consent_missing" in {reason["code"] for reason in ran.record["reasons"]}


def test_options_say_all_that_a_body_can(folder: Path) -> None:
    more: tuple[str, ...] = (
        "--from",
        "+12125550100",
        "--text",
        "Acme: hello",
        "--topic",
        "shoes",
        "--by-hand",
    )
    more += ("--kind", "business", "--age", "40", "--time-zone", "America/New_York")
    more += ("--template", "in-dlt:1", "--reference", "r", "--preview")
    ran = command("check", *MAIL, "--purpose", "service", *more, "--data", folder)
    assert ran.record["id"] is None
    assert ran.record["reference"] == "r"


def test_a_person_reads_verdict_reasons_and_provisions(folder: Path) -> None:
    ran = command("check", "--data", folder, stdin=json.dumps(BODY), on_terminal=True)
    assert ran.code == 1
    assert "deny" in ran.out
    assert "There is no consent on record" in ran.out
    assert "consent_missing" in ran.out
    assert "47 CFR 64.1200" in ran.out
    allowed = command("check", *MAIL, "--purpose", "marketing", "--data", folder, on_terminal=True)
    assert "allow until" in allowed.out
    assert "to do: " in allowed.out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--sender", "acme"),
        (*MAIL, "--purpose", "fun"),
        (*MAIL, "--purpose", "marketing", "--region", "US-QQ"),
        (*MAIL, "--purpose", "marketing", "--send-at", "2026-11-21T10:00:00"),
        ("--sender", "beta", "--to", "+12125550123", "--channel", "sms", "--purpose", "service"),
        (*MAIL, "--purpose", "marketing", "--age", "old"),
    ],
)
def test_a_wrong_question_is_2_and_not_a_no(folder: Path, wrong: tuple[str, ...]) -> None:
    ran = command("check", *wrong, "--data", folder)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("stdin", [None, "", "{", '{"sender": 1}', "[]"])
def test_standard_input_that_holds_no_message_is_2(folder: Path, stdin: str | None) -> None:
    assert command("check", "--data", folder, stdin=stdin).code == 2


def test_no_folder_is_3_and_says_how_to_make_one(tmp_path: Path) -> None:
    ran = command("check", "--data", tmp_path / "none", stdin=json.dumps(BODY))
    assert ran.code == 3
    assert ran.err.count("\n") == 1
    assert "cleartosend init --data" in ran.err


def test_a_command_leaves_no_event_loop_behind(folder: Path) -> None:
    command("check", "--data", folder, stdin=json.dumps(BODY))
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
