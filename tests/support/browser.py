"""A real browser, the machine's own Chromium: nothing is downloaded.

A test that wants it says so and is left out where there is none; CI installs it and leaves
none out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",  # Where tests run as root it would not start.
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def chromium() -> str | None:
    """Where the browser is, if there is one."""
    return next((path for name in _NAMES if (path := which(name)) is not None), None)


wants_browser = pytest.mark.skipif(
    chromium() is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"
)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start it; it is gone at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
