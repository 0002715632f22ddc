"""``kill -9`` under load: what was acknowledged is there, once, and the log holds."""

import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from api.data_folder import DataFolder
from consent.ledger.identifiers import id_of
from consent.ledger.tables import log_entry, log_head
from tests.support.databases import open_engine
from tests.support.logs import check_logs
from tests.support.project import PROJECT
from tests.support.served import SERVE, address_of

pytestmark = pytest.mark.trial

CLIENTS = 6
LOAD_SECONDS = (0.05, 0.6)
"""From the first acknowledgement to the kill, drawn anew each time."""


@dataclass
class Load:
    """What the clients of one life of the service saw."""

    acknowledged: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    cut: int = 0
    first: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def life(folder: Path, database_url: str | None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """One life of the service: it is dead at the end, one way or another."""
    arguments = [sys.executable, "-c", SERVE, str(folder), database_url or ""]
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT
    )
    try:
        yield process, address_of(process)
    finally:
        process.kill()
        process.communicate()


def hammer(address: str, key: str, life_number: int, client: int, load: Load) -> None:
    """Record opt-outs, each of an address of its own, until the connection breaks."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    with contextlib.closing(connection):
        opt_out_forever(connection, key, f"{life_number}-{client}", load)


def opt_out_forever(
    connection: http.client.HTTPConnection, key: str, prefix: str, load: Load
) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for number in range(100_000):
        person = f"p{prefix}-{number}@example.com"
        body = json.dumps({"address": person, "via": "link"})
        try:
            connection.request("POST", "/v1/opt-outs", body, headers)
            answer = connection.getresponse()
            receipt = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            load.cut += 1
            return
        assert answer.status == 201, receipt
        load.acknowledged.append(receipt["id"])
        load.stopped.append(person)
        load.first.set()


def kill_under_load(
    process: subprocess.Popen[str], address: str, key: str, life_number: int, chance: random.Random
) -> Load:
    load = Load()
    threads = [
        threading.Thread(target=hammer, args=(address, key, life_number, client, load))
        for client in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    assert load.first.wait(timeout=30), "nothing was acknowledged, so nothing was tried"
    threading.Event().wait(chance.uniform(*LOAD_SECONDS))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    for thread in threads:
        thread.join(timeout=30)
    return load


def test_what_was_acknowledged_survives_every_kill(
    tmp_path: Path,
    empty_database_url: str,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    folder = tmp_path / "data"
    url = None if empty_database_url.startswith("sqlite") else empty_database_url
    key = first_key(folder, url)
    kills, cut, until = 0, 0, time.monotonic() + pytestconfig.getoption("--trial-seconds")
    acknowledged: list[str] = []
    last_stopped: str | None = None
    chance = random.Random(20261121)
    while kills < pytestconfig.getoption("--kills") and time.monotonic() < until:
        with life(folder, url) as (process, address):
            if last_stopped is not None:
                is_still_stopped(address, key, last_stopped)
            load = kill_under_load(process, address, key, kills, chance)
            assert process.returncode == -signal.SIGKILL
        kills += 1
        cut += load.cut
        acknowledged += load.acknowledged
        last_stopped = load.stopped[-1]
    assert kills >= 5
    assert cut >= kills, "requests were under way when the service was killed"

    engine = open_engine(url or DataFolder(folder).database_url)
    with engine.connect() as connection:
        there = list(connection.execute(sa.select(log_entry.c.event_id)).scalars())
        heads = connection.execute(sa.select(log_head)).all()
        assert len(there) == len(set(there))
        assert {id_of("evt", label) for label in acknowledged} <= set(there)
        assert sum(head.size for head in heads) == len(there)
        check_logs(connection)
    engine.dispose()
    told = f"{kills} kills, {len(acknowledged)} acknowledged, {cut} requests cut, none lost"
    record_property("trial", told)


def first_key(folder: Path, url: str | None) -> str:
    """Make the data folder as an operator does, and a sender; give the admin's key."""
    command = "from api.cli.main import main; main()"
    arguments = ["init", "--data", str(folder), *(["--database-url", url] if url else [])]
    made = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert made.returncode == 0, made.stderr
    key = str(json.loads(made.stdout.splitlines()[-1])["admin_key"])
    with life(folder, url) as (_, address):
        ask(address, key, "PUT", "/v1/senders/acme", {"name": "Acme", "country": "US"})
    return key


def is_still_stopped(address: str, key: str, person: str) -> None:
    """The last person who said stop before the kill is denied by the next life's first check."""
    body = {
        "sender": "acme",
        "recipient": {"address": person, "region": "US-NY"},
        "message": {"channel": "email", "purpose": "marketing"},
    }
    answer = json.loads(ask(address, key, "POST", "/v1/checks", body))
    assert answer["verdict"] == "deny", answer
    assert "consent_revoked" in [reason["code"] for reason in answer["reasons"]]


def ask(address: str, key: str, method: str, path: str, body: object) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status in (200, 201), content
    return content
