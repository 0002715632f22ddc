"""Commands of the command line, run in this process, and services run by them."""

import contextlib
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli.main import run
from tests.support.project import PROJECT

COMMAND = (sys.executable, "-c", "from api.cli.main import main; main()")

STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its records, each a line of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def record(self) -> dict[str, Any]:
        """Its only record, of a command that did what it should."""
        assert self.code in (0, 1), self.err
        (record,) = self.records
        return record


class Terminal(io.StringIO):
    """What takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def command(*arguments: object, stdin: str | None = None, on_terminal: bool = False) -> Ran:
    """Run one command here, with its output in a pipe or on a terminal."""
    out: io.StringIO = Terminal() if on_terminal else io.StringIO()
    err = io.StringIO()
    before = sys.stdin
    sys.stdin = Terminal() if stdin is None else io.TextIOWrapper(io.BytesIO(stdin.encode()))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(argument) for argument in arguments])
    finally:
        sys.stdin = before
    return Ran(code, STYLE.sub("", out.getvalue()), err.getvalue())


@dataclass
class Serving:
    """A service that ``cleartosend serve`` runs in a process of its own."""

    process: "subprocess.Popen[str]"
    announced: dict[str, Any]

    def stop(self) -> int:
        """Ask it to stop; give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Serving]:
    """Serve ``folder`` on a free port until the context ends."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--data", str(folder), "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if "address" in said:
                yield Serving(process, said)
                break
        else:
            _, err = process.communicate()
            raise AssertionError(f"the service did not start: {err}")
    finally:
        process.kill()
        process.communicate()
