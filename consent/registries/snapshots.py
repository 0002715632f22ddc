"""Immutable copies of public registers: one file a generation, one row that names it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import Address
from rules.facts import RegistryEntry
from rules.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One loaded copy. ``digest``: of the bytes that came in. ``covers``: number prefixes, or
    ``("everything",)``, or ``("rows",)`` where the file speaks only of the addresses in it."""

    registry: str
    as_of: date
    generation: int
    digest: str
    covers: tuple[str, ...]
    entry_count: int
    loaded_at: datetime


class Registries:
    """The newest copies of every organisation's registers, in memory, and their files on disk."""

    def __init__(self, folder: Path, keys: KeyRing) -> None: ...

    def prepare(
        self, organisation: str, registry: str, as_of: date, source: BinaryIO, *, covers: Sequence[str]
    ) -> "Prepared":
        """Parse a register's file and write our copy of it, fsynced, under a temporary name.

        Heavy, and needs no database: call it outside the writer's turn.
        Raises ``RegistryFileError`` if a single line cannot be read.
        """
        raise NotImplementedError

    def load(self, connection: Connection, prepared: "Prepared", *, now: datetime) -> Snapshot:
        """Put a prepared copy on record and its file in place, in the writer's turn.

        The same bytes again change nothing. Raises ``RegistryConflictError`` for other bytes
        with the same ``as_of``. After the commit call ``refresh``.
        """
        raise NotImplementedError

    def refresh(self, connection: Connection) -> None:
        """Take in copies that were loaded since, here or by another process. One statement if none."""
        raise NotImplementedError

    def look_up(
        self,
        organisation: str,
        address: Address,
        *,
        sender: str,
        channel: Channel,
        only: Collection[str] | None = None,
    ) -> Mapping[str, RegistryEntry]:
        """What each loaded register says of an address; one that does not cover it is absent."""
        raise NotImplementedError

    def digests(self, organisation: str, registries: Iterable[str]) -> Mapping[str, str]:
        """The digest of the copy in use of each of ``registries``, for the decision's record."""
        raise NotImplementedError


class Prepared:
    """A copy that is written but not yet on record."""


def load_all(connection: Connection, organisation: str) -> list[Snapshot]:
    """Every copy on record, newest last."""
    raise NotImplementedError
