"""``POST /v1/checks``, each decision on disk before its answer, against a constant answer.

Both routes are of one application in one process on one core, pass the same guard and decode the
same bodies; the load generator has the other core to itself. Half of the people on record have
opted out, so half of the checks are allowed, each with its permit. Rounds of the routes take
turns, so that whatever else the machine does meets all of them.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench._gate import FLOOR, ONE_COUNTRY
from bench._load import Connections, Tally, request_of
from bench._machine import cpu_seconds, fsync_seconds, machine
from bench._people import SENDER, TEXT, Filled, Noon, fill, number_of

CHECKS = "/v1/checks"
SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
IDLE_CHECKS = 300
IDLE_GAP_SECONDS = 0.01
TURNS = re.compile(rb"^cleartosend_writer_turn_requests_(sum|count) ([\d.e+]+)$", re.MULTILINE)


def main() -> None:
    """Measure, print a table, and keep everything as JSON where asked."""
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.disk))) / "data"
        began = time.perf_counter()
        filled = fill(options.filled or folder, options.subjects, Noon())
        if options.filled:  # Every run begins with the same, and with no places held.
            shutil.copytree(options.filled, folder)
        print(f"{filled.subjects:,} people on record ({time.perf_counter() - began:.0f} s)")
        os.sched_setaffinity(0, {LOAD_CORE})
        bench = stack.enter_context(_served(folder, filled))
        figures = _measure(bench, options)
        about = machine(folder)
    _show(figures, about)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, **figures}, indent=1) + "\n")


@dataclass(frozen=True)
class Bench:
    """A service that runs, and what is asked of it."""

    folder: Path
    filled: Filled
    process: int
    host: str
    port: int

    def requests(self, path: str, count: int, seed: int) -> list[bytes]:
        """Checks of people drawn at random; equal seeds draw equal people."""
        draw = random.Random(seed)
        return [
            request_of(path, self.filled.token, body_of(draw.randrange(self.filled.subjects)))
            for _ in range(count)
        ]

    def turns(self) -> tuple[float, float]:
        """How many requests the writer has had, and in how many turns."""
        with urllib.request.urlopen(f"http://{self.host}:{self.port}/metrics") as answer:
            found = dict(TURNS.findall(answer.read()))
        return float(found[b"sum"]), float(found[b"count"])


def body_of(person: int) -> bytes:
    """A marketing message to this person, at once."""
    return msgspec.json.encode(
        {
            "sender": SENDER,
            "recipient": {"address": number_of(person)},
            "message": {
                "channel": "sms",
                "purpose": "marketing",
                "from": "+12125550100",
                "text": TEXT,
            },
            "reference": f"campaign-7/row-{person}",
        }
    )


def _measure(bench: Bench, options: argparse.Namespace) -> dict[str, object]:
    rounds = _rounds(bench, options)
    figures: dict[str, object] = {"subjects": bench.filled.subjects, "connections": CONNECTIONS}
    figures |= {path: _summary(runs) for path, runs in rounds.items()}
    for name, path in (("ratio", FLOOR), ("all countries to one", ONE_COUNTRY)):
        pairs = list(zip(rounds[CHECKS], rounds[path], strict=True))
        figures[name] = statistics.median(ours.rate / floor.rate for (ours, _), (floor, _) in pairs)
        figures[f"{name}, by processor time"] = statistics.median(
            (floor_cpu / floor.answered) / (ours_cpu / ours.answered)
            for (ours, ours_cpu), (floor, floor_cpu) in pairs
        )
    half = statistics.median(tally.rate for tally, _ in rounds[CHECKS]) / 2
    figures["half load"] = _at_rate(bench, half, options.seconds * 2)
    figures["idle"] = _idle(bench)
    figures["fsync ms p50 p99"] = [1000 * seconds for seconds in fsync_seconds(bench.folder)]
    return figures


def _rounds(bench: Bench, options: argparse.Namespace) -> dict[str, list[tuple[Tally, float]]]:
    """Run every path in turn, as often as asked, after one round that does not count."""
    paths = (FLOOR, CHECKS, ONE_COUNTRY)
    measured: dict[str, list[tuple[Tally, float]]] = {path: [] for path in paths}
    load = Connections(bench.host, bench.port, CONNECTIONS)
    seeds = itertools.count()
    for number in range(options.rounds + 1):
        for path in paths:
            # Others' people each time: those of the round before are still in the cache.
            seed = next(seeds)
            requests = bench.requests(path, int(12_000 * options.seconds), seed)
            turns, cpu = bench.turns(), cpu_seconds(bench.process)
            tally = load.closed_loop(requests, options.seconds if number else 1.0)
            cpu = cpu_seconds(bench.process) - cpu
            if number:
                measured[path].append((tally, cpu))
            _say(path, number, tally, cpu, _batch(turns, bench.turns()))
    load.close()
    return measured


def _say(path: str, number: int, tally: Tally, cpu: float, batch: float) -> None:
    share = tally.allowed / tally.answered
    assert path == FLOOR or 0.4 < share < 0.6, f"{share:.0%} were allowed"
    print(
        f"  round {number or 'of warming up'}: {path:28} {tally.rate:7,.0f}/s, "
        f"{1e6 * cpu / tally.answered:5.0f} us of processor each, turns of {batch:.0f}"
    )


def _summary(runs: Sequence[tuple[Tally, float]]) -> dict[str, float]:
    return {
        "a second": statistics.median(tally.rate for tally, _ in runs),
        "processor us": statistics.median(1e6 * cpu / tally.answered for tally, cpu in runs),
        "p50 ms": statistics.median(1000 * tally.percentile(0.5) for tally, _ in runs),
        "p99 ms": statistics.median(1000 * tally.percentile(0.99) for tally, _ in runs),
        "allowed": sum(t.allowed for t, _ in runs) / sum(t.answered for t, _ in runs),
    }


def _at_rate(bench: Bench, rate: float, seconds: float) -> dict[str, float]:
    """Requests that come when they come (Poisson), timed from when each was meant to start."""
    count = int(rate * seconds)
    draw = random.Random(7)
    load = Connections(bench.host, bench.port, CONNECTIONS)
    turns = bench.turns()
    tally = load.open_loop(
        bench.requests(CHECKS, count, seed=7), [draw.expovariate(rate) for _ in range(count)]
    )
    batch = _batch(turns, bench.turns())
    load.close()
    return {
        "a second": tally.rate,
        "p50 ms": 1000 * tally.percentile(0.5),
        "p99 ms": 1000 * tally.percentile(0.99),
        "turns of": batch,
    }


def _idle(bench: Bench) -> dict[str, float]:
    """One check at a time, with nothing else going on."""
    load = Connections(bench.host, bench.port, 1)
    requests = bench.requests(CHECKS, IDLE_CHECKS, seed=8)
    tally = load.open_loop(requests, [IDLE_GAP_SECONDS] * IDLE_CHECKS)
    load.close()
    return {"p50 ms": 1000 * tally.percentile(0.5), "p99 ms": 1000 * tally.percentile(0.99)}


def _batch(before: tuple[float, float], after: tuple[float, float]) -> float:
    return (after[0] - before[0]) / max(1.0, after[1] - before[1])


@contextlib.contextmanager
def _served(folder: Path, filled: Filled) -> Iterator[Bench]:
    """A service in a process of its own, on its own core."""
    command = [sys.executable, "-m", "bench._gate", str(folder), str(SERVER_CORE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            listening = process.stdout.readline().split()
            assert listening, "the service did not start"
            host, port = listening[1].removeprefix("http://").rsplit(":", 1)
            yield Bench(folder, filled, process.pid, host, int(port))
        finally:
            process.terminate()
            process.wait()


def _show(figures: dict[str, object], about: dict[str, str]) -> None:
    print()
    for name, what in about.items():
        print(f"{name:36} {what}")
    print(f"{'cores':36} service on {SERVER_CORE}, load generator on {LOAD_CORE}")
    print(f"{'durability':36} SQLite WAL, synchronous=FULL, each decision before its answer")
    for name, value in figures.items():
        print(f"{name:36} {_words(value)}")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {figure:,.2f}" for name, figure in value.items())
    if isinstance(value, list):
        return ", ".join(f"{figure:.2f}" for figure in value)
    return f"{value:.2f}" if isinstance(value, float) else f"{value}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--subjects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--disk", type=Path, default=Path(), help="a folder on the disk to use")
    parser.add_argument("--filled", type=Path, help="a folder of people, kept for other runs")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
