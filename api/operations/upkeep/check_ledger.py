"""Look the ledger through, and rebuild what follows from it; for commands, without the service."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.data_folder import DataFolder, hold
from api.database import (
    reading_engine,
    refuse_newer_schema,
    require_schema,
    schema_of,
    writing_engine,
)
from api.errors import NotFoundError, StoreUnavailableError
from api.operations.upkeep.open_ledger import examine, told_of
from api.settings import Settings
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.ledger import inspect_organisation, inspect_tail
from consent.fsck.rebuild import Rebuilt, rebuild
from consent.keys.key_ring import KeyRing
from consent.ledger import log as ledger_log
from consent.ledger import rollback, tables
from consent.ledger.checkpoints import GrownLog, read_heads
from consent.ledger.errors import ReadOnlyError
from consent.ledger.leaf import Log
from consent.ledger.vault import Vault
from consent.retention import Expired, every_expiry

CACHE_KIBIBYTES = 256 * 1024
"""Of the database's pages. A walk by person reads entries in no order that a disk likes."""


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
    settings: Settings, *, organisation: str | None = None, tail: int | None = None
) -> Iterator[Inspection]:
    """Open everything for reading, as it stands at one instant; a service may go on running.

    Raises what makes a look impossible: no keys, no vault, no database, or a newer one's.
    """
    folder, url = opened_folder(settings)
    keys = KeyRing.open(folder.root, root=settings.root_key_place())
    refuse_newer_schema(url)
    if schema_of(url) is None:
        raise StoreUnavailableError("the database is empty: nothing was ever recorded in it")
    vault = Vault.open(settings.vault or folder.vault)
    with at_one_state(url) as connection:
        heads = [
            head
            for head in read_heads(connection)
            if organisation is None or head.organisation == organisation
        ]
        if organisation is not None and not heads:
            raise NotFoundError("there is no such organisation")

        def damages(progress: Progress) -> Iterator[Damage]:
            yield from _of_vault(connection, vault, keys)
            if tail is None:
                for one in sorted({head.organisation for head in heads}):
                    yield from inspect_organisation(connection, one, keys=keys, progress=progress)
                return
            for head in heads:
                yield from inspect_tail(connection, head, keys=keys, entries=tail)
                progress(min(tail, head.size))

        expired = {
            one: every_expiry(connection, one) for one in {head.organisation for head in heads}
        }
        yield Inspection(_total(connection, heads, tail), damages, expired)


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
        _be_patient(connection)
        ledger_log.lock_heads(connection, [organisation], [Log.CONSENT])
        return rebuild(connection, organisation, keys=keys, now=now, progress=progress)


def opened_folder(settings: Settings) -> tuple[DataFolder, str]:
    """The data folder, which must be there, and the URL of its database."""
    folder = DataFolder(settings.data)
    folder.require()
    return folder, settings.database_url or folder.database_url


def _of_vault(connection: Connection, vault: Vault, keys: KeyRing) -> Iterator[Damage]:
    found = rollback.compare(
        connection, vault, ledger_id=keys.ledger_id, log_keys=keys.log_public_keys
    )
    for finding in found:
        yield Damage(finding.organisation, finding.log, None, Kind.VAULT, finding.detail)


def _total(connection: Connection, heads: list[GrownLog], tail: int | None) -> int:
    if tail is not None:
        return sum(min(tail, head.size) for head in heads)
    people = sa.select(sa.func.count()).select_from(tables.subject)
    of_whom = tables.subject.c.organisation.in_({head.organisation for head in heads})
    counted = connection.execute(people.where(of_whom)).scalar_one()
    return sum(head.size for head in heads) + counted


@contextmanager
def at_one_state(url: str) -> Iterator[Connection]:
    """A connection that reads, and sees the database as it is now until it is closed."""
    engine = reading_engine(url, connections=1)
    try:
        with engine.connect() as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            else:
                connection.exec_driver_sql(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
            _be_patient(connection)
            yield connection
    except SQLAlchemyError as error:
        raise StoreUnavailableError(
            f"the database cannot be read ({type(error).__name__})"
        ) from None
    finally:
        engine.dispose()


def _be_patient(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
