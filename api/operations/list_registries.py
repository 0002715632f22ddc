"""The registers of which an organisation has a copy, and when each copy goes stale."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from consent.registries import snapshots
from consent.registries.snapshots import Snapshot
from jurisdictions.releases import Release
from rules.freshness import goes_stale_on


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
