"""The README's first steps, taken as they stand there, with a shell and curl."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import serving
from tests.support.project import PROJECT

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_a_message_is_allowed_then_deferred_and_denied_after_stop(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("wants curl")
    blocks = BLOCK.findall((PROJECT / "README.md").read_text(encoding="utf-8"))
    (start,) = (number for number, block in enumerate(blocks) if block.startswith("KEY="))
    with serving(tmp_path / "data") as service:
        script = "\n".join(blocks[start:])
        script = script.replace("KEY=… ", f"KEY={service.announced['key']} ")
        script = script.replace("http://127.0.0.1:8000", service.announced["address"])
        answers = run(script)
    granted, allowed, deferred, stopped, denied = answers
    assert granted["log"] == stopped["log"] == "consent"
    assert allowed["verdict"] == "allow"
    assert deferred["verdict"] == "defer"
    assert "T08:00:00-0" in deferred["not_before"]
    assert {reason["code"] for reason in deferred["reasons"]} == {"quiet_hours"}
    assert any(r["cite"].startswith("47 CFR 64.1200(c)(1)") for r in deferred["reasons"])
    assert denied["verdict"] == "deny"
    assert "consent_revoked" in {reason["code"] for reason in denied["reasons"]}


def run(script: str) -> list[dict[str, Any]]:
    """Run a script of the shell whose every line of output is JSON."""
    ran = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]
