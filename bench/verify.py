"""Offline verification of a bundle: seconds, entries a second, and memory, flat in their number.

``./dev bench verify [ENTRIES]`` writes the bundle of a log of that many entries (one million),
without disclosed payloads, and verifies it in a process of its own with ``audit/verify.py``. It
does the same for a hundredth of the entries, to hold the memory of both beside each other, and
measures the floor: reading and hashing the same entries twice, which no verification can go
without.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from audit import verify
from audit.exports.bundle import write_bundle
from audit.exports.parts import WholeLog
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints, subject_index, tables
from consent.ledger.checkpoints import Checkpoint, SignedCheckpoint
from consent.ledger.identifiers import new_organisation_id, new_subject_id, uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import SealedEntry, SealedPayload, append_many, create_logs
from consent.ledger.proofs import LogTree

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BATCH = 4096
ENTRIES_OF_A_PERSON = 4
CHECKPOINTS = 10
LIMIT_SECONDS = 15.0

# The kernel's own figure for this program; what it forgets of before it began, getrusage does not.
_PROGRAM = """
import re, runpy, sys
try:
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(re.search("VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def main() -> None:
    """Measure, and print what came out as JSON, a record a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    size = parser.parse_args().entries
    for count in (max(size // 100, 1), size):
        with tempfile.TemporaryDirectory() as folder:
            bundle = Path(folder) / "bundle.zip"
            _write(bundle, Path(folder), count)
            print(json.dumps(_measure(bundle, count)), flush=True)


def _measure(bundle: Path, count: int) -> dict[str, object]:
    started = time.perf_counter()
    hashed = _floor(bundle)
    floor = time.perf_counter() - started
    assert hashed == count + 1, "the floor has read every entry"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-c", _PROGRAM, verify.__file__, str(bundle)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    summary, peak = done.stdout.splitlines()
    (log,) = json.loads(summary)["logs"]
    assert log["entries"] == count + 1, "every entry was verified"
    return {
        "entries": count,
        "bundle_mib": round(bundle.stat().st_size / 2**20, 1),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "limit_seconds": LIMIT_SECONDS,
        "entries_per_second": round(count / seconds),
        "floor_seconds": round(floor, 2),
        "ratio_to_floor": round(floor / seconds, 2),
        "peak_mib": round(int(peak) / 1024, 1),
    }


def _floor(bundle: Path) -> int:
    """Unpack every entry and hash as often as the tree has nodes: how many entries there were."""
    count = 0
    with zipfile.ZipFile(bundle) as archive:
        for name in archive.namelist():
            if "/tile/entries/" not in name:
                continue
            raw, at = archive.read(name), 0
            while at < len(raw):
                end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
                leaf = hashlib.sha256(b"\0" + raw[at + 2 : end]).digest()
                hashlib.sha256(b"\1" + leaf + leaf).digest()
                count, at = count + 1, end
    return count


def _write(bundle: Path, folder: Path, count: int) -> None:
    """The bundle of a log of ``count`` entries and an index, on SQLite."""
    engine = sa.create_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    tables.METADATA.create_all(engine)
    keys = KeyRing.passing(at=NOW)
    organisation = new_organisation_id()
    keys.add_organisation(organisation, at=NOW)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        create_logs(connection, organisation, origin=f"bench.example/{organisation}")
        done, step = 0, -(-count // CHECKPOINTS)
        for batch in _batches(connection, organisation, count):
            append_many(connection, organisation, Log.CONSENT, batch, recorded_at=NOW)
            done += len(batch)
            if done % step < len(batch):
                _sign(connection, organisation, keys)
        index = subject_index.compute(connection, organisation)
        subject_index.append(connection, organisation, index, recorded_at=NOW)
        _sign(connection, organisation, keys)
        with bundle.open("wb") as sink:
            write_bundle(connection, organisation, [WholeLog(Log.CONSENT)], sink, keys=keys)
    engine.dispose()


def _batches(
    connection: sa.Connection, organisation: str, count: int
) -> Iterator[list[SealedEntry]]:
    subjects: list[bytes] = []
    for start in range(0, count, BATCH):
        width = min(BATCH, count - start)
        if start % (ENTRIES_OF_A_PERSON * BATCH) == 0:
            subjects = [new_subject_id() for _ in range(BATCH)]
            rows = [{"organisation": organisation, "id": id_, "head_seq": 0} for id_ in subjects]
            connection.execute(sa.insert(tables.subject), rows)
        yield [_entry(subject) for subject in subjects[:width]]


def _entry(subject: bytes) -> SealedEntry:
    random = os.urandom(32)
    return SealedEntry(
        event_id=uuid7(NOW),
        type="grant",
        occurred_at=NOW,
        subject=subject,
        channel="sms",
        purpose="marketing",
        level="express_written",
        release="sha256:" + "5e" * 32,
        actor="key_1",
        payload=SealedPayload(random, 1, "subject", 1, 1, random[:12], random),
    )


def _sign(connection: sa.Connection, organisation: str, keys: KeyRing) -> None:
    tree = LogTree(connection, organisation, Log.CONSENT)
    checkpoint = Checkpoint(tree.origin, tree.size, tree.root_at(tree.size))
    note = checkpoints.sign(checkpoint, [keys.log_key(organisation, Log.CONSENT)])
    signed = SignedCheckpoint(organisation, Log.CONSENT, tree.size, note, NOW)
    checkpoints.keep_many(connection, [signed])


if __name__ == "__main__":
    main()
