"""Load a copy of a public register, and list those that are loaded.

A copy is parsed and written before its turn comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from api.work import Priority
from consent.errors import RegistryConflictError, RegistryFileError
from consent.registries import snapshots
from consent.registries.snapshots import Prepared, Registries, Snapshot
from jurisdictions.releases import Release
from rules.errors import ComplianceError
from rules.freshness import goes_stale_on


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


@dataclass(frozen=True, slots=True)
class LoadedRegistry:
    """The newest copy of one register."""

    snapshot: Snapshot
    goes_stale_on: date | None


def list_registries(
    connection: Connection, organisation: str, *, release: Release
) -> list[LoadedRegistry]:
    """The newest copy of each register, in order of the registers' ids."""
    newest: dict[str, Snapshot] = {}
    for snapshot in snapshots.load_all(connection, organisation):
        known = newest.get(snapshot.registry)
        if known is None or known.as_of <= snapshot.as_of:
            newest[snapshot.registry] = snapshot
    return [
        LoadedRegistry(found, goes_stale_on(release.rules, registry, found.as_of))
        for registry, found in sorted(newest.items())
    ]
