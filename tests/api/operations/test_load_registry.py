"""Loading registers: a copy is for good, and the next check reads it."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.load_registry import LoadRegistry
from consent.errors import RegistryConflictError, RegistryFileError
from consent.registries.snapshots import Prepared, Snapshot
from rules.vocabulary import Channel
from tests.support import gates
from tests.support.gates import BY_DAY, Desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)


def a_copy(desk: Desk, rows: str = "", *, as_of: date = date(2026, 11, 20)) -> Prepared:
    content = f"address,listed\n{rows}".encode()
    return desk.gate.registries.prepare(desk.organisation, "us-test", as_of, BytesIO(content))


def test_the_next_check_reads_what_was_loaded(desk: Desk) -> None:
    work = LoadRegistry(desk.gate.registries)
    (loaded,) = work.run_many(desk.connection, [a_copy(desk, "+12125550123,true\n")], now=BY_DAY)
    assert isinstance(loaded, Snapshot)
    answer = desk.check_one(desk.a_check(channel=Channel.VOICE, text=None))
    assert [reason.code for reason in answer.reasons] == ["registry_listed"]
    assert answer.freshness["us-test"] == "2026-11-20"


def test_a_day_has_one_copy(desk: Desk) -> None:
    work = LoadRegistry(desk.gate.registries)
    copies = [a_copy(desk), a_copy(desk), a_copy(desk, "+12125550123,true\n")]
    first, same, other = [work.run_many(desk.connection, [copy], now=BY_DAY)[0] for copy in copies]
    assert isinstance(first, Snapshot)
    assert same == first
    assert isinstance(other, RegistryConflictError)


def test_no_copy_is_of_a_day_that_has_come_nowhere(desk: Desk) -> None:
    (refused,) = LoadRegistry(desk.gate.registries).run_many(
        desk.connection, [a_copy(desk, as_of=date(2026, 11, 23))], now=BY_DAY
    )
    assert isinstance(refused, RegistryFileError)
