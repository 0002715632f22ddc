"""Look the ledger through, and rebuild what follows from it; for commands, without the service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

import api.tables
import audit.tables
import consent.tables
from api.data_folder import hold
from api.database import refuse_newer_schema, require_schema, schema_of, writing_engine
from api.errors import NotFoundError, StoreUnavailableError
from api.operations.replay_erasures import unknown_to
from api.operations.upkeep.one_state import at_one_state, be_patient, named, opened_folder
from api.operations.upkeep.open_ledger import examine, told_of
from api.operations.upkeep.share_look import look_at, processors
from api.settings import Settings
from consent.erasure_journal import ErasureJournal
from consent.errors import ErasureJournalError
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.ledger import OfStore, Part, inspect_part, inspect_tail, parts_of
from consent.fsck.rebuild import Rebuilt, rebuild
from consent.fsck.store import inspect_strays
from consent.fsck.vault_history import inspect_history
from consent.keys.key_ring import KeyRing
from consent.ledger import log as ledger_log
from consent.ledger import rollback, tables
from consent.ledger.checkpoints import GrownLog, read_heads
from consent.ledger.errors import DamagedLogError, ReadOnlyError
from consent.ledger.leaf import Log
from consent.ledger.rollback import Mismatch
from consent.ledger.vault import Notes, Vault
from consent.retention import Expired, every_expiry

SHARED_FROM = 50_000
"""Entries and persons; of fewer a second process would take longer to start than it saves."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A look through, about to be taken. ``total``: entries and persons to be done.

    ``expired``: the months of decisions that were let go of, by organisation; they are no damage.
    """

    total: int
    damages: Callable[[Progress], Iterator[Damage]]
    expired: Mapping[str, Sequence[Expired]]


@contextmanager
def inspection(
    settings: Settings,
    *,
    organisation: str | None = None,
    tail: int | None = None,
    processes: int | None = None,
) -> Iterator[Inspection]:
    """Open everything for reading, as it stands at one instant; a service may go on running.

    ``processes``: that many share a whole look, each with the instant at which it began; None: as
    many as there are processors, where there is enough to look at.
    Raises what makes a look impossible: no keys, no vault, no database, or a newer one's.
    """
    folder, url = opened_folder(settings)
    keys = KeyRing.open(folder.root, root=settings.root_key_place())
    refuse_newer_schema(url)
    if schema_of(url) is None:
        raise StoreUnavailableError("the database is empty: nothing was ever recorded in it")
    vault = Vault.open(settings.vault or folder.vault)
    signed = _Signed(vault.last(), vault.history_sizes())
    with at_one_state(url) as connection:
        look = _Look(connection, vault, signed, keys, settings, organisation, tail)
        total = look.total()
        look.processes = processes or (processors() if total >= SHARED_FROM else 1)
        yield Inspection(total, look.damages, look.expired())


@dataclass(frozen=True, slots=True)
class _Signed:
    """What was in the vault before the database's state was taken: that state has it all."""

    last: Notes
    history: Mapping[str, int]


@dataclass(slots=True)
class _Look:
    """One look through: of the whole ledger, of one organisation, or of the ends of the logs."""

    connection: Connection
    vault: Vault
    signed: _Signed
    keys: KeyRing
    settings: Settings
    organisation: str | None
    tail: int | None
    processes: int = 1

    def total(self) -> int:
        """How many entries and persons there are to be done."""
        try:
            return _total(self.connection, self._heads(), self.tail)
        except DamagedLogError:
            return 0  # ``damages`` names it.

    def expired(self) -> dict[str, list[Expired]]:
        """The months of decisions that were let go of, by organisation."""
        try:
            organisations = {head.organisation for head in self._heads()}
            return {one: every_expiry(self.connection, one) for one in sorted(organisations)}
        except DamagedLogError:
            return {}  # ``damages`` names it.

    def damages(self, progress: Progress) -> Iterator[Damage]:
        """Everything that is not as it was written, also what keeps the rest from being read."""
        unreadable: set[Damage] = set()
        for damage in named(self._damages(progress)):
            if damage.kind is not Kind.DATABASE:
                yield damage
            elif damage not in unreadable:  # Several parts may meet the same.
                unreadable.add(damage)
                yield damage

    def _damages(self, progress: Progress) -> Iterator[Damage]:
        connection, heads = self.connection, self._heads()
        others = _of_another_ledger(self.vault, heads, self.keys)
        if others:
            yield from others
            return
        if self.tail is not None:
            yield from _of_vault(connection, self.vault, self.signed, self.keys)
            for head in heads:
                yield from inspect_tail(connection, head, keys=self.keys, entries=self.tail)
                progress(min(self.tail, head.size))
            return
        parts: list[Part] = [OfStore()]
        for one in sorted({head.organisation for head in heads}):
            parts += parts_of(connection, one)
        if self.processes > 1:
            with look_at(self.settings, parts, self.processes, progress) as found:
                yield from named(self._besides())
                yield from found
            return
        for part in parts:
            yield from named(inspect_part(connection, part, keys=self.keys, progress=progress))
        yield from named(self._besides())

    def _besides(self) -> Iterator[Damage]:
        """What is wrong beside the parts of a whole look, and with the files that belong to it."""
        connection, keys = self.connection, self.keys
        yield from _of_tables(connection)
        yield from _of_vault(connection, self.vault, self.signed, keys, history_of=self._heads())
        yield from _of_journal(connection, ErasureJournal.of(self.vault.root, keys))
        yield from inspect_strays(connection, read_heads(connection))

    def _heads(self) -> list[GrownLog]:
        heads = [
            head
            for head in read_heads(self.connection)
            if self.organisation in (None, head.organisation)
        ]
        if self.organisation is not None and not heads:
            raise NotFoundError("there is no such organisation")
        return heads


def rebuild_ledger(
    settings: Settings, *, now: datetime, progress: Progress, organisation: str | None = None
) -> list[Rebuilt]:
    """Write standing and suppression anew from the log, an organisation a transaction.

    A running service keeps the folder, and this out; on PostgreSQL its writers wait.
    """
    folder, url = opened_folder(settings)
    with hold(folder) if settings.database_url is None else nullcontext():
        keys = KeyRing.open(folder.root, root=settings.root_key_place())
        require_schema(url)
        vault = Vault.open(settings.vault or folder.vault)
        findings = examine(url, vault, keys=keys)
        if findings:
            raise ReadOnlyError(told_of(findings))
        engine = writing_engine(url)
        try:
            with engine.connect() as connection:
                known = sorted({head.organisation for head in read_heads(connection)})
                connection.rollback()
                return [
                    _rebuilt(connection, one, keys, now, progress)
                    for one in known
                    if organisation in (None, one)
                ]
        finally:
            engine.dispose()


def _rebuilt(
    connection: Connection, organisation: str, keys: KeyRing, now: datetime, progress: Progress
) -> Rebuilt:
    with connection.begin():
        be_patient(connection)
        ledger_log.lock_heads(connection, [organisation], [Log.CONSENT])
        return rebuild(connection, organisation, keys=keys, now=now, progress=progress)


def _of_another_ledger(vault: Vault, heads: Sequence[GrownLog], keys: KeyRing) -> list[Damage]:
    """What says that these keys are not the database's: then they open nothing in it."""
    found = rollback.of_another_ledger(vault, heads, keys.ledger_id)
    if not any(finding.mismatch is Mismatch.OTHER_DATABASE for finding in found):
        return []
    return [Damage(None, None, None, Kind.VAULT, finding.detail) for finding in found]


def _of_vault(
    connection: Connection,
    vault: Vault,
    signed: _Signed,
    keys: KeyRing,
    *,
    history_of: Sequence[GrownLog] = (),
) -> Iterator[Damage]:
    """What does not fit the last checkpoints; of the logs that do, what does not fit older ones."""
    found = rollback.compare(
        connection,
        vault,
        ledger_id=keys.ledger_id,
        log_keys=keys.log_public_keys,
        earlier=signed.last,
    )
    for finding in found:
        yield Damage(finding.organisation, finding.log, None, Kind.VAULT, finding.detail)
    named = {(finding.organisation, finding.log) for finding in found}
    if (None, None) in named:
        return
    heads = [head for head in history_of if (head.organisation, head.log) not in named]
    yield from inspect_history(
        connection, vault, heads, log_keys=keys.log_public_keys, until=signed.history
    )


def _of_tables(connection: Connection) -> Iterator[Damage]:
    """Every table has the columns that this version reads."""
    for metadata in (consent.tables.METADATA, audit.tables.METADATA, api.tables.METADATA):
        for table in metadata.sorted_tables:
            try:
                with connection.begin_nested():
                    connection.execute(sa.select(table).limit(0))
            except SQLAlchemyError:
                detail = f"the table {table.name} has not the columns that it was made with"
                yield Damage(None, None, None, Kind.DATABASE, detail)


def _of_journal(connection: Connection, journal: ErasureJournal) -> Iterator[Damage]:
    """The erasure journal is whole, and knows of every erasure that the database has."""
    journal.refuse_unreadable()
    try:
        journal.refuse_if_lost()
        told = list(journal.read()) if journal.exists() else []
    except ErasureJournalError as error:
        yield Damage(None, None, None, Kind.JOURNAL, error.detail)
        return
    if told and not journal.head.exists():
        detail = (
            f"{journal.head} is missing: nothing tells whether the end of {journal.path} was cut;"
            " put it back, or the next erasure writes it anew"
        )
        yield Damage(None, None, None, Kind.JOURNAL, detail)
    unknown = unknown_to(connection, told)
    if unknown:
        detail = f"{journal.path} does not know of {unknown} erasures of the database"
        yield Damage(None, None, None, Kind.JOURNAL, detail)


def _total(connection: Connection, heads: list[GrownLog], tail: int | None) -> int:
    if tail is not None:
        return sum(min(tail, head.size) for head in heads)
    people = sa.select(sa.func.count()).select_from(tables.subject)
    of_whom = tables.subject.c.organisation.in_({head.organisation for head in heads})
    counted = connection.execute(people.where(of_whom)).scalar_one()
    return sum(head.size for head in heads) + counted
