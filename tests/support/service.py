"""An application on a throw-away data folder, asked without a network."""

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from api.app import ROUTES, Components, Doors, create_app, open_components
from api.inbound.aws_sns import Fetch, fetch_https
from api.operations.upkeep.sign_checkpoints import CheckpointSigner
from api.roles import Role
from api.settings import Settings
from consent.keys.key_ring import KeyRing
from jurisdictions.releases import Release, bundled_release
from tests.support.clock import FixedClock


@dataclass
class TestService:
    """A running application, its two doors, and what it printed so far."""

    __test__ = False

    components: Components
    doors: Doors
    client: httpx.AsyncClient
    operator: httpx.AsyncClient
    clock: FixedClock
    log: io.StringIO

    @property
    def signer(self) -> CheckpointSigner:
        """What signs in the background."""
        return self.doors.signer

    async def new_organisation(self, name: str = "Acme Inc") -> str:
        """Found an organisation; give its id."""
        answer = await self.operator.post("/v1/organisations", json={"name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def new_key(self, organisation: str, *roles: Role, person: str = "Ada") -> str:
        """Issue a key; give its token."""
        answer = await self.operator.post(
            "/v1/keys",
            json={"person": person, "roles": list(roles)},
            headers={"X-Organisation": organisation},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    async def put_sender(self, organisation: str, sender: str = "acme") -> None:
        """Store a sender of the United States."""
        answer = await self.operator.put(
            f"/v1/senders/{sender}",
            json={
                "name": sender.title(),
                "country": "US",
                "postal_address": "1 Example Street",
                "registrations": [{"scheme": "us-10dlc", "id": "C1A2B3"}],
            },
            headers={"X-Organisation": organisation},
        )
        assert answer.status_code == 200, answer.text

    async def as_(self, organisation: str, *roles: Role) -> dict[str, str]:
        """The headers of a caller with these roles."""
        return {"Authorization": f"Bearer {await self.new_key(organisation, *roles)}"}


@cache
def the_law() -> Release:
    """The bundled release, read once for all tests."""
    return bundled_release()


@asynccontextmanager
async def running_service(
    folder: Path,
    *,
    database_url: str | None = None,
    routes: Sequence[Any] = ROUTES,
    at: datetime | None = None,
    fetch: Fetch = fetch_https,
    **settings: Any,
) -> AsyncIterator[TestService]:
    """Make the keys in ``folder``, start the application, and stop it at the end."""
    clock = FixedClock() if at is None else FixedClock(at)
    if not (folder / "root.key").exists():
        KeyRing.create(folder, at=clock.now())
    log = io.StringIO()
    # A test that wants events carried says so, and to whom.
    chosen = Settings(data=folder, database_url=database_url, **{"dispatch": False, **settings})
    with open_components(chosen, clock=clock, release=the_law(), log_stream=log) as components:
        doors = create_app(components, routes=routes, fetch=fetch)
        async with (
            lifespan_of(doors),
            _client(doors.network) as client,
            _client(doors.operator) as operator,
        ):
            yield TestService(components, doors, client, operator, clock, log)


@asynccontextmanager
async def lifespan_of(doors: Doors) -> AsyncIterator[None]:
    """Start and stop an application as its server would."""
    async with doors.litestar.lifespan():
        yield


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=True),
        base_url="http://service.example",
    )
