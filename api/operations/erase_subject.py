"""Erase a person, and say in a certificate what was destroyed and when it is complete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from api.operations.record_events import ID_PREFIX
from api.work import Priority
from audit import decisions, jobs
from consent.erasure import Erasure, ErasureInput, erase
from consent.erasure_journal import ErasureJournal
from consent.keys.errors import BrokenSealError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.identifiers import label_of, uuid7
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

NOTHING_WAS_THERE = "Nothing was on record under this address; it is suppressed."
COMPLETE = "What was destroyed is in no backup of the database that these keys could open."
LATER = (
    "Backups of the database from before the erasure can be opened until the keys in"
    " until_destroyed are destroyed. `cleartosend keys rotate` does that, to the standing key"
    " from the next month on. Backups of the key files must be deleted as well."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRequest:
    """Whom to erase, and why. ``actor``: the id of the key that asks."""

    organisation: str
    actor: str
    address: Address
    why: str


class DestroyedShape(msgspec.Struct, frozen=True, kw_only=True):
    """How much was deleted: the person's keys, sealed payloads, addresses, standing, and what led
    from an address to earlier decisions."""

    keys: int
    payloads: int
    addresses: int
    standings: int
    decision_aliases: int


class KeyAwaited(msgspec.Struct, frozen=True):
    """A key that an old backup still needs, and that is still in the key store."""

    kind: str
    version: int


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether old backups hold anything that the present keys could open."""

    complete: bool
    until_destroyed: tuple[KeyAwaited, ...]
    statement: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What an erasure did. The receipt is that of the ``erase`` entry in the consent log.

    ``repeated``: nothing had come on record since an earlier erasure, whose receipt this is.
    ``suppressed``: how many spellings of the person's addresses stay suppressed. ``linked``: the
    ids of their linked addresses, which were erased with them.
    """

    id: str
    log: str
    index: int
    leaf_hash: str
    recorded_at: datetime
    subject: str | None
    linked: tuple[str, ...]
    repeated: bool
    destroyed: DestroyedShape
    suppressed: int
    backups: Completeness


class EraseSubjects:
    """The work. Without a journal, on a database that ends with its process, none is kept."""

    name = "erase_subject"
    priority = Priority.OPT_OUT

    def __init__(self, keys: KeyRing, journal: ErasureJournal | None) -> None:
        self._keys = keys
        self._journal = journal

    def run_many(
        self, connection: Connection, requests: Sequence[ErasureRequest], *, now: datetime
    ) -> list[Certificate | ComplianceError]:
        """Erase each, in order. The journal has them on disk before the turn commits."""
        certificates: list[Certificate | ComplianceError] = []
        done: list[tuple[str, Erasure]] = []
        for request in requests:
            given = ErasureInput(
                address=request.address, event_id=uuid7(now), actor=request.actor, why=request.why
            )
            try:
                erasure = erase(connection, request.organisation, given, keys=self._keys, now=now)
            except BrokenSealError as error:  # Raised before anything was changed.
                certificates.append(error)
                continue
            aliases = decisions.forget_strangers(
                connection, request.organisation, erasure.blind_indexes, keys=self._keys
            )
            jobs.withdraw(connection, request.organisation, erasure.subjects, now=now)
            if not erasure.repeated:
                done.append((request.organisation, erasure))
            certificates.append(_certificate(request.organisation, erasure, aliases, self._keys))
        if self._journal is not None:
            self._journal.append(done)
        return certificates


def _certificate(organisation: str, erasure: Erasure, aliases: int, keys: KeyRing) -> Certificate:
    receipt, destroyed = erasure.receipt, erasure.destroyed
    return Certificate(
        id=label_of(ID_PREFIX, receipt.event_id),
        log=receipt.log.value,
        index=receipt.index,
        leaf_hash=receipt.leaf_hash.hex(),
        recorded_at=receipt.recorded_at,
        subject=erasure.subjects[0].hex() if erasure.subjects else None,
        linked=tuple(person.hex() for person in erasure.subjects[1:]),
        repeated=erasure.repeated,
        destroyed=DestroyedShape(
            keys=destroyed.keys,
            payloads=destroyed.payloads,
            addresses=destroyed.aliases,
            standings=destroyed.standings,
            decision_aliases=aliases,
        ),
        suppressed=len(erasure.record.tokens),
        backups=_completeness(organisation, erasure, keys),
    )


def _completeness(organisation: str, erasure: Erasure, keys: KeyRing) -> Completeness:
    """Name the keys under which earlier copies of what was destroyed may lie."""
    if not erasure.subjects:
        return Completeness(complete=True, until_destroyed=(), statement=NOTHING_WAS_THERE)
    last = erasure.record.organisation_key or 0
    awaited = [
        KeyAwaited(KeyKind.ORGANISATION.value, version)
        for version in keys.versions_of(organisation, KeyKind.ORGANISATION)
        if version <= last
    ]
    month = erasure.at.year * 100 + erasure.at.month
    awaited += [
        KeyAwaited(KeyKind.STANDING.value, version)
        for version in keys.versions_of(organisation, KeyKind.STANDING)
        if version <= month
    ]
    return Completeness(
        complete=not awaited,
        until_destroyed=tuple(awaited),
        statement=LATER if awaited else COMPLETE,
    )
