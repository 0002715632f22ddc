"""A service with a sender, and a recipient who has its links."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api.roles import Role
from tests.support.service import TestService, running_service

BASE_URL = "https://gate.example"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
EMAIL = "ada@example.com"
NUMBER = "+12125550123"


@dataclass
class Desk:
    """A caller of one organisation who may do everything, and links for recipients."""

    service: TestService
    organisation: str
    headers: dict[str, str]

    async def ask(self, path: str, body: Any, *, status: int = 200) -> Any:
        """Post ``body``; give what is answered."""
        answer = await self.service.client.post(path, json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def links(self, address: str = EMAIL, sender: str = "acme") -> tuple[str, str]:
        """The paths of one-click and preference page."""
        made = await self.ask("/v1/links", {"sender": sender, "address": address})
        return path_of(made["one_click"]), path_of(made["preferences"])

    async def grant(self, address: str = EMAIL, **scope: Any) -> None:
        """Record a grant of that scope, of e-mail marketing unless said."""
        said = {"channel": "email", "purpose": "marketing", "level": "express_written", **scope}
        event = {"address": address, "sender": "acme", "event": "grant", **said}
        await self.ask("/v1/consent-events", event, status=201)

    async def reasons(
        self, address: str = EMAIL, *, channel: str = "email", **message: str
    ) -> list[str]:
        """Why a message of marketing may not go to that address now."""
        body = {
            "sender": "acme",
            "recipient": {"address": address, "region": "US-NY"},
            "message": {"channel": channel, "purpose": "marketing", **message},
            "preview": True,
        }
        return [reason["code"] for reason in (await self.ask("/v1/checks", body))["reasons"]]

    async def entries(self) -> int:
        """How many entries the consent log has."""
        asked = await self.service.client.get("/v1/logs", headers=self.headers)
        sizes: dict[str, int] = {log["log"]: log["size"] for log in asked.json()["items"]}
        return sizes["consent"]


def path_of(url: str) -> str:
    """What stands behind the host, which is not the tests' own."""
    assert url.startswith(BASE_URL + "/")
    return urlsplit(url).path


@asynccontextmanager
async def a_desk(
    folder: Path, *, database_url: str | None = None, **settings: Any
) -> AsyncIterator[Desk]:
    """A running service, its sender ``acme``, and somebody who may do everything."""
    settings.setdefault("public_base_url", BASE_URL)
    async with running_service(folder, database_url=database_url, **settings) as service:
        organisation = await service.new_organisation()
        await service.put_sender(organisation)
        headers = await service.as_(organisation, Role.ADMIN)
        yield Desk(service, organisation, headers)
