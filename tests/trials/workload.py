"""A service in one process that records opt-outs one after another and says which it acknowledged.

Run as ``python -m tests.trials.workload FOLDER KEY COUNT``. Prints ``ready`` when the service has
started, then a line for each acknowledged opt-out: its event id.
"""

import asyncio
import sys
from pathlib import Path

import httpx

from api.app import create_app, open_components
from api.settings import Settings


def say(line: str) -> None:
    """Tell whoever started this process, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def record(folder: Path, key: str, count: int) -> None:
    """Ask for ``count`` opt-outs; stop at the first that the service refuses."""
    with open_components(Settings(data=folder, log_requests="none")) as components:
        doors = create_app(components)
        transport = httpx.ASGITransport(doors.network)  # type: ignore[arg-type]
        client = httpx.AsyncClient(
            transport=transport,
            base_url="http://service.example",
            headers={"Authorization": f"Bearer {key}"},
        )
        async with doors.litestar.lifespan(), client:
            say("ready")
            for number in range(count):
                body = {"address": f"p{number}@example.com", "via": "link"}
                answer = await client.post("/v1/opt-outs", json=body)
                if answer.status_code != 201:
                    say(f"refused {answer.status_code}")
                    return
                say(answer.json()["id"])


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
