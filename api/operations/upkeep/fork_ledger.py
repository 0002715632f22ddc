"""Go on from a ledger that is not the one that was signed last, under a new origin."""

from contextlib import nullcontext
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from api.data_folder import DataFolder, hold
from api.database import migrate, refuse_newer_schema, writing_engine
from api.operations.upkeep.open_ledger import examine
from api.settings import Settings
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, PayloadContext, seal_payload
from consent.ledger import checkpoints, forks
from consent.ledger import log as ledger_log
from consent.ledger.canonical import canonical
from consent.ledger.checkpoints import Rereader, SignedCheckpoint, read_heads
from consent.ledger.errors import ForkRefusedError
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import SealedEntry
from consent.ledger.rollback import FORKABLE, Finding, Mismatch
from consent.ledger.vault import Vault

ACTOR = "operator"


class Forked(msgspec.Struct, frozen=True):
    """What became of one log. ``origin`` is None where the ledger goes on without the log."""

    organisation: str
    log: Log
    why: str
    origin: str | None = None
    index: int | None = None


def fork_ledger(settings: Settings, *, reason: str, now: datetime) -> list[Forked]:
    """Fork every log that does not fit the vault; the others go on as they are.

    The old checkpoint stands in the first leaf of each, ``reason`` sealed beside it.
    ``ForkRefusedError``: nothing is to be forked, or a fork would not help.
    """
    folder = DataFolder(settings.data)
    folder.require()
    url = settings.database_url or folder.database_url
    with hold(folder) if settings.database_url is None else nullcontext():
        keys = KeyRing.open(folder.root, root=settings.root_key_place())
        vault = Vault.open(settings.vault or folder.vault)
        refuse_newer_schema(url)
        findings = examine(url, vault, keys=keys)
        _refuse_needless(findings)
        migrate(url)
        engine = writing_engine(url)
        try:
            with engine.connect() as connection:
                with connection.begin():
                    forked = [_fork(connection, one, keys, reason, now) for one in findings]
                with connection.begin():
                    _sign(connection, forked, keys, vault, now)
        finally:
            engine.dispose()
        for one in forked:
            if one.origin is None:
                vault.retire(one.organisation, one.log, at=now)
    return forked


def _refuse_needless(findings: list[Finding]) -> None:
    if not findings:
        raise ForkRefusedError("the database is the one that was signed last: there is no need")
    for finding in findings:
        if finding.mismatch not in FORKABLE:
            raise ForkRefusedError(f"a fork would not help: {finding.detail}")


def _fork(
    connection: Connection, finding: Finding, keys: KeyRing, reason: str, now: datetime
) -> Forked:
    organisation, log, note = finding.organisation, finding.log, finding.note
    assert organisation is not None, "what can be forked is one log"
    assert log is not None, "what can be forked is one log"
    assert note is not None, "what can be forked was signed"
    if finding.mismatch is Mismatch.LOG_MISSING:
        return Forked(organisation, log, finding.detail)
    ledger_log.lock_heads(connection, [organisation], [log])
    event_id = uuid7(now)
    key = keys.sealing_key(organisation, KeyKind.RECORD, at=now)
    context = PayloadContext(organisation, event_id, forks.ENTRY_TYPE, None)
    entry = SealedEntry(
        event_id=event_id,
        type=forks.ENTRY_TYPE,
        occurred_at=now,
        actor=ACTOR,
        statement=forks.statement_of(connection, organisation, log, note),
        payload=seal_payload(key, context, canonical({"reason": reason})),
    )
    receipt = forks.fork_log(connection, organisation, log, entry, recorded_at=now)
    origin = ledger_log.head(connection, organisation, log).origin
    return Forked(organisation, log, finding.detail, origin, receipt.index)


def _sign(
    connection: Connection, forked: list[Forked], keys: KeyRing, vault: Vault, now: datetime
) -> None:
    """Read each forked log back from its first entry, and let its new checkpoint take over."""
    places = {(one.organisation, one.log) for one in forked if one.origin is not None}
    signed = []
    for head in read_heads(connection, {organisation for organisation, _ in places}):
        if (head.organisation, head.log) in places:
            checkpoint = Rereader().advance(connection, head, signed=None)
            note = checkpoints.sign(checkpoint, keys.log_signing_keys(head.organisation, head.log))
            signed.append(SignedCheckpoint(head.organisation, head.log, head.size, note, now))
    vault.put_many(signed, fork=True)
    checkpoints.keep_many(connection, signed)
