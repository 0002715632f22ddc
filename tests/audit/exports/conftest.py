"""A ledger to cut bundles from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.bundles import Ledger, a_ledger
from tests.support.consents import a_key_ring


@pytest.fixture
def ledger(engine: sa.Engine, tmp_path: Path) -> Iterator[Ledger]:
    """Eight entries of Ann, and eight of Bob between them; on both databases."""
    with a_ledger(engine, a_key_ring(tmp_path / "keys")) as one:
        yield one
