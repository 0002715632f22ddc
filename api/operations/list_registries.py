"""The registers of which an organisation has a copy, and when each copy goes stale."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from consent.registries import snapshots
from consent.registries.snapshots import Snapshot

StaleOn = Callable[[str, date], date | None]
"""From a register and the date of a copy: the first day on which a law no longer takes it."""


@dataclass(frozen=True, slots=True)
class LoadedRegistry:
    """The newest copy of one register."""

    snapshot: Snapshot
    goes_stale_on: date | None


class ListRegistries:
    """Reads the copies on record; the law says how old each may be."""

    def __init__(self, stale_on: StaleOn) -> None:
        self._stale_on = stale_on

    def list(self, connection: Connection, organisation: str) -> list[LoadedRegistry]:
        """The newest copy of each register, in order of the registers' ids."""
        newest: dict[str, Snapshot] = {}
        for snapshot in snapshots.load_all(connection, organisation):
            known = newest.get(snapshot.registry)
            if known is None or known.as_of <= snapshot.as_of:
                newest[snapshot.registry] = snapshot
        return [
            LoadedRegistry(found, self._stale_on(registry, found.as_of))
            for registry, found in sorted(newest.items())
        ]
