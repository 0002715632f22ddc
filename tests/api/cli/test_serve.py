"""``serve``: a trial for who has nothing yet, and nothing of the kind for who has."""

import asyncio
import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import httpx
import pytest

from api.cli.folders import Founded
from api.cli.output import Output
from api.cli.serve import announce
from tests.support import databases
from tests.support.commands import STYLE, Terminal, command, serving


def status_of(address: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{address}/v1/keys", headers=headers).status_code


@pytest.mark.slow
def test_a_first_start_prints_a_curl_that_works(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("wants curl")
    with serving(tmp_path / "data") as service:
        assert set(service.announced) == {"address", "organisation", "key", "curl"}
        pasted = subprocess.run(
            ["sh", "-c", service.announced["curl"]], capture_output=True, text=True, check=True
        )
        answer = json.loads(pasted.stdout)
        assert answer["verdict"] == "allow"
        assert answer["permit"]
        assert service.stop() == 0


@pytest.mark.slow
def test_each_start_of_a_trial_has_its_own_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder) as first:
        earlier = first.announced["key"]
        made = command("keys", "create", "--role", "sender", "--person", "Ada", "--data", folder)
        assert first.stop() == 0
    with serving(folder) as second:
        address, key = second.announced["address"], second.announced["key"]
        assert second.announced["organisation"] == first.announced["organisation"]
        assert (status_of(address, earlier), status_of(address, key)) == (401, 200)
        assert status_of(address, made.record["token"]) == 403
        trial = [
            k for k in command("keys", "list", "--data", folder).records if "serve" in k["person"]
        ]
        assert sorted(k["revoked_at"] is None for k in trial) == [False, True]
        (valid,) = (k["id"] for k in trial if k["revoked_at"] is None)
        assert command("keys", "revoke", valid, "--data", folder).code == 0
        assert second.stop() == 0
    # Who revokes the last one has ended the trial.
    with serving(folder) as third:
        assert set(third.announced) == {"address"}


@pytest.mark.slow
def test_a_folder_of_init_gets_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert command("init", "--data", folder).code == 0
    with serving(folder) as service:
        assert set(service.announced) == {"address"}
    assert len(command("keys", "list", "--data", folder).records) == 1


@pytest.mark.slow
def test_a_second_service_does_not_start_nor_touch_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with serving(folder) as service:
        refused = command("serve", "--data", folder, "--port", "0")
        assert refused.code == 3
        assert refused.out == ""
        (line,) = refused.err.splitlines()
        assert line.startswith(f"cleartosend: {folder} is held by a running service")
        assert status_of(service.announced["address"], service.announced["key"]) == 200


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command("serve", "--data", tmp_path / "data", "--port", port)
    assert refused.code == 3
    assert refused.err == (
        f"cleartosend: nothing could be served on 127.0.0.1:{port}; "
        "if something else listens there, stop it or choose another --port\n"
    )


def test_a_folder_that_lost_its_keys_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert command("init", "--data", folder).code == 0
    (folder / "root.key").unlink()
    refused = command("serve", "--data", folder, "--port", "0")
    assert refused.code == 3
    assert "root.key is missing" in refused.err


def test_people_get_the_key_and_the_curl_whole_on_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    announce(Output(), "http://127.0.0.1:8000", Founded("org_1", "cts_secret"))
    lines = [line.strip() for line in STYLE.sub("", terminal.getvalue()).splitlines()]
    assert "KEY=cts_secret" in lines
    (curl,) = (line for line in lines if line.startswith("curl "))
    assert curl.endswith("""{"channel":"email","purpose":"marketing"}}'""")


@pytest.mark.slow
def test_a_ledger_that_is_only_read_is_said_to_be_at_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert command("init", "--data", folder).code == 0
    with contextlib.closing(sqlite3.connect(folder / "cleartosend.sqlite3")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with serving(folder) as service:
        assert "schema 9999" in service.announced["read_only"]
        assert service.stop() == 0


@pytest.mark.slow
def test_several_workers_write_to_one_log(
    postgres_server: databases.PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    with postgres_server.database("template0") as url:
        with serving(folder, "--database-url", url, "--workers", "2") as service:
            receipts = asyncio.run(opt_outs(service.announced, 40))
            assert service.stop() == 0
        assert sorted(one["index"] for one in receipts) == list(range(40))
        looked = command("ledger", "fsck", "--data", folder, "--database-url", url)
        assert looked.record["damages"] == 0


async def opt_outs(announced: dict[str, str], count: int) -> list[dict[str, int]]:
    """Record opt-outs of so many addresses, each in a connection of its own; give the receipts."""
    headers = {"Authorization": f"Bearer {announced['key']}", "Connection": "close"}
    async with httpx.AsyncClient(
        base_url=announced["address"], headers=headers, timeout=60
    ) as client:
        bodies = [{"address": f"p{n}@example.com", "via": "link"} for n in range(count)]
        answers = await asyncio.gather(*(client.post("/v1/opt-outs", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    return [answer.json() for answer in answers]
