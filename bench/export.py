"""An export of everything: seconds, entries a second, and memory, flat in their number.

``./dev bench export [ENTRIES]`` fills the logs of a service with that many sealed events (one
million), and exports them in a process of its own that opens the data folder as ``cleartosend
export`` does. It does the same for a hundredth of the entries, to hold the memory of both beside
each other, and measures the floor: reading every entry and its payload once, without opening it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from api.clock import SystemClock
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import PayloadContext, SealingKey, seal_payload
from consent.ledger import tables
from consent.ledger.canonical import canonical
from consent.ledger.entries import read_entries, read_payloads
from consent.ledger.identifiers import new_subject_id, uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import SealedEntry, append_many

BATCH = 4096
ENTRIES_OF_A_PERSON = 4
LIMIT_MIB = 300

# The kernel's own figure for this program; what it forgets of before it began, getrusage does not.
_PROGRAM = """
import re, sys
from api.cli.main import run
code = run(sys.argv[1:])
print(re.search("VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
sys.exit(code)
"""
_PAYLOAD = {
    "address": "+12125550123",
    "at": "2026-11-20T12:00:00Z",
    "channel": "sms",
    "event": "grant",
    "evidence": {
        "disclosure": {"text": "By ticking this box you agree to hear from Acme. " * 4},
        "ip": "203.0.113.9",
        "method": "web_form",
        "source_url": "https://acme.example/join",
    },
    "level": "express_written",
    "purpose": "marketing",
    "sender": "acme",
}


def main() -> None:
    """Measure, and print what came out as JSON, a record a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    size = parser.parse_args().entries
    for count in (max(size // 100, 1), size):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            _fill(data, count)
            print(json.dumps(_measure(data, Path(folder) / "all.zip", count)), flush=True)


def _measure(data: Path, target: Path, count: int) -> dict[str, object]:
    started = time.perf_counter()
    _floor(data, count)
    floor = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    scope = ("--from", "2026-01-01T00:00:00Z", "--out", str(target))
    command = [sys.executable, "-c", _PROGRAM, "export", "--data", str(data), *scope]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    job, peak = done.stdout.splitlines()
    assert json.loads(job)["entries_total"] >= count, "every entry was exported"
    return {
        "entries": count,
        "bundle_mib": round(target.stat().st_size / 2**20, 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime, 1),
        "entries_per_second": round(count / seconds),
        "floor_seconds": round(floor, 1),
        "peak_mib": round(int(peak) / 1024, 1),
        "limit_mib": LIMIT_MIB,
    }


def _floor(data: Path, count: int) -> None:
    engine = sa.create_engine(f"sqlite:///{data / 'cleartosend.sqlite3'}")
    with engine.connect() as connection:
        organisation = _organisation(connection)
        for start in range(0, count, BATCH):
            entries = read_entries(connection, organisation, Log.CONSENT, start, start + BATCH)
            for at in range(0, len(entries), 500):
                ids = [entry.event_id for entry in entries[at : at + 500]]
                read_payloads(connection, organisation, ids)
    engine.dispose()


def _fill(data: Path, count: int) -> None:
    """A data folder whose consent log holds ``count`` sealed events, written past the service."""
    command = [sys.executable, "-c", _PROGRAM, "init", "--data", str(data)]
    subprocess.run(command, capture_output=True, check=True)
    keys = KeyRing.open(data)
    engine = sa.create_engine(f"sqlite:///{data / 'cleartosend.sqlite3'}")
    payload, now = canonical(_PAYLOAD), SystemClock().now()
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        organisation = _organisation(connection)
        people: list[tuple[bytes, SealingKey]] = []
        for start in range(0, count, BATCH):
            width = min(BATCH, count - start)
            if start % (ENTRIES_OF_A_PERSON * BATCH) == 0:
                people = _people(connection, organisation, keys)
            entries = [_entry(organisation, one, payload, now) for one in people[:width]]
            append_many(connection, organisation, Log.CONSENT, entries, recorded_at=now)
    engine.dispose()
    # Signed within a second of being written, as it would be: not by the process that exports.
    command = [sys.executable, "-c", _PROGRAM, "ledger", "checkpoint", "--data", str(data)]
    subprocess.run(command, capture_output=True, check=True)


def _people(
    connection: sa.Connection, organisation: str, keys: KeyRing
) -> list[tuple[bytes, SealingKey]]:
    ids = [new_subject_id() for _ in range(BATCH)]
    made = [(id_, keys.new_subject_key(organisation, id_, 1)) for id_ in ids]
    connection.execute(
        sa.insert(tables.subject),
        [{"organisation": organisation, "id": id_, "head_seq": 0} for id_, _ in made],
    )
    connection.execute(
        sa.insert(tables.subject_key),
        [
            {
                "organisation": organisation,
                "subject": id_,
                "version": 1,
                "wrapping_key_version": key.wrapping_key_version,
                "wrapped": key.wrapped,
            }
            for id_, key in made
        ],
    )
    return [(id_, key.key) for id_, key in made]


def _entry(
    organisation: str, person: tuple[bytes, SealingKey], payload: bytes, now: datetime
) -> SealedEntry:
    subject, key = person
    event_id = uuid7(now)
    context = PayloadContext(organisation, event_id, "grant", subject)
    return SealedEntry(
        event_id=event_id,
        type="grant",
        occurred_at=now,
        subject=subject,
        channel="sms",
        purpose="marketing",
        level="express_written",
        release="sha256:" + "5e" * 32,
        actor="key_1",
        payload=seal_payload(key, context, payload),
    )


def _organisation(connection: sa.Connection) -> str:
    found: str = connection.execute(sa.select(tables.log_head.c.organisation).limit(1)).scalar_one()
    return found


if __name__ == "__main__":
    main()
