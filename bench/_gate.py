"""The service of ``bench/checks.py``: ours, with a floor beside it. ``python -m bench._gate``."""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from litestar import post
from litestar.params import JSONBody

from api import serving
from api.app import ROUTES, Components, create_app, open_components
from api.call import Answer, Call, unchanged
from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import CheckMessages, Gate
from api.roles import Role, open_to
from api.settings import Settings
from api.v1.checks import CheckRequest
from api.work import Reply
from audit.permits import PermitSigner
from bench._people import Noon
from jurisdictions.releases import release_of

FLOOR = "/v1/floor"
ONE_COUNTRY = "/v1/checks-of-one-country"


def main() -> None:
    """Serve from the folder given, on the core given."""
    folder, core = Path(sys.argv[1]), int(sys.argv[2])
    os.sched_setaffinity(0, {core})
    settings = Settings(data=folder, port=0)
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        open_components(settings, clock=Noon(), log_stream=nowhere) as components,
    ):
        routes = (*ROUTES, _floor(), _one_country(components))
        serving.run(create_app(components, routes=routes), components, on_start=_tell)


def _tell(address: str, _: str | None) -> None:
    print("listening", address, flush=True)


def _floor() -> Any:
    """A route of the same guard that reads the same body and has nothing to decide."""
    reply = Reply(200, msgspec.json.encode({"verdict": "deny", "reasons": []}))

    @post(FLOOR, status_code=200, opt=open_to(Role.SENDER), include_in_schema=False)
    async def post_floor(data: JSONBody[CheckRequest]) -> Answer[CheckAnswer]:
        assert data.sender, "the body was read"
        return Answer(reply)

    return post_floor


def _one_country(components: Components) -> Any:
    """The same check with the law of the United States alone."""
    everything = components.release
    release = release_of(
        "one-country",
        "0" * 64,
        [one for one in everything.regulations if one.head.jurisdiction.startswith("US")],
    )
    work = CheckMessages(
        Gate(
            release=release,
            keys=components.keys,
            registries=components.registries,
            permits=PermitSigner(*components.keys.permit_key()),
        )
    )

    @post(ONE_COUNTRY, status_code=200, opt=open_to(Role.SENDER), include_in_schema=False)
    async def post_one_country(data: JSONBody[CheckRequest], request: Call) -> Answer[CheckAnswer]:
        check = data.to_check(request.caller, release.with_sheet)
        return await request.write(work, check, shape=unchanged)

    return post_one_country


if __name__ == "__main__":
    main()
