"""Builders for checks: a gate of its own, and messages with good defaults."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
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
from jurisdictions.places import locate
from jurisdictions.releases import Release, bundled_release
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose
from tests.support import consents
from tests.support.consents import NOW, Recorder

RELEASE = bundled_release()
TEXT = "Acme: 20% off today. Reply STOP to opt out."


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


__all__ = ["NOW", "RELEASE", "TEXT", "Desk", "desk"]
