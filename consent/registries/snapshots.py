"""Loaded copies of public registers: one immutable file each, and the row that names it.

A copy is prepared outside the writer's turn, put on record in it, and taken in by ``refresh`` after
the commit, in this process and in any other. Each organisation loads its own.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, Row, bindparam, func, select

from consent.errors import RegistryConflictError, RegistryFileError, RegistryUnreadableError
from consent.keys.key_ring import KeyRing
from consent.registries import copies, formats
from consent.registries.copies import EVERYTHING, ONLY_ROWS, Copy
from consent.tables import registry_snapshot
from jurisdictions.addresses import Address
from rules.facts import RegistryEntry
from rules.vocabulary import Channel

_REGISTRY_ID: Final = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]+)+")
_ORGANISATION_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}")
_PIECE: Final = 1 << 20
_EARLIEST_CLOCK: Final = timedelta(hours=14)
"""How far ahead of UTC the day begins where it begins first."""

_GENERATIONS = select(
    registry_snapshot.c.organisation, func.max(registry_snapshot.c.generation)
).group_by(registry_snapshot.c.organisation)
_SNAPSHOTS = select(registry_snapshot).where(
    registry_snapshot.c.organisation == bindparam("organisation")
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One loaded copy. ``digest``: ``sha256:…`` of the bytes that came in.

    ``covers``: prefixes of the numbers that it speaks of, or ``("everything",)``, or
    ``("rows",)`` where it speaks only of the addresses in it.
    """

    registry: str
    as_of: date
    generation: int
    digest: str
    covers: tuple[str, ...]
    entry_count: int
    loaded_at: datetime
    file_name: str
    file_digest: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A copy that is written but not yet on record, and the file that waits under ``path``."""

    organisation: str
    registry: str
    as_of: date
    digest: str
    covers: tuple[str, ...]
    entry_count: int
    file_digest: str
    path: Path
    based_on: str | None

    @property
    def file_name(self) -> str:
        """The name for good: another content has another name."""
        return f"{self.registry}-{self.as_of}-{self.file_digest[:16]}.copy"

    def discard(self) -> None:
        """Delete the waiting file. Call it when ``load`` was not reached."""
        self.path.unlink(missing_ok=True)


class Registries:
    """The newest copies of every organisation's registers, in memory, and their files on disk.

    ``refresh`` replaces whole mappings, so look-ups on other threads see the old or the new.
    """

    def __init__(self, folder: Path, keys: KeyRing) -> None:
        self._folder = folder
        self._keys = keys
        self._generations: dict[str, int] = {}
        self._copies: dict[str, dict[str, tuple[Snapshot, Copy]]] = {}
        self.problems: dict[tuple[str, str], RegistryUnreadableError] = {}
        """Registers, by organisation and id, whose newest copy cannot be read: they count as
        not loaded, so that what asks for them is denied as stale."""

    def prepare(
        self,
        organisation: str,
        registry: str,
        as_of: date,
        source: IO[bytes],
        *,
        covers: Sequence[str] = (EVERYTHING,),
    ) -> Prepared:
        """Parse a register's file and write our copy of it, synced, under a passing name.

        Takes seconds for millions of numbers, and no database: call it outside the writer's turn.
        ``source`` is seekable. Raises ``RegistryFileError`` if a single line cannot be read.
        """
        assert _ORGANISATION_ID.fullmatch(organisation), "ids are ours, and name a folder"
        if not _REGISTRY_ID.fullmatch(registry):
            raise RegistryFileError("a registry id is written {country}-{name}, in small letters")
        digest = _digest_of(source)
        parsed = formats.parse(source, formats.layout_of(registry))
        earlier = self._copies.get(organisation, {}).get(registry) if parsed.is_change else None
        if earlier is not None and earlier[0].as_of >= as_of:
            raise RegistryFileError("a list of changes must be younger than the copy it changes")
        copy = copies.build(
            parsed,
            registry=registry,
            as_of=as_of,
            covers=_read_covers(covers),
            email_hash=lambda email: self._email_hash(organisation, email),
            earlier=earlier[1] if earlier else None,
        )
        path, file_digest = self._write(organisation, copy)
        return Prepared(
            organisation=organisation,
            registry=registry,
            as_of=as_of,
            digest=digest,
            covers=copy.covers,
            entry_count=copy.entry_count,
            file_digest=file_digest,
            path=path,
            based_on=earlier[0].digest if earlier else None,
        )

    def load(self, connection: Connection, prepared: Prepared, *, now: datetime) -> Snapshot:
        """Put a prepared copy on record and its file in place, in the writer's turn.

        The same bytes for the same day again change nothing. Other bytes for that day raise
        ``RegistryConflictError``, as does a list of changes whose base was replaced meanwhile.
        After the commit call ``refresh``.
        """
        known = load_all(connection, prepared.organisation)
        same_day = [
            s for s in known if (s.registry, s.as_of) == (prepared.registry, prepared.as_of)
        ]
        if same_day:
            prepared.discard()
            if (same_day[0].digest, same_day[0].covers) == (prepared.digest, prepared.covers):
                return same_day[0]
            raise RegistryConflictError(
                f"{prepared.registry} has another copy of {prepared.as_of} on record"
            )
        if prepared.as_of > (now + _EARLIEST_CLOCK).date():
            prepared.discard()
            raise RegistryFileError("as_of lies in the future")
        newest = max((s for s in known if s.registry == prepared.registry), key=_age, default=None)
        if prepared.based_on and (newest is None or newest.digest != prepared.based_on):
            prepared.discard()
            raise RegistryConflictError("the copy that these changes change is no longer newest")
        snapshot = Snapshot(
            registry=prepared.registry,
            as_of=prepared.as_of,
            generation=max((s.generation for s in known), default=0) + 1,
            digest=prepared.digest,
            covers=prepared.covers,
            entry_count=prepared.entry_count,
            loaded_at=now,
            file_name=prepared.file_name,
            file_digest=prepared.file_digest,
        )
        # The file is in place before the row can be seen; a rolled-back row leaves it unnamed.
        # A turn that is tried again finds it in place already.
        if prepared.path.exists():
            prepared.path.rename(self._folder_of(prepared.organisation) / prepared.file_name)
        _sync_folder(self._folder_of(prepared.organisation))
        connection.execute(registry_snapshot.insert(), _to_row(prepared.organisation, snapshot))
        return snapshot

    def refresh(self, connection: Connection) -> None:
        """Take in what was loaded since, here or by another process. One statement if nothing."""
        for organisation, generation in connection.execute(_GENERATIONS):
            if self._generations.get(organisation) != generation:
                self._take_in(connection, organisation)
                self._generations[organisation] = generation

    def look_up(
        self,
        organisation: str,
        address: Address,
        *,
        sender: str,
        channel: Channel,
        only: Collection[str] | None = None,
    ) -> dict[str, RegistryEntry]:
        """What each loaded register (of ``only``) says of an address.

        One that does not cover it is absent: stale to the law, never "not listed".
        ``sender`` is an id.
        """
        loaded = self._copies.get(organisation)
        if not loaded:
            return {}
        wanted = loaded.keys() if only is None else loaded.keys() & only
        if not wanted:
            return {}
        has_emails = any(loaded[registry][1].has_emails for registry in wanted)
        keys = self._keys_of(organisation, address, has_emails=has_emails)
        folded = sender.casefold()
        found = {}
        for registry in sorted(wanted):
            entry = loaded[registry][1].entry(address.spellings, keys, folded, channel)
            if entry is not None:
                found[registry] = entry
        return found

    def ask(
        self, organisation: str, copy: Copy, address: Address, *, sender: str, channel: Channel
    ) -> RegistryEntry | None:
        """What one copy says of an address, as ``look_up`` would with it."""
        keys = self._keys_of(organisation, address, has_emails=copy.has_emails)
        return copy.entry(address.spellings, keys, sender.casefold(), channel)

    def past_copy(
        self, connection: Connection, organisation: str, registry: str, digest: str
    ) -> Copy | None:
        """The copy that was made of what had this digest; None: it is not kept, or unreadable."""
        for snapshot, copy in self._copies.get(organisation, {}).values():
            if (snapshot.registry, snapshot.digest) == (registry, digest):
                return copy
        for snapshot in load_all(connection, organisation):
            if (snapshot.registry, snapshot.digest) == (registry, digest):
                try:
                    return _read(self._folder_of(organisation) / snapshot.file_name, snapshot)
                except RegistryUnreadableError:
                    return None
        return None

    def in_use(self, organisation: str) -> Mapping[str, Snapshot]:
        """The copy that look-ups read, by registry; its digest goes on record with a decision."""
        return {
            registry: snapshot
            for registry, (snapshot, _) in self._copies.get(organisation, {}).items()
        }

    def _take_in(self, connection: Connection, organisation: str) -> None:
        had = self._copies.get(organisation, {})
        taken: dict[str, tuple[Snapshot, Copy]] = {}
        for snapshot in _newest_each(load_all(connection, organisation)):
            known = had.get(snapshot.registry)
            if known is not None and known[0] == snapshot:
                taken[snapshot.registry] = known
                continue
            self.problems.pop((organisation, snapshot.registry), None)
            try:
                copy = _read(self._folder_of(organisation) / snapshot.file_name, snapshot)
            except RegistryUnreadableError as problem:
                self.problems[(organisation, snapshot.registry)] = problem
            else:
                taken[snapshot.registry] = (snapshot, copy)
        self._copies = {**self._copies, organisation: taken}

    def _write(self, organisation: str, copy: Copy) -> tuple[Path, str]:
        folder = self._folder_of(organisation)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600: a register is personal data of millions.
        handle, name = tempfile.mkstemp(suffix=".incoming", dir=folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                copy.write(file)
                file.flush()
                os.fsync(file.fileno())
                return path, _digest_of(file).removeprefix("sha256:")
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _keys_of(self, organisation: str, address: Address, *, has_emails: bool) -> list[int]:
        spellings = address.spellings
        if address.channel_family == "number":
            return [int(spelling[1:]) for spelling in spellings if spelling[1:].isdecimal()]
        if not has_emails:
            return []
        return [copies.email_key(self._email_hash(organisation, each)) for each in spellings]

    def _folder_of(self, organisation: str) -> Path:
        return self._folder / organisation

    def _email_hash(self, organisation: str, email: str) -> bytes:
        return self._keys.blind_index(organisation, f"registry|{email}")


def load_all(connection: Connection, organisation: str) -> list[Snapshot]:
    """Every copy on record, in the order in which they were loaded."""
    rows = connection.execute(_SNAPSHOTS, {"organisation": organisation})
    return sorted(map(_from_row, rows), key=lambda snapshot: snapshot.generation)


def _newest_each(snapshots: Iterable[Snapshot]) -> Iterable[Snapshot]:
    return {snapshot.registry: snapshot for snapshot in sorted(snapshots, key=_age)}.values()


def _age(snapshot: Snapshot) -> date:
    return snapshot.as_of


def _read_covers(covers: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(sorted(set(covers)))
    if chosen in ((EVERYTHING,), (ONLY_ROWS,)):
        return chosen
    if not chosen or not all(_PREFIX.fullmatch(cover) for cover in chosen):
        raise RegistryFileError("covers is everything, rows, or number prefixes such as +1212")
    return chosen


def _read(path: Path, snapshot: Snapshot) -> Copy:
    try:
        with path.open("rb") as file:
            if _digest_of(file) != f"sha256:{snapshot.file_digest}":
                raise RegistryUnreadableError("the copy on disk is not the one that was loaded")
            return copies.read(file)
    except OSError as problem:
        raise RegistryUnreadableError(
            f"the copy of a register cannot be opened: {type(problem).__name__}"
        ) from None


def _digest_of(file: IO[bytes]) -> str:
    """The digest of a whole file, which is left at its start."""
    digest = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        digest.update(piece)
    file.seek(0)
    return f"sha256:{digest.hexdigest()}"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _to_row(organisation: str, snapshot: Snapshot) -> dict[str, object]:
    return {
        "organisation": organisation,
        "generation": snapshot.generation,
        "registry": snapshot.registry,
        "as_of": snapshot.as_of.isoformat(),
        "digest": snapshot.digest,
        "file_name": snapshot.file_name,
        "file_digest": snapshot.file_digest,
        "covers": ",".join(snapshot.covers),
        "entry_count": snapshot.entry_count,
        "loaded_at": snapshot.loaded_at,
    }


def _from_row(row: Row[tuple[object, ...]]) -> Snapshot:
    return Snapshot(
        registry=row.registry,
        as_of=date.fromisoformat(row.as_of),
        generation=row.generation,
        digest=row.digest,
        covers=tuple(row.covers.split(",")),
        entry_count=row.entry_count,
        loaded_at=row.loaded_at,
        file_name=row.file_name,
        file_digest=row.file_digest,
    )
