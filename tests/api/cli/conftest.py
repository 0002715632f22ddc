"""A data folder that nobody serves, and one that a running service holds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import command, serving

SENDER = {"name": "Acme", "country": "US", "registrations": []}


@pytest.fixture(
    scope="module",
    params=["opened", pytest.param("served", marks=pytest.mark.slow)],
)
def folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder with one organisation; commands open it, or ask the service that holds it."""
    made = tmp_path_factory.mktemp("commands") / "data"
    assert command("init", "--data", made).code == 0
    if request.param == "opened":
        yield made
        return
    with serving(made):
        yield made
