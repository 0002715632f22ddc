"""Writes and syncs that fail or kill: what was acknowledged is there, and the log holds.

strace injects the fault at the n-th call of the process, whichever file it is for.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.data_folder import DataFolder
from consent.ledger.identifiers import id_of
from consent.ledger.tables import log_entry
from tests.support.databases import open_engine
from tests.support.logs import check_logs
from tests.support.project import PROJECT
from tests.trials.test_kill_loop import first_key

pytestmark = [
    pytest.mark.trial,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

EVENTS = 12
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
CALLS = ("pwrite64", "fdatasync")


def run(
    folder: Path, key: str, trace: Path, inject: str | None, calls: str
) -> "subprocess.CompletedProcess[str]":
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}"]
    if inject is not None:
        strace += ["-e", f"inject={inject}"]
    workload = [sys.executable, "-m", "tests.trials.workload", str(folder), key, str(EVENTS)]
    # PTRACE follows threads more cheaply when nothing is compiled on the side.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*strace, *workload],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env=environment,
        timeout=120,
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_that_fails_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
    call: str,
    fault: str,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    template = tmp_path / "template"
    key = first_key(template, None)
    first, last = calls_of_a_whole_run(tmp_path, template, key, call)
    hit, refused, killed = 0, 0, 0
    # Each event makes one call at least. How many more there are, for checkpoints that are signed
    # on the side, depends on how quick the machine is.
    last = min(last, first + EVENTS - 1)
    tries = min(pytestconfig.getoption("--faults"), last - first + 1)
    numbers = {first + (last - first) * i // max(1, tries - 1) for i in range(tries)}
    for number in sorted(numbers):
        folder = tmp_path / f"{call}-{number}"
        shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.sock", "lock"))
        trace = tmp_path / "trace"
        ran = run(folder, key, trace, f"{call}:{fault}:when={number}", call)
        told = trace.read_text(errors="replace")
        hit += "INJECTED" in told or "SIGKILL" in told
        refused += "refused" in ran.stdout
        killed += ran.returncode != 0
        acknowledged = [line for line in ran.stdout.splitlines() if line.startswith("evt_")]
        assert_whole(folder, acknowledged)
        shutil.rmtree(folder)
    assert hit == len(numbers), "the fault was really injected"
    assert refused + killed > 0, "and it reached the service"
    record_property("trial", f"{hit} faults, {refused} answered 503, {killed} processes ended")


def calls_of_a_whole_run(tmp_path: Path, template: Path, key: str, call: str) -> tuple[int, int]:
    """Which calls come after the start and before the end of a run that nothing disturbs."""
    folder, trace = tmp_path / "undisturbed", tmp_path / "trace"
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("*.sock", "lock"))
    ran = run(folder, key, trace, None, f"{call},write")
    assert ran.stdout.count("evt_") == EVENTS, ran.stderr
    lines = trace.read_text(errors="replace").splitlines()
    ready = next(i for i, line in enumerate(lines) if re.search(r'write\(1, "ready', line))
    before = sum(f" {call}(" in line for line in lines[:ready])
    whole = sum(f" {call}(" in line for line in lines)
    assert whole > before
    return before + 1, whole


def assert_whole(folder: Path, acknowledged: list[str]) -> None:
    """Whatever was acknowledged is there once, and every log is whole."""
    engine = open_engine(DataFolder(folder).database_url)
    with engine.connect() as connection:
        there = list(connection.execute(sa.select(log_entry.c.event_id)).scalars())
        assert len(there) == len(set(there))
        assert {id_of("evt", label) for label in acknowledged} <= set(there)
        check_logs(connection)
    engine.dispose()
