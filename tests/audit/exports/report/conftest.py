"""Bundles of persons on SQLite: what is made of a trail knows of no database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.consents import ANN
from tests.support.exports import export_of, public_keys
from tests.support.gates import BY_DAY, Desk, desk
from tests.support.lives import Lived, live_in_four_countries


@pytest.fixture
def one(migrated_sqlite_file: Path, tmp_path: Path) -> Iterator[Desk]:
    """A gate, and nobody on record."""
    shutil.copyfile(migrated_sqlite_file, tmp_path / "ledger.sqlite")
    engine = databases.open_engine(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)
    engine.dispose()


@pytest.fixture(scope="package")
def lived(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Thirty events of Ann in four countries, and her bundle."""
    folder = tmp_path_factory.mktemp("lived")
    shutil.copyfile(migrated_sqlite_file, folder / "ledger.sqlite")
    engine = databases.open_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    with desk(engine, folder) as made:
        one = live_in_four_countries(made)
        bundle = export_of(one, folder, whose=ANN)
        keys = public_keys(one)
    engine.dispose()
    return Lived(bundle, keys)
