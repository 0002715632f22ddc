"""Looking a whole ledger through: time and processor an entry, and memory, flat in their number.

``./dev bench fsck [ENTRIES]`` fills a data folder with that many consent events (one million) of
two thirds as many people, each sealed under its person's key, signs the log, and looks it through
in a process of its own with what ``cleartosend ledger fsck`` runs, every payload opened; that one
shares the work out to others where there is enough of it. It does the same for a hundredth of the
entries, to hold the memory of both beside each other.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from api.data_folder import DataFolder
from api.database import writing_engine
from bench._machine import machine
from bench._people import Noon, fill
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints
from consent.ledger.checkpoints import Rereader, SignedCheckpoint
from consent.ledger.vault import Vault

LIMIT_US_AN_ENTRY = 60.0
MESSAGES_EVERY = 50_000

# The kernel's own figure for this program; what it forgets of before it began, getrusage does not.
_PROGRAM = """
import json, re, resource, sys, time
from pathlib import Path
from api.operations.upkeep.check_ledger import inspection
from api.settings import Settings

done, told, began = 0, 0, time.perf_counter()

def progress(more):
    global done, told
    done += more
    if done - told >= int(sys.argv[2]):
        told = done
        seconds = time.perf_counter() - began
        print(f"  {done:,} of {look.total:,} entries and persons, {seconds:.0f} s", file=sys.stderr)

with inspection(Settings(data=Path(sys.argv[1])), processes=int(sys.argv[3]) or None) as look:
    damages = sum(1 for _ in look.damages(progress))
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
peak = int(re.search("VmHWM:\\\\s+(\\\\d+)", open("/proc/self/status").read())[1])
print(json.dumps({
    "damages": damages,
    "done": done,
    "seconds": time.perf_counter() - began,
    "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
    "peak_mib": peak / 1024,
    "peak_mib_of_another": used[1].ru_maxrss / 1024,
}))
"""


def main() -> None:
    """Measure, and print what came out as JSON, a record a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--filled", type=Path, help="keep the filled folders here for other runs")
    parser.add_argument("--disk", type=Path, help="make them here instead of the system's place")
    parser.add_argument("--processes", type=int, default=0, help="as fsck has it by itself: 0")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = options.filled
        if home is None:
            made = tempfile.TemporaryDirectory(dir=options.disk)
            home = Path(stack.enter_context(made))
        for entries in (max(options.entries // 100, 3), options.entries):
            people = entries * 2 // 3
            folder = home / f"of-{people}"
            began = time.perf_counter()
            fill(folder, people, Noon())
            _sign(folder)
            _say(f"{entries:,} entries of {people:,} people, {time.perf_counter() - began:.0f} s")
            print(json.dumps(_measure(folder, entries, options.processes)), flush=True)
        print(json.dumps(machine(home)), flush=True)


def _measure(folder: Path, entries: int, processes: int) -> dict[str, object]:
    given = [str(folder), str(MESSAGES_EVERY), str(processes)]
    command = [sys.executable, "-c", _PROGRAM, *given]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    found = json.loads(done.stdout)
    assert found["damages"] == 0, "what was just recorded is whole"
    return {
        "entries": entries,
        "entries_and_persons": found["done"],
        "database_mib": round(DataFolder(folder).database.stat().st_size / 2**20, 1),
        "seconds": round(found["seconds"], 2),
        "cpu_seconds": round(found["cpu_seconds"], 2),
        "us_an_entry": round(1e6 * found["seconds"] / entries, 1),
        "cpu_us_an_entry": round(1e6 * found["cpu_seconds"] / entries, 1),
        "limit_us_an_entry": LIMIT_US_AN_ENTRY,
        "peak_mib": round(found["peak_mib"], 1),
        "peak_mib_of_another_process": round(found["peak_mib_of_another"], 1),
    }


def _sign(folder: Path) -> None:
    """Sign what grew, as the service does, so that there are checkpoints to be verified."""
    data, now = DataFolder(folder), Noon().now()
    keys, vault = KeyRing.open(folder), Vault.open(DataFolder(folder).vault)
    engine = writing_engine(data.database_url)
    with engine.begin() as connection:
        signed = []
        for head in checkpoints.read_heads(connection):
            known = checkpoints.newest(connection, head.organisation, head.log, size_max=head.size)
            if not head.size or (known is not None and known.size == head.size):
                continue
            checkpoint = Rereader().advance(connection, head, signed=None)
            note = checkpoints.sign(checkpoint, [keys.log_key(head.organisation, head.log)])
            signed.append(SignedCheckpoint(head.organisation, head.log, head.size, note, now))
        vault.put_many(signed)
        checkpoints.keep_many(connection, signed)
    engine.dispose()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
