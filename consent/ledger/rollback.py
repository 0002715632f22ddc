"""Is this the ledger that was signed last? The database held against the vault.

Whatever does not fit is named with its log. Such a ledger opens for reading only: to go on as if
nothing had happened would let a database from before an opt-out forget it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from consent.ledger import checkpoints
from consent.ledger.checkpoints import Checkpoint, GrownLog
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.leaf import Log
from consent.ledger.proofs import LogTree
from consent.ledger.vault import Notes, Vault

LogKeys = Callable[[str, Log], Sequence[Ed25519PublicKey]]
"""The public keys of a log, the retired ones too; none where the log is not known."""


class Mismatch(StrEnum):
    """In which way database and vault do not belong together."""

    OTHER_VAULT = "other_vault"
    OTHER_DATABASE = "other_database"
    LOG_MISSING = "log_missing"
    OTHER_ORIGIN = "other_origin"
    SHORTER = "shorter"
    OTHER_ROOT = "other_root"
    DAMAGED = "damaged"
    NOT_SIGNED = "not_signed"
    VAULT_BEHIND = "vault_behind"


FORKABLE = frozenset(
    {
        Mismatch.LOG_MISSING,
        Mismatch.OTHER_ORIGIN,
        Mismatch.SHORTER,
        Mismatch.OTHER_ROOT,
        Mismatch.VAULT_BEHIND,
    }
)
"""What ``ledger fork`` may go on from. Nothing else is mended by a new origin."""


class Finding(msgspec.Struct, frozen=True):
    """One log that does not fit, or the whole ledger. ``note``: the checkpoint that says so."""

    mismatch: Mismatch
    detail: str
    organisation: str | None = None
    log: Log | None = None
    note: str | None = None


def origin_of(ledger_id: str, organisation: str) -> str:
    """What the origins of an organisation's logs begin with, in the ledger of that id."""
    return f"cleartosend/{ledger_id}/{organisation}"


def compare(
    connection: Connection,
    vault: Vault,
    *,
    ledger_id: str,
    log_keys: LogKeys,
    earlier: Notes | None = None,
) -> list[Finding]:
    """Hold every log against its last checkpoint; empty if all fit.

    A log that has grown since must begin as it was signed. ``earlier``: the notes as they were
    before the connection's state, if that is not the newest.
    """
    heads = {(head.organisation, head.log): head for head in checkpoints.read_heads(connection)}
    others = of_another_ledger(vault, heads.values(), ledger_id)
    if others:
        return others
    notes = vault.last()
    found = [
        _held_against(connection, heads.get(place), place, note, log_keys)
        for place, note in sorted((notes if earlier is None else earlier).items())
    ]
    behind = [_held_against_vault(connection, head, notes) for head in heads.values()]
    return [finding for finding in (*found, *behind) if finding is not None]


def of_another_ledger(vault: Vault, heads: Iterable[GrownLog], ledger_id: str) -> list[Finding]:
    """Which of vault and database are not of the ledger of that id; nothing else is read."""
    found = []
    if vault.ledger_id != ledger_id:
        detail = f"the vault {vault.root} is of another ledger: {vault.ledger_id}"
        found.append(Finding(Mismatch.OTHER_VAULT, detail))
    for head in heads:
        if not head.origin.startswith(f"{origin_of(ledger_id, head.organisation)}/"):
            detail = f"the database is of another ledger: it holds {head.origin}"
            return [*found, Finding(Mismatch.OTHER_DATABASE, detail)]
    return found


def _held_against(
    connection: Connection,
    head: GrownLog | None,
    place: tuple[str, Log],
    note: str,
    log_keys: LogKeys,
) -> Finding | None:
    organisation, log = place
    named = f"log {log} of {organisation}"

    def finding(mismatch: Mismatch, detail: str) -> Finding:
        return Finding(mismatch, detail, organisation, log, note)

    signed = checkpoints.read_unverified(note)
    try:
        checkpoints.verify(note, signed.origin, log_keys(organisation, log))
    except NoteError as error:
        detail = f"the vault's checkpoint of {named} was not signed by this ledger: {error.detail}"
        return finding(Mismatch.NOT_SIGNED, detail)
    if head is None:
        detail = f"{named} is not in the database, and {signed.size} entries were signed"
        return finding(Mismatch.LOG_MISSING, detail)
    if head.origin != signed.origin:
        detail = f"{named} is {head.origin} in the database, and {signed.origin} was signed"
        return finding(Mismatch.OTHER_ORIGIN, detail)
    if head.size < signed.size:
        detail = f"{named} has {head.size} entries, and {signed.size} were signed"
        return finding(Mismatch.SHORTER, detail)
    return _of_root(connection, head, signed, note)


def _of_root(
    connection: Connection, head: GrownLog, signed: Checkpoint, note: str
) -> Finding | None:
    named = f"log {head.log} of {head.organisation}"
    try:
        root = LogTree(connection, head.organisation, head.log).root_at(signed.size)
    except DamagedLogError as error:
        return Finding(Mismatch.DAMAGED, error.detail, head.organisation, head.log, note)
    if root == signed.root:
        return None
    detail = f"{named} has another root at size {signed.size} than the one that was signed"
    return Finding(Mismatch.OTHER_ROOT, detail, head.organisation, head.log, note)


def _held_against_vault(
    connection: Connection, head: GrownLog, notes: Mapping[tuple[str, Log], str]
) -> Finding | None:
    """The vault is written first, so it is never behind unless it was put back or emptied."""
    known = checkpoints.newest(connection, head.organisation, head.log, size_max=head.size)
    if known is None:
        return None
    note = notes.get((head.organisation, head.log))
    size = 0 if note is None else checkpoints.read_unverified(note).size
    if size >= known.size:
        return None
    detail = (
        f"the vault has log {head.log} of {head.organisation} at size {size}, and the database"
        f" a checkpoint of {known.size}: the vault is an older copy"
    )
    return Finding(Mismatch.VAULT_BEHIND, detail, head.organisation, head.log, known.note)
