"""What holds for every test: no network, steady examples, and in CI nothing left out."""

import os
from typing import Any

import hypothesis
import pytest

from tests.support import no_network

IN_CI = os.environ.get("CI") == "true"

# A test never checks a time. In CI the examples are the same in every run; elsewhere new ones
# are tried each time, and what fails is kept and tried again.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("steady")

no_network.refuse()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    if IN_CI and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI leaves no test out: install what the skipped ones want")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in CI that skipped something; ``-ra`` has printed what and why."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
