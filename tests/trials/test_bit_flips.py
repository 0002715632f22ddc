"""A bit flipped anywhere: named by ``ledger fsck``, or shown to be of no consequence.

On SQLite bits of the file are flipped, page by page; on both databases bits of every column. What
nobody names must read as before, or stand in ``NOT_EVIDENCE``, which says what it can do.
"""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consent.fsck.damage import Kind
from rules.errors import ComplianceError
from tests.support.databases import BACKENDS
from tests.support.tampering import take_guards_away
from tests.trials.whole_ledger import Sites, WholeLedger

pytestmark = pytest.mark.trial

PAGE = 8192
SEED = 20261121
NOT_EVIDENCE = {
    "api_key": "who may ask: a key that differs opens nothing; roles are the operator's word",
    "cap_hold": "a place is held for ten minutes, and may be given back too early",
    "decision_alias": "leads to what a stranger was told; the decisions themselves are in the log",
    "idempotency": "an answer is sealed, and one that does not open is not given again",
    "organisation": "names and times for people",
    "person": "names and times for people",
    "registry_snapshot": "which copy of a register was read is in each decision, by its digest",
    "sender": "the operator's own settings; what was sent in whose name is in each decision",
    "sending_report": "what was reported is in the log; here stands that it was",
    "checkpoint.signed_at": "no signature covers it",
    "log_head.epoch": "fences a writer that was paused; nothing is read by it",
    "subject.erased_at": "when a person was erased is in the log; here stands that they were",
    "subject_alias.valid_from": "since when an address is known; that it is theirs is checked",
}
"""Tables and columns in which nobody notices a flip, and what it can do there."""

UNREAD = "free or unread bytes"

Table = tuple[list[str], list[tuple[Any, ...]]]
Content = dict[str, Table]


@dataclass
class Told:
    """What became of the flips."""

    hit: int = 0
    by: Counter[str] = field(default_factory=Counter)
    unnoticed: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        named = ", ".join(f"{count} by {what}" for what, count in self.by.most_common())
        passed = ", ".join(f"{count} in {what}" for what, count in self.unnoticed.most_common())
        return f"{self.hit} flips hit: {named}; of no consequence to the log: {passed or 'none'}"


@pytest.fixture(params=BACKENDS)
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sites]:
    server = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
    with ExitStack() as stack:
        yield Sites(stack, tmp_path, server)


def named_by(ledger: WholeLedger) -> str | None:
    """What noticed a damage: a kind of ``fsck``'s, or the opening; None if nothing did."""
    try:
        damages = ledger.inspect()
    except ComplianceError as error:
        return f"opening ({error.code})"
    kinds = [one.kind for one in damages if one.kind is not Kind.GUARD]
    return f"fsck ({kinds[0]})" if kinds else None


def not_evidence(place: str) -> str | None:
    """Under which name ``NOT_EVIDENCE`` has a column."""
    return next((name for name in (place, place.partition(".")[0]) if name in NOT_EVIDENCE), None)


@pytest.mark.parametrize("sites", ["sqlite"], indirect=True)
def test_a_flipped_bit_of_the_file_is_named_or_reads_as_before(
    sites: Sites,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    ledger = sites.make()
    assert ledger.inspect() == []
    before, whole = content_of(ledger.file), ledger.file.read_bytes()
    told, until = Told(), time.monotonic() + pytestconfig.getoption("--trial-seconds")
    every_byte = pytestconfig.getoption("--every-byte")
    chance = random.Random(SEED)
    places = range(len(whole)) if every_byte else sample(len(whole), pytestconfig, chance)
    for place in places:
        bit = 1 << chance.randrange(8)
        flip_in_file(ledger.file, place, whole[place] ^ bit)
        assert ledger.file.read_bytes()[place] == whole[place] ^ bit
        told.hit += 1
        named = named_by(ledger)
        if named is not None:
            told.by[named] += 1
        else:
            for what in differences(before, ledger.file):
                where = UNREAD if what == UNREAD else not_evidence(what)
                assert where is not None, f"byte {place}, bit {bit}: {what}, and nobody noticed"
                told.unnoticed[where] += 1
        flip_in_file(ledger.file, place, whole[place])
        if not every_byte and time.monotonic() > until:
            break
    assert told.hit >= 100
    assert len(told.by) >= 5, "flips of many kinds were noticed"
    assert ledger.inspect() == []
    record_property("trial", str(told))


def sample(size: int, pytestconfig: pytest.Config, chance: random.Random) -> list[int]:
    """Places in every page, as many in each."""
    pages = size // PAGE
    count = pytestconfig.getoption("--flips")
    return [n % pages * PAGE + chance.randrange(PAGE) for n in range(max(count, pages))]


def flip_in_file(file: Path, place: int, byte: int) -> None:
    for beside in file.parent.glob(f"{file.name}-*"):
        beside.unlink()
    with file.open("r+b") as opened:
        opened.seek(place)
        opened.write(bytes([byte]))


def content_of(file: Path) -> Content:
    """Every row of every table, read from the tables themselves and by no index."""
    found: Content = {}
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        for (raw,) in connection.execute(query).fetchall():
            name = raw.decode()
            columns = [row[1].decode() for row in connection.execute(f"PRAGMA table_info({name})")]
            found[name] = (
                columns,
                connection.execute(f"SELECT * FROM {name} NOT INDEXED").fetchall(),
            )
    return found


def differences(before: Content, file: Path) -> set[str]:
    """In which columns a file reads otherwise than before; never an empty set."""
    now = content_of(file)
    if now == before:
        return {UNREAD}
    assert now.keys() == before.keys(), "a table is gone, and nobody noticed"
    found = set()
    for name, (columns, rows) in before.items():
        assert now[name][0] == columns, f"a column of {name} is gone, and nobody noticed"
        there = now[name][1]
        if len(there) != len(rows):
            found.add(name)
        for row, other in zip(rows, there, strict=False):
            changed = [c for c, a, b in zip(columns, row, other, strict=True) if a != b]
            found |= {f"{name}.{column}" for column in changed}
    return found


def test_a_flipped_bit_of_every_column_is_named(
    sites: Sites,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    ledger = sites.make()
    told, until = Told(), time.monotonic() + pytestconfig.getoption("--trial-seconds")
    chance = random.Random(SEED)
    columns = columns_of(ledger)
    tried: set[str] = set()
    while told.hit < max(pytestconfig.getoption("--flips"), len(columns)):
        for place in columns:
            restore = flip_in_column(ledger, place, chance)
            if restore is None:
                told.by["the database (refused)"] += 1
                continue
            tried.add(place)
            told.hit += 1
            named = named_by(ledger)
            if named is None:
                where = not_evidence(place)
                assert where is not None, f"{place}: nobody noticed; fsck has to, or NOT_EVIDENCE"
                told.unnoticed[where] += 1
            else:
                told.by[named] += 1
            restore()
        if time.monotonic() > until:
            break
    assert len(tried) > len(columns) * 3 // 4, "most columns can be changed"
    assert {one.kind for one in ledger.inspect()} <= {Kind.GUARD}
    record_property("trial", str(told))


def columns_of(ledger: WholeLedger) -> list[str]:
    """Every column in which there is something."""
    engine = ledger.engine()
    with engine.begin() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        found = [
            f"{table.name}.{column.name}"
            for table in metadata.sorted_tables
            for column in table.columns
            if connection.execute(sa.select(sa.func.count(column))).scalar_one()
        ]
    engine.dispose()
    return found


def flip_in_column(
    ledger: WholeLedger, place: str, chance: random.Random
) -> Callable[[], None] | None:
    """Flip a bit in some row's column, as the database's owner; give what undoes it.

    None: the database refuses it, because the row would be another one's double.
    """
    name, _, column = place.partition(".")
    engine = ledger.engine()
    kept = None if ledger.url else ledger.file.read_bytes()
    try:
        with engine.begin() as connection:
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            chosen = table.c[column]
            rows = connection.execute(sa.select(table).where(chosen.is_not(None))).mappings()
            row = chance.choice([row for row in rows if row[column] not in (b"", "")])
            flipped = flip(row[column], chance)
            take_guards_away(connection)
            this = [table.c[key.name] == row[key.name] for key in table.primary_key]
            done = connection.execute(sa.update(table).where(*this).values({column: flipped}))
            assert done.rowcount == 1, "the fault did not happen"
    except (sa.exc.IntegrityError, sa.exc.DataError):
        return None
    finally:
        engine.dispose()
    assert flipped != row[column]

    def restore() -> None:
        if kept is not None:
            for beside in ledger.file.parent.glob(f"{ledger.file.name}-*"):
                beside.unlink()
            ledger.file.write_bytes(kept)
            return
        now = dict(row) | {column: flipped}
        undoing = ledger.engine()
        with undoing.begin() as connection:
            take_guards_away(connection)
            same = [table.c[key.name] == now[key.name] for key in table.primary_key]
            back = sa.update(table).where(*same).values({column: row[column]})
            assert connection.execute(back).rowcount == 1
        undoing.dispose()

    return restore


def flip(value: Any, chance: random.Random) -> Any:
    """The same with one bit another one; of a letter the lowest, so that it stays a text."""
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(16)
    if isinstance(value, str):
        place = chance.randrange(len(value))
        return value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
    place = chance.randrange(len(value))
    byte = value[place] ^ 1 << chance.randrange(8)
    return bytes(value[:place]) + bytes([byte]) + bytes(value[place + 1 :])
