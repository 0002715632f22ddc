"""A service in a process of its own, on a free port of loopback, with everything it prints kept."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from api.data_folder import DataFolder
from consent.keys.key_ring import KeyRing

# Prints its address, for it asks for any port that is free.
SERVE = """
import sys
from pathlib import Path
from api.serving import serve
from api.settings import Settings

def tell(address, read_only):
    print("listening", address, flush=True)

url, base = (*sys.argv[2:], "", "")[:2]
settings = Settings(
    data=Path(sys.argv[1]), database_url=url or None, public_base_url=base or None, port=0
)
serve(settings, on_start=tell)
"""


def address_of(process: "subprocess.Popen[str]") -> str:
    """Wait until the service takes requests; give its address."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("listening "):
            return line.split()[1]
    process.wait()
    assert process.stderr is not None
    raise AssertionError(f"the service did not start:\n{process.stderr.read()}")


@dataclass
class Served:
    """A service that runs, or ran."""

    folder: DataFolder
    address: str
    process: "subprocess.Popen[str]"
    printed: str = ""

    def operator(self) -> httpx.Client:
        """A client at the door for commands."""
        transport = httpx.HTTPTransport(uds=str(self.folder.socket))
        return httpx.Client(transport=transport, base_url="http://service.example")

    def stop(self) -> int:
        """Ask it to stop, and keep what it printed; give its exit status."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=60)
        self.printed += out + err
        return self.process.returncode


@contextmanager
def served(folder: Path, *, base_url: str = "") -> Iterator[Served]:
    """Make keys in ``folder`` and serve; whatever happens, nothing is left running.

    ``base_url``: how recipients are told to reach it.
    """
    KeyRing.create(folder, at=datetime(2026, 1, 1, tzinfo=UTC))
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), "", base_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        address = address_of(process)
        yield Served(DataFolder(folder), address, process, f"listening {address}\n")
    finally:
        process.kill()
        process.communicate()
