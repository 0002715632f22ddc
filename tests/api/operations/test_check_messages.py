"""Checks: what is decided, what goes on record, and what a permit is worth."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.consents import ANN, an_event
from tests.support.gates import Desk, desk as a_desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with a_desk(engine, tmp_path) as made:
        yield made


def test_x(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    desk = desk.at(desk.now + timedelta(hours=3))
    answer = desk.check_one(desk.a_check())
    print(answer)
    raise SystemExit
