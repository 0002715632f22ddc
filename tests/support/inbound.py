"""Endpoints of an organisation, and what providers call them with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import msgspec
from sqlalchemy import Connection

from api.errors import RetryLaterError
from api.inbound.delivery import Delivery
from api.inbound.message import InboundMessage, ProviderName
from api.inbound.providers import all_providers
from api.roles import Role
from consent.events import ConsentEvent, decode_payload
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import PayloadContext, open_payload
from consent.ledger import entries
from consent.ledger.leaf import Log, decode_leaf
from consent.subjects import load_keys
from tests.support.provider_calls import (
    ANN,
    BASE_URL,
    CERTIFICATE_URL,
    KINDS,
    NOW,
    URL,
    Kind,
    Said,
    Signed,
    sns_certificate,
)
from tests.support.service import TestService


@dataclass
class Published:
    """What stands at the providers' hosts, and what was asked for."""

    pages: dict[str, bytes] = field(default_factory=lambda: {CERTIFICATE_URL: sns_certificate()})
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> bytes:
        """Give it, without a network."""
        self.asked.append(url)
        if url not in self.pages:
            raise RetryLaterError("nobody is there")
        return self.pages[url]


@dataclass(frozen=True)
class Line:
    """An organisation's endpoint at a provider, with its admin's headers."""

    service: TestService
    kind: Kind
    organisation: str
    id: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """Where it is reached inside."""
        return self.url.removeprefix(BASE_URL)

    def said(self, text: str = "STOP", **said: Any) -> Said:
        """What somebody sent."""
        return Said(text=text, **said)

    def signed(self, text: str = "STOP", **said: Any) -> Signed:
        """What its provider calls with, now."""
        return self.kind.sign(self.url, self.said(text, **said), self.service.clock.now())

    async def call(self, signed: Signed, *, path: str | None = None) -> httpx.Response:
        """Have the provider call."""
        path = path or self.path
        return await self.service.client.request(
            signed.method,
            f"{path}?{signed.query}" if signed.query else path,
            content=signed.body,
            headers=dict(signed.headers),
        )

    async def say(self, text: str = "STOP", **said: Any) -> httpx.Response:
        """Have somebody answer with ``text``."""
        return await self.call(self.signed(text, **said))

    async def events(self) -> list[tuple[ConsentEvent, str | None]]:
        """Every event on record, opened: what was said, and the address it came for."""

        def read(connection: Connection) -> list[tuple[ConsentEvent, str | None]]:
            found = entries.read_entries(connection, self.organisation, Log.CONSENT, 0, 1000)
            return [_opened(connection, entry, self.service.components.keys) for entry in found]

        return await self.service.components.service.reader.run(read)

    async def grant(self, address: str = ANN, channel: str = "sms") -> None:
        """Record that marketing by text message was agreed to in writing."""
        body = {
            "address": address,
            "sender": "acme",
            "event": "grant",
            "channel": channel,
            "purpose": "marketing",
            "level": "express_written",
        }
        answer = await self.service.client.post(
            "/v1/consent-events", json=body, headers=dict(self.headers)
        )
        assert answer.status_code == 201, answer.text

    async def check(
        self, address: str = ANN, *, channel: str = "sms", purpose: str = "marketing"
    ) -> dict[str, Any]:
        """Ask whether a message may go."""
        answer = await self.service.client.post(
            "/v1/checks",
            json={
                "sender": "acme",
                "recipient": {"address": address, "region": "US-NY"},
                "message": {
                    "channel": channel,
                    "purpose": purpose,
                    "text": "Acme: 20% off. Reply STOP to end",
                },
                "preview": True,
            },
            headers=dict(self.headers),
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def a_line(service: TestService, kind: Kind = KINDS["twilio"], **given: Any) -> Line:
    """Found an organisation with the sender ``acme``, and make it an endpoint."""
    organisation = await service.new_organisation()
    await service.put_sender(organisation)
    headers = await service.as_(organisation, Role.ADMIN)
    return await another_line(service, organisation, headers, kind, **given)


async def another_line(
    service: TestService, organisation: str, headers: Mapping[str, str], kind: Kind, **given: Any
) -> Line:
    """Make an endpoint."""
    body = {"provider": kind.provider, "sender": "acme", "credentials": dict(kind.credentials)}
    answer = await service.client.post(
        "/v1/inbound-endpoints", json={**body, **given}, headers=dict(headers)
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Line(service, kind, organisation, made["id"], made["url"], headers)


def _opened(
    connection: Connection, entry: entries.Entry, keys: KeyRing
) -> tuple[ConsentEvent, str | None]:
    assert entry.subject is not None, "every event is somebody's"
    leaf = decode_leaf(entry.leaf)
    stored = entries.read_payloads(connection, entry.organisation, [entry.event_id])[entry.event_id]
    key = load_keys(connection, entry.organisation, [entry.subject], keys=keys)[entry.subject]
    opened = open_payload(
        key,
        PayloadContext(entry.organisation, entry.event_id, leaf.type, entry.subject),
        nonce=stored.nonce,
        ciphertext=stored.ciphertext,
        commit=bytes.fromhex(leaf.commit or ""),
    )
    return decode_payload(opened.canonical)


def delivery_of(signed: Signed, url: str = URL) -> Delivery:
    """A call as the provider's file is given it."""
    return Delivery(
        method=signed.method,
        url=f"{url}?{signed.query}" if signed.query else url,
        query=signed.query,
        headers={name.lower(): value for name, value in signed.headers.items()},
        body=signed.body,
    )


def read(
    provider: str,
    signed: Signed,
    *credentials: Mapping[str, Any],
    url: str = URL,
    now: datetime = NOW,
    published: Published | None = None,
) -> list[InboundMessage]:
    """Let a provider's file verify and read a call, without a service."""
    theirs = all_providers((published or Published()).fetch)[ProviderName(provider)]
    secrets = [msgspec.convert(one, theirs.credentials) for one in credentials]
    return list(asyncio.run(theirs.read(delivery_of(signed, url), secrets, now=now)))
