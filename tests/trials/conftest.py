"""How long a trial lasts: short in CI, as long as one likes by option."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=100, help="how often the kill loop kills")
    parser.addoption(
        "--faults", type=int, default=2, help="at how many calls of a run a disk fault is tried"
    )
    parser.addoption(
        "--flips", type=int, default=300, help="in how many places of a database a bit is flipped"
    )
    parser.addoption(
        "--every-byte", action="store_true", help="flip a bit of every byte of SQLite's file: hours"
    )
    parser.addoption(
        "--lives", type=int, default=12, help="how many lives of a service Hypothesis makes up"
    )
    parser.addoption(
        "--shrink", action="store_true", help="look for the shortest life that fails: minutes"
    )
    parser.addoption(
        "--trial-seconds", type=int, default=75, help="after so long a trial stops adding faults"
    )
    parser.addoption("--replays", type=int, default=600, help="how many decisions are made again")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were really hit: a trial that broke nothing proves nothing."""
    for report in terminalreporter.getreports("passed"):
        for name, told in report.user_properties:
            if name == "trial" and report.when == "call":
                terminalreporter.write_line(f"trial: {report.nodeid}: {told}")
