"""What a figure was measured on, and what a process has used of it."""

import os
import platform
import sqlite3
import time
from pathlib import Path

FSYNCS = 200


def machine(folder: Path) -> dict[str, str]:
    """The machine in words, and what decides how fast it is."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "file system": _file_system(folder),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def fsync_seconds(folder: Path) -> tuple[float, float]:
    """How long the disk takes to keep 4 KiB for good: the median, and the 99th in a hundred."""
    path = folder / "fsync.probe"
    taken = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for place in range(FSYNCS):
            began = time.perf_counter()
            os.pwrite(descriptor, b"\x5a" * 4096, place * 4096)
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    taken.sort()
    return taken[FSYNCS // 2], taken[FSYNCS * 99 // 100]


def cpu_seconds(process: int) -> float:
    """The time that a process has had on a core, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return "unknown"
