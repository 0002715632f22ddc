"""An export takes as much memory for many entries as for few."""

import tracemalloc
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.bundles import a_ledger
from tests.support.consents import a_key_ring
from tests.support.exports import export_to_nowhere


@pytest.mark.slow
def test_memory_does_not_grow_with_the_entries(
    migrated_sqlite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.exports.telling.AT_ONCE", 50)
    peaks = [_peak(migrated_sqlite_file, tmp_path / str(count), count) for count in (400, 2000)]
    # What grows is a hash for each full tile above the lowest level, and the names of tiles.
    assert peaks[1] < 1.25 * peaks[0], peaks


def _peak(migrated: Path, folder: Path, count: int) -> int:
    folder.mkdir()
    (folder / "ledger.sqlite").write_bytes(migrated.read_bytes())
    engine = databases.open_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    with a_ledger(engine, a_key_ring(folder / "keys"), events=count // 2) as ledger:
        export_to_nowhere(ledger.recorder, folder)  # What is made once is not what is measured.
        tracemalloc.start()
        try:
            export_to_nowhere(ledger.recorder, folder)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            engine.dispose()
