"""Durable appends through the ledger, against the same rows written to the same tables bare.

An append is encrypted, committed to, in the tree, in its person's chain and projected. The floor
writes rows of the same sizes to the same tables with the same indexes and guards, through the
same driver, and commits as often; it encrypts, hashes and looks up nothing. Batches of the two
take turns, each in a database of its own that began as a copy of the same one: a file of SQLite, or
with ``--postgresql`` a database of a server that waits for the disk.
"""

import argparse
import contextlib
import gc
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from api.data_folder import DataFolder
from api.database import writing_engine
from api.serving import GC_THRESHOLD
from bench._machine import fsync_seconds, machine
from bench._people import SENDER, Filled, Noon, fill, number_of
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger import tables
from consent.ledger.columns import microseconds_of
from consent.ledger.identifiers import uuid7
from consent.recording import EventInput, Recorded, record_events
from consent.rows import Rows, run
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Level, Purpose
from tests.support import databases

BATCH = 256
ENTRY = [column.name for column in tables.log_entry.columns]
PAYLOAD = [column.name for column in tables.log_payload.columns]


def main() -> None:
    """Measure with few and with many on record, and print both."""
    options = _options()
    figures: dict[str, Any] = {}
    with contextlib.ExitStack() as stack:
        disk = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.disk)))
        for subjects in (options.few, options.subjects):
            with _copies(options, subjects, disk) as copies:
                figures[f"{subjects:,} people"] = _measure(copies, options.batches)
        about = machine(disk)
        figures["fsync ms p50 p99"] = [1000 * seconds for seconds in fsync_seconds(disk)]
    few, many = (figures[f"{subjects:,} people"] for subjects in (options.few, options.subjects))
    figures["growth"] = many["appends a second"] / few["appends a second"]
    for name, what in (*about.items(), *figures.items()):
        print(f"{name:20} {what}")
    if options.json:
        options.json.write_text(json.dumps({"machine": about, **figures}, indent=1) + "\n")


@dataclass(frozen=True)
class _Copies:
    """Two databases filled alike, and the folder with the keys of both."""

    filled: Filled
    keys: Path
    ledger: str
    floor: str


@contextlib.contextmanager
def _copies(options: argparse.Namespace, subjects: int, disk: Path) -> Iterator[_Copies]:
    kept = disk / f"of-{subjects}"
    if options.postgresql:
        with (
            databases.postgres_server(durable=True) as server,
            server.database(databases.TEMPLATE) as url,
        ):
            filled = fill(kept, subjects, Noon(), url=url)
            name = str(make_url(url).database)
            with server.database(name) as ledger, server.database(name) as floor:
                yield _Copies(filled, kept, ledger, floor)
        return
    if options.filled:
        kept = options.filled / str(subjects)
    filled = fill(kept, subjects, Noon())
    folders = [disk / "ledger", disk / "floor"]
    for folder in folders:
        shutil.copytree(kept, folder)
    ledger, floor = (DataFolder(folder).database_url for folder in folders)
    yield _Copies(filled, kept, ledger, floor)
    for folder in folders:
        shutil.rmtree(folder)


def _measure(copies: _Copies, batches: int) -> dict[str, float]:
    filled = copies.filled
    draw = random.Random(9)
    taken: dict[str, list[tuple[float, float]]] = {"ledger": [], "floor": []}
    with (
        _open(copies.ledger) as ours,
        _open(copies.floor) as bare,
        _collecting_as_the_service_does(),
    ):
        keys, clock = KeyRing.open(copies.keys), Noon()
        prepared = _Floor(bare, filled.organisation)
        for number in range(batches + 4):
            people = draw.sample(range(filled.subjects), BATCH)
            events = _grants(people, clock)
            rows = prepared.rows(people)
            for name, connection, work in (
                ("ledger", ours, _through_the_ledger(filled, events, keys, clock)),
                ("floor", bare, _bare(prepared, rows)),
            ):
                measured = _timed(connection, work)
                if number >= 4:  # The first ones fill caches.
                    taken[name].append(measured)
    wall = {name: statistics.median(w for w, _ in runs) for name, runs in taken.items()}
    cpu = {name: statistics.median(c for _, c in runs) for name, runs in taken.items()}
    return {
        "appends a second": BATCH / wall["ledger"],
        "floor a second": BATCH / wall["floor"],
        "ratio": wall["floor"] / wall["ledger"],
        "processor us an append": 1e6 * cpu["ledger"] / BATCH,
        "processor us of the floor": 1e6 * cpu["floor"] / BATCH,
    }


def _timed(connection: Connection, work: Callable[[Connection], None]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    connection.begin()
    work(connection)
    connection.commit()
    return time.perf_counter() - began, time.process_time() - cpu


def _through_the_ledger(
    filled: Filled, events: Sequence[EventInput], keys: KeyRing, clock: Noon
) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        now = clock.now()
        recorded = record_events(connection, filled.organisation, events, keys=keys, now=now)
        assert all(isinstance(one, Recorded) for one in recorded), "these events are whole"

    return work


def _grants(people: Sequence[int], clock: Noon) -> list[EventInput]:
    at = clock.now() - timedelta(minutes=1)
    grant = ConsentEvent(
        event=RecordedKind.GRANT,
        at=at,
        sender=SENDER,
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        level=Level.EXPRESS_WRITTEN,
    )
    return [EventInput(parse_address(number_of(one)), grant, uuid7(at)) for one in people]


def _bare(floor: "_Floor", rows: tuple[list[Any], ...]) -> Callable[[Connection], None]:
    return lambda _: floor.write(rows)


class _Floor:
    """Writes what an append leaves behind: the sizes are those of the rows that are there."""

    def __init__(self, connection: Connection, organisation: str) -> None:
        connection.begin()
        self._connection, self._organisation = connection, organisation
        self._now = microseconds_of(Noon().now())
        self._subjects = [row[0] for row in self._all("SELECT id FROM subject", ())]
        sizes = self._all(
            "SELECT length(e.leaf), length(p.ciphertext) FROM log_entry e JOIN log_payload p"
            " ON p.event_id = e.event_id WHERE e.log = ? ORDER BY e.idx DESC LIMIT 64",
            ("consent",),
        )
        self._leaf = max(leaf for leaf, _ in sizes)
        self._ciphertext = max(ciphertext for _, ciphertext in sizes)
        (self._standing,) = self._all("SELECT max(length(sealed_history)) FROM standing", ())[0]
        head = self._all("SELECT size, edge FROM log_head WHERE log = ?", ("consent",))
        self._size, self._edge = head[0]
        self._entries = Rows(tables.log_entry, *ENTRY)
        self._payloads = Rows(tables.log_payload, *PAYLOAD)
        self._tiles = Rows(tables.log_tile, "organisation", "log", "level", "n", "hashes")
        connection.commit()

    def rows(self, people: Sequence[int]) -> tuple[list[Any], ...]:
        """Make the rows of one batch before it is timed."""
        entries, payloads, standings, ends = [], [], [], []
        organisation, now = self._organisation, self._now
        for index, person in enumerate(people, self._size):
            # Seconds of its own for each, as version 7 has them: they come in order.
            id_ = index.to_bytes(6, "big") + os.urandom(10)
            subject, hashed = self._subjects[person], os.urandom(32)
            leaf, sealed = os.urandom(self._leaf), os.urandom(self._ciphertext)
            entries.append(
                (organisation, "consent", index, id_, subject, 1_000 + index, now, leaf, hashed)
            )
            nonce = os.urandom(12)
            payloads.append((id_, organisation, subject, 1, "subject", 1, 1, nonce, sealed))
            standings.append((organisation, subject, 9, os.urandom(self._standing)))
            ends.append((9, hashed, organisation, subject))
        self._size += len(people)
        return entries, payloads, standings, ends

    def write(self, rows: tuple[list[Any], ...]) -> None:
        """Write them, with the full tile and the head that every batch of 256 leaves."""
        connection = self._connection
        entries, payloads, standings, ends = rows
        self._entries.insert(connection, entries)
        self._payloads.insert(connection, payloads)
        run(connection, _STANDING, standings, many=True)
        run(connection, _SUBJECT, ends, many=True)
        place = 1_000_000 + self._size // BATCH
        tile = (self._organisation, "consent", 0, place, os.urandom(8192))
        self._tiles.insert(connection, [tile])
        run(connection, _HEAD, (self._size, self._edge, self._organisation))

    def _all(self, text: str, values: tuple[Any, ...]) -> list[Any]:
        return list(run(self._connection, text, values).fetchall())


_STANDING = (
    "INSERT INTO standing (organisation, subject, head_seq, sealed_history) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (organisation, subject) DO UPDATE SET head_seq = excluded.head_seq,"
    " sealed_history = excluded.sealed_history"
)
_SUBJECT = "UPDATE subject SET head_seq = ?, head_leaf_hash = ? WHERE organisation = ? AND id = ?"
_HEAD = "UPDATE log_head SET size = ?, edge = ? WHERE organisation = ? AND log = 'consent'"


@contextlib.contextmanager
def _collecting_as_the_service_does() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(GC_THRESHOLD)
    yield
    gc.set_threshold(*before)


@contextlib.contextmanager
def _open(url: str) -> Iterator[Connection]:
    engine = writing_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--subjects", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=10_000, help="for the growth")
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--disk", type=Path, default=Path(), help="a folder on the disk to use")
    parser.add_argument("--filled", type=Path, help="folders of people, kept for other runs")
    parser.add_argument(
        "--postgresql",
        action="store_true",
        help="a server in the system's place for temporary files, instead of SQLite",
    )
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
