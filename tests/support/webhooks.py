"""A service whose events go to a receiver on loopback, dispatched only when a test says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from api.dispatch.dispatcher import Dispatcher
from api.roles import Role
from tests.support.receivers import Receiver, a_receiver
from tests.support.service import TestService, running_service

ANN = "+12125550123"
BOB = "+12125550124"
CONSENT = ["consent.granted", "consent.revoked", "consent.confirmed", "subject.erased"]


@dataclass
class Outpost:
    """An organisation of the service, an admin's headers, and the receiver that it sends to."""

    service: TestService
    organisation: str
    headers: dict[str, str]
    receiver: Receiver

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries."""
        return self.service.doors.dispatcher

    async def post(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Ask, and expect this status."""
        answer = await self.service.client.post(path, json=body or {}, headers=self.headers)
        assert answer.status_code == status, (path, answer.text)
        return answer.json()

    async def get(self, path: str, *, status: int = 200) -> Any:
        """Ask, and expect this status."""
        answer = await self.service.client.get(path, headers=self.headers)
        assert answer.status_code == status, (path, answer.text)
        return answer.json()

    async def webhook(self, *events: str, **fields: Any) -> Any:
        """Make a webhook to the receiver."""
        body = {"url": self.receiver.url, "events": list(events or CONSENT), **fields}
        return await self.post("/v1/webhooks", body, status=201)

    async def opt_out(self, address: str = ANN, **fields: Any) -> Any:
        """Record an opt-out; give its receipt."""
        return await self.post(
            "/v1/opt-outs", {"address": address, "via": "link", **fields}, status=201
        )

    async def grant(self, address: str = ANN) -> Any:
        """Record a written grant of marketing by text message."""
        return await self.post(
            "/v1/consent-events",
            {
                "address": address,
                "sender": "acme",
                "event": "grant",
                "channel": "sms",
                "purpose": "marketing",
                "level": "express_written",
            },
            status=201,
        )

    async def check(self, address: str = ANN, **message: Any) -> Any:
        """Ask whether a text message of Acme may go now."""
        return await self.post(
            "/v1/checks",
            {
                "sender": "acme",
                "recipient": {"address": address, "region": "US-NY"},
                "message": {
                    "channel": "sms",
                    "purpose": "marketing",
                    "from": "+12125550100",
                    "text": "Acme: 20% off. Reply STOP to opt out.",
                    **message,
                },
            },
        )

    async def deliveries(self, webhook: str) -> Any:
        """What was sent to a webhook, the newest first."""
        return (await self.get(f"/v1/webhooks/{webhook}/deliveries"))["items"]

    async def run(self, after: timedelta = timedelta()) -> int:
        """Let time pass, and attempt what is due then."""
        self.service.clock.move(after)
        return await self.dispatcher.run_due()


@asynccontextmanager
async def an_outpost(
    folder: Path, *, database_url: str | None = None, **settings: Any
) -> AsyncIterator[Outpost]:
    """Start all of it."""
    if database_url is not None and database_url.startswith("sqlite"):
        database_url = None
    settings = {"webhooks_to_loopback": True, "dispatch": False, **settings}
    async with (
        a_receiver() as receiver,
        running_service(folder, database_url=database_url, **settings) as service,
    ):
        organisation = await service.new_organisation()
        await service.put_sender(organisation)
        headers = await service.as_(organisation, Role.ADMIN)
        yield Outpost(service, organisation, headers, receiver)
        await service.doors.dispatcher.close()
