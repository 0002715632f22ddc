"""Load a copy of a public register. It is parsed and written before its turn comes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.errors import RegistryConflictError, RegistryFileError
from consent.registries.snapshots import Prepared, Registries, Snapshot
from rules.errors import ComplianceError


class LoadRegistry:
    """The work; its requests are copies that ``Registries.prepare`` made in the request's task.

    The next turn with a check in it takes the copy in; until then the one before it serves.
    """

    name = "load_registry"
    priority = Priority.OTHER

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    def run_many(
        self, connection: Connection, requests: Sequence[Prepared], *, now: datetime
    ) -> list[Snapshot | ComplianceError]:
        """Put each copy on record."""
        return [self._load(connection, prepared, now) for prepared in requests]

    def _load(
        self, connection: Connection, prepared: Prepared, now: datetime
    ) -> Snapshot | ComplianceError:
        try:
            return self._registries.load(connection, prepared, now=now)
        except (RegistryConflictError, RegistryFileError) as refused:
            return refused  # Nothing has been written: both are found before the row is.
