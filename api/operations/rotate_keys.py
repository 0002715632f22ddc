"""Put newer keys in the place of older ones, and destroy those under which nothing lies any more.

A rotation is a pass over all persons in many turns of the writer. Old keys are destroyed after
the last turn has been committed, never within one: a turn may still be undone, a key cannot.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from api.errors import InvalidRequestError
from api.work import Priority
from api.writer import Writer
from consent import rotation
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger import log as ledger_log
from consent.ledger.identifiers import uuid7
from consent.ledger.log import SealedEntry
from consent.ledger.notes import Verifier
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

PEOPLE_AT_ONCE = 200
LOG_KEY_ENTRY = "log_key"


class What(StrEnum):
    """Which keys: those that wrap persons' keys and seal standings, those of the index, or those
    that sign the logs."""

    ORGANISATION = "organisation"
    INDEX = "index"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationStep:
    """The next batch of a rotation. ``version`` None begins it with a new key."""

    organisation: str
    what: What
    version: int | None = None
    after: bytes = rotation.START


class DestroyedKey(msgspec.Struct, frozen=True):
    """A key that is gone for good."""

    kind: str
    version: int


class RotationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rotation has come. ``cursor`` is for the next call; null when it is done.

    ``total`` persons in all, ``done`` in this call. ``unreadable``: what did not open, and so
    keeps an old key from being destroyed. ``kept``: old keys that are still needed.
    """

    version: int
    cursor: str | None
    done: int
    total: int
    unreadable: int
    destroyed: tuple[DestroyedKey, ...] = ()
    kept: tuple[DestroyedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a batch came to."""

    version: int
    passed: rotation.Passed
    total: int


class RotateKeys:
    """The work; its requests are steps. The new key is on disk before anything lies under it."""

    name = "rotate_keys"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[RotationStep], *, now: datetime
    ) -> list[Stepped | ComplianceError]:
        """Take each step. ``InvalidRequestError``: it goes on to a key that there is not."""
        return [self._step(connection, request, now) for request in requests]

    def _step(
        self, connection: Connection, step: RotationStep, now: datetime
    ) -> Stepped | ComplianceError:
        is_index = step.what is What.INDEX
        kind = KeyKind.INDEX if is_index else KeyKind.ORGANISATION
        version = step.version
        if version is not None and version not in self._keys.versions_of(step.organisation, kind):
            return InvalidRequestError(
                "there is no key of that version", (("/version", "take it from the last answer"),)
            )
        if version is None:
            version = self._keys.renew(step.organisation, kind, at=now)
        there = (connection, step.organisation)
        if is_index:
            passed = rotation.reindex(
                *there, after=step.after, limit=PEOPLE_AT_ONCE, keys=self._keys
            )
        else:
            passed = rotation.rewrap(
                *there, after=step.after, limit=PEOPLE_AT_ONCE, keys=self._keys, now=now
            )
        return Stepped(version, passed, rotation.count_people(connection, step.organisation))


class RotateLogKeys:
    """The work that makes the next keys of an organisation's logs; the answer is their version.

    Each log states its new key in an entry, which the old one still signs: whoever trusts that
    has the new one from the log itself.
    """

    name = "rotate_log_keys"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Make and state them, for each organisation."""
        return [self._rotate(connection, organisation, now) for organisation in requests]

    def _rotate(self, connection: Connection, organisation: str, now: datetime) -> int:
        heads = ledger_log.lock_heads(connection, [organisation], ledger_log.LOCK_ORDER)
        version = self._keys.renew_log_keys(organisation)
        for log in ledger_log.LOCK_ORDER:
            key = self._keys.log_key(organisation, log).public_key()
            verifier = Verifier(heads[organisation, log].origin, key)
            entry = SealedEntry(
                event_id=uuid7(now),
                type=LOG_KEY_ENTRY,
                occurred_at=now,
                statement={"verifier_key": str(verifier), "version": version},
            )
            ledger_log.append_many(connection, organisation, log, [entry], recorded_at=now)
        return version


@dataclass(frozen=True, slots=True)
class InUse:
    """Which keys anything lies under, as committed."""

    organisation_keys: frozenset[int]
    standing_keys: frozenset[int]
    index_keys: frozenset[int]
    now: datetime


class FindKeysInUse:
    """The work that looks which keys are needed, under the lock of the organisation's logs."""

    name = "find_keys_in_use"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[InUse]:
        """Look, for each organisation."""
        return [
            InUse(
                frozenset(rotation.organisation_keys_in_use(connection, organisation)),
                frozenset(rotation.standing_keys_in_use(connection, organisation)),
                frozenset(
                    rotation.index_versions_in_use(
                        connection, organisation, self._keys.index_version(organisation)
                    )
                ),
                now,
            )
            for organisation in requests
        ]


@dataclass(frozen=True, slots=True)
class NewSubjectKey:
    """Whose data key is under suspicion."""

    organisation: str
    address: Address


class RenewSubjectKeys:
    """The work that gives persons their next data key; the answer is its version."""

    name = "renew_subject_key"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[NewSubjectKey], *, now: datetime
    ) -> list[int]:
        """Make one for each."""
        return [
            rotation.renew_subject_key(connection, one.organisation, one.address, keys=self._keys)
            for one in requests
        ]


class KeyKeeper:
    """Takes the steps of a rotation one after the other, each committed before the next."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self._rotate = RotateKeys(keys)
        self._rotate_log_keys = RotateLogKeys(keys)
        self._in_use = FindKeysInUse(keys)
        self._renew = RenewSubjectKeys(keys)

    async def step(self, writer: Writer, step: RotationStep) -> RotationAnswer:
        """Take one step; after the last one, destroy what is not needed any more."""
        organisation = step.organisation
        if step.what is What.LOG:
            made: int = await writer.submit(
                self._rotate_log_keys, organisation, organisation=organisation
            )
            return RotationAnswer(version=made, cursor=None, done=0, total=0, unreadable=0)
        stepped: Stepped = await writer.submit(
            self._rotate, step, organisation=organisation, weight=PEOPLE_AT_ONCE
        )
        destroyed: list[DestroyedKey] = []
        kept: list[DestroyedKey] = []
        if stepped.passed.after is None:
            used: InUse = await writer.submit(self._in_use, organisation, organisation=organisation)
            destroyed, kept = await asyncio.to_thread(
                self._destroy, organisation, used, stepped.version, step.what
            )
        after = stepped.passed.after
        return RotationAnswer(
            version=stepped.version,
            cursor=None if after is None else after.hex(),
            done=stepped.passed.count,
            total=stepped.total,
            unreadable=stepped.passed.unreadable,
            destroyed=tuple(destroyed),
            kept=tuple(kept),
        )

    async def keep_monthly(
        self, writer: Writer, organisation: str, *, now: datetime, is_start: bool
    ) -> RotationAnswer | None:
        """Rotate the organisation's keys if they are of an earlier month; None, if they are not.

        At the start of a process a rotation that was broken off is ended too.
        """
        kind = KeyKind.ORGANISATION
        if self.keys.is_due(organisation, at=now):
            return await self._rotate_all(writer, organisation, None)
        *older, newest = self.keys.versions_of(organisation, kind)
        if is_start and older:
            return await self._rotate_all(writer, organisation, newest)
        return None

    async def _rotate_all(
        self, writer: Writer, organisation: str, version: int | None
    ) -> RotationAnswer:
        step = RotationStep(organisation=organisation, what=What.ORGANISATION, version=version)
        while True:
            answer = await self.step(writer, step)
            if answer.cursor is None:
                return answer
            step = RotationStep(
                organisation=organisation,
                what=What.ORGANISATION,
                version=answer.version,
                after=bytes.fromhex(answer.cursor),
            )

    async def renew_subject_key(self, writer: Writer, wanted: NewSubjectKey) -> int:
        """Give a person a new data key; give its version."""
        version: int = await writer.submit(self._renew, wanted, organisation=wanted.organisation)
        return version

    def _destroy(
        self, organisation: str, used: InUse, version: int, what: What
    ) -> tuple[list[DestroyedKey], list[DestroyedKey]]:
        """Destroy the keys older than those of this rotation, but those still in use.

        The last index key but one stays until the next rotation: decisions of the last minutes may
        name strangers by it, and permits that are out rest on them.
        """
        if what is What.INDEX:
            before = max(v for v in self.keys.index_versions(organisation) if v <= version)
            latest = [v for v in self.keys.index_versions(organisation) if v < before][:1]
            old = {KeyKind.INDEX: (version, used.index_keys | frozenset(latest))}
        else:
            this_month = used.now.year * 100 + used.now.month
            old = {
                KeyKind.ORGANISATION: (version, used.organisation_keys),
                KeyKind.STANDING: (this_month, used.standing_keys),
            }
        destroyed: list[DestroyedKey] = []
        kept: list[DestroyedKey] = []
        for kind, (below, needed) in old.items():
            older = [v for v in self.keys.versions_of(organisation, kind) if v < below]
            unneeded = [v for v in older if v not in needed]
            gone = self.keys.destroy(organisation, kind, unneeded) if unneeded else []
            destroyed += [DestroyedKey(kind.value, v) for v in gone]
            kept += [DestroyedKey(kind.value, v) for v in older if v in needed]
        return destroyed, kept
