"""A look through a ledger asks by an index: no statement of a batch reads a whole table.

One that did would answer as well, and take the square of the entries for it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from consent.fsck import entries, people, suppressions
from consent.fsck.store import inspect_strays
from tests.consent.fsck.test_fsck import Ledger, a_ledger
from tests.support import consents

BATCH = 16
SMALL = {"log_head"}
"""Four rows an organisation."""
EVERY_ROW_HAS = {"organisation", "log"}
"""What is the same in every entry of a log narrows nothing down."""

_CONSTRAINT = re.compile(r"\(([^()]*)\)")
_COLUMN = re.compile(r"([a-z_]+)\s*(?:=|<|>|IN|IS)")


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger that is looked through, in batches so small that there are many of each kind."""
    with a_ledger(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        if engine.dialect.name == "postgresql":  # Which does so by itself, now and then.
            made.connection.exec_driver_sql("ANALYZE")
        monkeypatch.setattr(people, "PEOPLE_AT_ONCE", BATCH)
        monkeypatch.setattr(entries, "ENTRIES_AT_ONCE", 256)
        monkeypatch.setattr(suppressions, "ROWS_AT_ONCE", BATCH)
        yield made


def test_no_statement_of_a_batch_reads_a_whole_table(ledger: Ledger) -> None:
    connection = ledger.connection
    asked = statements_of(ledger)
    assert len(asked) >= 10, "the look was followed"
    often = [text for text, (count, _) in asked.items() if count > 2]
    assert len(often) >= 5, "and it was one of many batches"
    wrong = []
    for text, (count, values) in asked.items():
        told = plan_of(connection, text, values)
        # What is asked once may read a table, but not once more for each row of it. How it joins
        # PostgreSQL decides by what there is.
        once = told[1:] if connection.dialect.name == "sqlite" else ()
        if any(map(is_wide, told if count > 2 else once)):
            wrong.append((count, text, told))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT leaf FROM log_entry WHERE leaf_hash = 'x'",
        "SELECT leaf FROM log_entry WHERE organisation = 'a' AND log = 'consent' ORDER BY idx",
        "SELECT event_id FROM log_payload WHERE nonce = 'x'",
    ],
)
def test_a_plan_that_reads_a_whole_table_is_told(ledger: Ledger, text: str) -> None:
    assert any(map(is_wide, plan_of(ledger.connection, text, ())))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT leaf FROM log_entry WHERE organisation = 'a' AND log = 'consent' AND idx > 7",
        "SELECT event_id FROM log_payload WHERE event_id = 'x'",
    ],
)
def test_a_plan_by_an_index_is_told_from_it(ledger: Ledger, text: str) -> None:
    assert not any(map(is_wide, plan_of(ledger.connection, text, ())))


def statements_of(ledger: Ledger) -> dict[str, tuple[int, Any]]:
    """Every statement of a whole look: how often it ran, and with what it did last."""
    counted: Counter[str] = Counter()
    values: dict[str, Any] = {}

    def follow(_: object, __: object, text: str, given: Any, ___: object, ____: bool) -> None:
        if text.lstrip().upper().startswith(("SELECT", "WITH")):
            counted[text] += 1
            values[text] = given

    connection = ledger.connection
    sa.event.listen(connection, "before_cursor_execute", follow)
    try:
        assert ledger.inspect() == []
        assert list(inspect_strays(connection, ledger.heads())) == []
    finally:
        sa.event.remove(connection, "before_cursor_execute", follow)
    return {text: (count, values[text]) for text, count in counted.items()}


def plan_of(connection: Connection, text: str, values: Any) -> list[str]:
    """A line for each table that is read, the outermost first, with what narrows it down."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
        lines = [row[3] for row in rows if row[3].startswith(("SCAN", "SEARCH"))]
        return [line for line in lines if line.split()[1] not in SMALL]
    # It would read a table of few rows whole, whatever index there is: so a row is dear here.
    for setting in ("cpu_tuple_cost", "cpu_index_tuple_cost", "cpu_operator_cost"):
        connection.exec_driver_sql(f"SET LOCAL {setting} = 1000")
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    (told,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", values or None).one()
    return [*_nodes(told[0]["Plan"])]


def _nodes(node: dict[str, Any]) -> Iterator[str]:
    if node.get("Relation Name") not in {None, *SMALL}:
        narrowed = re.sub("[()]", "", node.get("Index Cond") or node.get("Recheck Cond") or "")
        yield f"{'SEARCH' if narrowed else 'SCAN'} {node['Relation Name']} ({narrowed})"
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def is_wide(line: str) -> bool:
    """Whether a line of a plan reads all of a table, or of an organisation's log."""
    constraint = _CONSTRAINT.search(line)
    columns = set(_COLUMN.findall(constraint[1])) if constraint else set()
    return not columns - EVERY_ROW_HAS
