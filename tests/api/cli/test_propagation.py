"""``propagation``: what is under way, as a table and as records."""

from pathlib import Path
from typing import Any

from api.cli.service import OperatorService, ask
from api.settings import Settings
from tests.support.commands import command

HOOK = {"url": "https://hooks.example.com/", "events": ["consent.revoked"]}
STOP = {"address": "+12125550123", "via": "agent"}


def test_what_is_under_way_is_shown(folder: Path) -> None:
    async def asked(service: OperatorService) -> Any:
        one = await service.of_one()
        hook = await one.post("/v1/webhooks", HOOK)
        # Disabled, so that a service that runs does not look its name up.
        await one.post(f"/v1/webhooks/{hook['id']}/disable", {})
        await one.post("/v1/opt-outs", STOP)
        return hook

    assert command("propagation", "--data", folder).out == ""
    hook = ask(Settings(data=folder), asked)
    ran = command("propagation", "--data", folder)
    assert ran.code == 0
    assert (ran.record["webhook"], ran.record["state"]) == (hook["id"], "pending")
    shown = command("propagation", "--data", folder, on_terminal=True).out
    assert ran.record["id"] in shown
    assert "pending" in shown
    assert "deadline at" in shown
    assert STOP["address"] not in ran.out + shown
    assert command("propagation", "--late", "--data", folder).out == ""
