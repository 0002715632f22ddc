"""Bundles to alter."""

from pathlib import Path

import pytest

from tests.support.bundles import Bundles, bundles_of


@pytest.fixture(scope="module")
def bundles(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Of eight entries of each of two persons, and of three hundred."""
    with bundles_of(migrated_sqlite_file, tmp_path_factory.mktemp("some"), events=8) as made:
        return made
