"""Builders for checks: a gate of its own, and messages with good defaults."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import Check, CheckMessages, Gate
from audit.permits import PermitSigner
from consent.registries.snapshots import Registries
from jurisdictions.addresses import parse_address
from jurisdictions.loader import regulations_of
from jurisdictions.places import locate
from jurisdictions.releases import Release, release_of
from jurisdictions.strict_yaml import load
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose
from tests.support import consents
from tests.support.consents import NOW, Recorder

TEXT = "Acme: 20% off today. Reply STOP to opt out."

LAW = """
regulation: {id: test-act, title: Test Act, jurisdiction: US, authority: Test Office}
rules:
  - id: test-consent
    kind: consent
    summary: Marketing needs written consent.
    binds: {recipient: US, channels: [sms, email], purposes: [marketing]}
    values:
      - {in_force_from: 2010-01-01, routes: [{grant: express_written}], source: SOURCE}
  - id: test-open
    kind: consent
    summary: Calls go to whom the register does not list.
    binds: {recipient: US, channels: [voice], purposes: [marketing]}
    values:
      - in_force_from: 2010-01-01
        routes: [{open: true, registry: {id: us-test, max_age: 31 days}}]
        source: SOURCE
  - id: test-cap
    kind: frequency_cap
    summary: Two a day.
    binds: {recipient: US, channels: [sms], purposes: [marketing, service]}
    values:
      - {in_force_from: 2010-01-01, limit: 2, within: 24 hours, source: SOURCE}
  - id: test-hours
    kind: sending_hours
    summary: By day.
    binds: {recipient: US, channels: [sms], purposes: [marketing]}
    values:
      - {in_force_from: 2010-01-01, hours: {daily: "08:00-21:00"}, source: SOURCE}
  - id: test-deadline
    kind: opt_out_deadline
    summary: Ten days.
    binds: {recipient: US, purposes: [marketing]}
    values:
      - {in_force_from: 2010-01-01, within: 10 business days, source: SOURCE}
""".replace(
    "SOURCE",
    '{citation: "Test Act, s 1", url: "https://law.example/", read_on: 2026-11-21, '
    "force: law, certainty: verified}",
)
"""A law of this suite's own: a change of the real law breaks scenarios, never these tests."""


def a_release(law: str = LAW) -> Release:
    """A release of one regulation."""
    digest = sha256(law.encode()).hexdigest()
    return release_of("test", digest, regulations_of([load(law, name="test-act.yaml")]))


BY_DAY = NOW + timedelta(hours=4)
"""Eleven in the morning in New York."""

RELEASE = a_release()


@dataclass(frozen=True)
class Desk:
    """One organisation in one transaction, its gate, and a clock set by hand."""

    recorder: Recorder
    gate: Gate

    @property
    def connection(self) -> Connection:
        """The connection of the transaction."""
        return self.recorder.connection

    @property
    def organisation(self) -> str:
        """The id of the organisation."""
        return self.recorder.organisation

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return self.recorder.now

    def at(self, now: datetime) -> "Desk":
        """The same at another time."""
        return replace(self, recorder=self.recorder.at(now))

    def under(self, release: Release) -> "Desk":
        """The same under another law."""
        return replace(self, gate=replace(self.gate, release=release))

    def check(self, *checks: Check) -> list[CheckAnswer | ComplianceError]:
        """Decide on messages in one turn."""
        return CheckMessages(self.gate).run_many(self.connection, checks, now=self.now)

    def check_one(self, check: Check) -> CheckAnswer:
        """Decide on one message, which must be possible."""
        (answer,) = self.check(check)
        assert isinstance(answer, CheckAnswer), answer
        return answer

    def a_check(self, address: str = "+12125550123", **given: Any) -> Check:
        """A marketing text message from Acme, at once."""
        parsed = parse_address(address)
        fields: dict[str, Any] = {
            "organisation": self.organisation,
            "actor": "key_1",
            "sender": "acme",
            "address": parsed,
            "place": locate(
                parsed,
                region=given.pop("region", None),
                time_zone=given.pop("time_zone", None),
                with_sheet=self.gate.release.with_sheet,
            ),
            "channel": Channel.SMS,
            "purpose": Purpose.MARKETING,
            "sender_id": "+12125550100",
            "text": TEXT,
        }
        return Check(**(fields | given))

    def load_registry(self, registry: str, as_of: str, rows: str = "") -> None:
        """Load a copy of a register; without rows nobody is listed in it."""
        day = datetime.fromisoformat(as_of).date()
        content = f"address,listed\n{rows}".encode()
        prepared = self.gate.registries.prepare(self.organisation, registry, day, BytesIO(content))
        self.gate.registries.load(self.connection, prepared, now=self.now)


@contextmanager
def desk(engine: sa.Engine, folder: Path, *, release: Release = RELEASE) -> Iterator[Desk]:
    """A new organisation with the senders ``acme`` and ``beta``, and a gate for it."""
    keys = consents.a_key_ring(folder / "keys")
    gate = Gate(
        release=release,
        keys=keys,
        registries=Registries(folder / "registries", keys),
        permits=PermitSigner(*keys.permit_key()),
    )
    with consents.recorder(engine, keys) as recorder:
        yield Desk(recorder, gate)


__all__ = ["BY_DAY", "RELEASE", "TEXT", "Desk", "desk"]
