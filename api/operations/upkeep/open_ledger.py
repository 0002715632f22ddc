"""Before anything is written: is this the ledger that was signed last, and does its end hold?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.database import cause_of, migrate, reading_engine, refuse_newer_schema, schema_of
from api.errors import SchemaError, StoreUnavailableError
from api.telemetry import READ_ONLY
from consent.fsck.ledger import inspect_tail
from consent.keys.key_ring import KeyRing
from consent.ledger import rollback
from consent.ledger.checkpoints import read_heads
from consent.ledger.errors import ReadOnlyError
from consent.ledger.rollback import Finding
from consent.ledger.vault import Vault

_TOLD_MAX = 3
_HOW_ON = "look at it with: cleartosend ledger fsck; go on, if you must, with: ledger fork"


def open_ledger(url: str, folder: Path, *, keys: KeyRing, tail: int) -> tuple[Vault, str | None]:
    """Open vault and database together, and bring the database to this version's schema.

    With the vault comes why nothing may be written, if so: then nothing was. ``VaultError``: the
    vault of a ledger that has been used is missing or cannot be read. A new ledger's is made.
    """
    try:
        refuse_newer_schema(url)
    except SchemaError as error:
        return open_vault(folder, url, keys=keys), error.detail
    vault = open_vault(folder, url, keys=keys)
    findings = examine(url, vault, keys=keys)
    if findings:
        return vault, told_of(findings)
    migrate(url)
    with _reading(url) as connection:
        return vault, _damage_at_the_end(connection, keys, tail)


def open_vault(folder: Path, url: str, *, keys: KeyRing) -> Vault:
    """Open the vault, or make that of a ledger in which nothing has happened yet."""
    if Vault.exists(folder) or keys.organisations or _has_logs(url):
        return Vault.open(folder)
    return Vault.create(folder, keys.ledger_id)


def examine(url: str, vault: Vault, *, keys: KeyRing) -> list[Finding]:
    """Hold the database against the vault; empty if they fit. Nothing is written.

    ``ReadOnlyError``: it is empty and should not be, so that there is nothing even to read.
    """
    if schema_of(url) is None:
        if vault.ledger_id != keys.ledger_id:
            raise ReadOnlyError(f"the vault {vault.root} is of another ledger: {vault.ledger_id}")
        notes = vault.last()
        if notes:
            raise ReadOnlyError(f"the database is empty, and {len(notes)} logs were signed")
        return []
    with _reading(url) as connection:
        return rollback.compare(
            connection, vault, ledger_id=keys.ledger_id, log_keys=keys.log_public_keys
        )


def told_of(findings: Sequence[Finding]) -> str:
    """One line for an operator."""
    told = "; ".join(finding.detail for finding in findings[:_TOLD_MAX])
    more = f"; and {len(findings) - _TOLD_MAX} more" if len(findings) > _TOLD_MAX else ""
    return f"{READ_ONLY}: {told}{more}; {_HOW_ON}"


def _damage_at_the_end(connection: Connection, keys: KeyRing, tail: int) -> str | None:
    for head in read_heads(connection) if tail else ():
        for damage in inspect_tail(connection, head, keys=keys, entries=tail):
            where = "" if damage.index is None else f" at {damage.index}"
            return (
                f"{READ_ONLY}: log {damage.log}{where} of {damage.organisation} is damaged:"
                f" {damage.detail}; {_HOW_ON}"
            )
    return None


def _has_logs(url: str) -> bool:
    if schema_of(url) is None:
        return False
    with _reading(url) as connection:
        return bool(read_heads(connection))


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    engine = reading_engine(url, connections=1)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        raise StoreUnavailableError(f"the database cannot be read ({cause_of(error)})") from None
    finally:
        engine.dispose()
