"""One of several processes that write to the same organisation: ``folder url organisation name``.

It says that it is ready, waits for the word to begin, records its events through an application of
its own, and prints the receipts.
"""

import asyncio
import json
import sys
from pathlib import Path

from api.roles import Role
from tests.support.service import running_service

EVENTS = 60


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def write(folder: Path, url: str, organisation: str, name: str) -> list[list[object]]:
    async with running_service(folder, database_url=url) as service:
        headers = await service.as_(organisation, Role.COLLECTOR)
        say("ready")
        sys.stdin.readline()

        async def record(number: int) -> list[object]:
            # Half of the addresses are everybody's, so that all make and meet the same persons.
            whose = "shared" if number % 2 else name
            body = {"address": f"{whose}-{number}@example.com", "via": "other"}
            answer = await service.client.post("/v1/opt-outs", json=body, headers=headers)
            assert answer.status_code == 201, answer.text
            receipt = answer.json()
            return [receipt["index"], receipt["id"], receipt["leaf_hash"]]

        receipts = []
        for start in range(0, EVENTS, 5):
            receipts += await asyncio.gather(*map(record, range(start, start + 5)))
        return receipts


if __name__ == "__main__":
    data, database, whose_log, who = sys.argv[1:]
    say(json.dumps(asyncio.run(write(Path(data), database, whose_log, who))))
