"""Load a copy of a public register for one organisation."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import IO

from sqlalchemy import Connection

from api.work import Priority
from consent.registries.snapshots import Prepared, Registries, Snapshot
from rules.errors import ComplianceError


class LoadRegistry:
    """The work; its requests were written and parsed by ``prepare`` before."""

    name = "load_registry"
    priority = Priority.OTHER

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def prepare(
        self,
        organisation: str,
        registry: str,
        as_of: date,
        source: IO[bytes],
        covers: Sequence[str] | None,
    ) -> Prepared:
        """Parse the file and write our copy, in a thread of its own: this takes seconds."""
        if covers:
            return self._registries.prepare(organisation, registry, as_of, source, covers=covers)
        return self._registries.prepare(organisation, registry, as_of, source)

    def run_many(
        self, connection: Connection, requests: Sequence[Prepared], *, now: datetime
    ) -> Sequence[Snapshot | ComplianceError]:
        """Put each copy on record; other bytes for a known date are ``RegistryConflictError``."""
        return [self._registries.load(connection, request, now=now) for request in requests]
