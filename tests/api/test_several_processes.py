"""Four processes write to one organisation at once: one log, without gaps, and nothing lost."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.ledger import tables, tree
from consent.ledger.leaf import Log
from tests.support import databases
from tests.support.project import PROJECT
from tests.support.service import running_service
from tests.support.writing_process import EVENTS

PROCESSES = 4


async def found(folder: Path, url: str) -> str:
    async with running_service(folder, database_url=url) as service:
        return await service.new_organisation()


@pytest.mark.slow
def test_four_processes_share_a_log_without_gaps_or_losses(
    postgres_server: databases.PostgresServer, tmp_path: Path
) -> None:
    with postgres_server.database(databases.TEMPLATE) as url:
        organisation = asyncio.run(found(tmp_path, url))
        arguments = [sys.executable, "-m", "tests.support.writing_process", str(tmp_path), url]
        processes = [
            subprocess.Popen(
                [*arguments, organisation, f"process{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=PROJECT,
            )
            for number in range(PROCESSES)
        ]
        try:
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("begin\n")
                process.stdin.flush()
            said = [process.communicate(timeout=120)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        receipts = [receipt for out in said for receipt in json.loads(out)]
        assert len(receipts) == PROCESSES * EVENTS
        indexes = [index for index, _, _ in receipts]
        assert sorted(indexes) == list(range(PROCESSES * EVENTS))
        # They really wrote at the same time: no process has a stretch of the log to itself.
        first = sorted(index for index, _, _ in json.loads(said[0]))
        assert first != list(range(first[0], first[0] + EVENTS))
        engine = databases.open_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(
                sa.select(tables.log_entry)
                .where(tables.log_entry.c.log == Log.CONSENT.value)
                .order_by(tables.log_entry.c.idx)
            ).all()
            head = connection.execute(
                sa.select(tables.log_head.c.size).where(
                    tables.log_head.c.log == Log.CONSENT.value,
                    tables.log_head.c.organisation == organisation,
                )
            ).scalar_one()
            people = connection.execute(sa.select(tables.subject.c.head_seq)).scalars().all()
        engine.dispose()
        assert head == len(rows) == PROCESSES * EVENTS
        stored = {(row.idx, f"evt_{row.event_id.hex()}", row.leaf_hash.hex()) for row in rows}
        assert stored == {tuple(receipt) for receipt in receipts}
        assert all(tree.leaf_hash(row.leaf) == row.leaf_hash for row in rows)
        # Half of the addresses are shared by all four, and each is one person all the same.
        own = PROCESSES * EVENTS // 2
        assert sorted(people) == [1] * own + [PROCESSES] * (EVENTS // 2)
