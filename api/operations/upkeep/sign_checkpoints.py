"""Sign the logs that have grown: read back, signed, in the vault, and only then on record.

Nothing of this is in a request's way. Reading back happens on a read-only connection; the
writer only takes the finished notes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from api.errors import RetryLaterError
from api.exchange import Service
from api.roles import NO_ORGANISATION
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints
from consent.ledger.checkpoints import Checkpoint, GrownLog, Rereader, SignedCheckpoint
from consent.ledger.errors import DamagedLogError, ReadOnlyError, VaultError
from consent.ledger.leaf import Log
from consent.ledger.vault import Vault


class KeepCheckpoints:
    """The work that puts signed checkpoints on record."""

    name = "keep_checkpoints"
    priority = Priority.OTHER

    def run_many(
        self,
        connection: Connection,
        requests: Sequence[Sequence[SignedCheckpoint]],
        *,
        now: datetime,
    ) -> list[int]:
        """Keep each; the answer counts them."""
        checkpoints.keep_many(connection, [one for request in requests for one in request])
        return [len(request) for request in requests]


@dataclass(slots=True)
class _Signed:
    """What one look at the heads gave: signed anew, and known to the vault but not on record."""

    fresh: list[SignedCheckpoint] = field(default_factory=list)
    to_keep: list[SignedCheckpoint] = field(default_factory=list)


class CheckpointSigner:
    """Signs for one process; several that share a vault do not get into each other's way."""

    def __init__(self, service: Service, keys: KeyRing, vault: Vault) -> None:
        self._service = service
        self._keys = keys
        self._vault = vault
        self._keep = KeepCheckpoints()
        self._rereader = Rereader()
        self._last: dict[tuple[str, Log], Checkpoint] = {}
        self._one_at_a_time = asyncio.Lock()

    async def sign_grown(self) -> None:
        """Sign every log that has grown since its last checkpoint.

        A log that is not what was appended to it ends all writing. A vault that cannot be
        written is an alarm: the same is signed at the next try.
        """
        service = self._service
        async with self._one_at_a_time:
            try:
                now = service.clock.now()
                signed = await service.reader.run(lambda connection: self._look(connection, now))
                put = await asyncio.to_thread(self._vault.put_many, signed.fresh)
                if put or signed.to_keep:
                    await service.writer.submit(
                        self._keep, [*put, *signed.to_keep], organisation=NO_ORGANISATION
                    )
            except DamagedLogError as error:
                service.telemetry.work_failed(self._keep.name, error)
                service.writer.refuse(error.detail)
            except VaultError as error:
                service.telemetry.work_failed(self._keep.name, error)
            except (RetryLaterError, ReadOnlyError):
                return
            else:
                for one in (*signed.fresh, *signed.to_keep):
                    place = (one.organisation, one.log)
                    self._last[place] = checkpoints.read_unverified(one.note)

    def _look(self, connection: Connection, now: datetime) -> _Signed:
        found = _Signed()
        for head in checkpoints.read_heads(connection):
            last = self._last.get((head.organisation, head.log))
            if last is None and head.size:
                last = self._recall(connection, head, found, now)
                if last is not None:
                    self._last[head.organisation, head.log] = last
            if last is not None and last.origin == head.origin and head.size < last.size:
                raise DamagedLogError(
                    f"log {head.log} of {head.organisation} has {head.size} entries, and"
                    f" {last.size} were signed: it was put back while the service ran"
                )
            if head.size and (last is None or last != self._as_signed(head, last)):
                found.fresh.append(self._signed(connection, head, last, now))
        return found

    @staticmethod
    def _as_signed(head: GrownLog, last: Checkpoint) -> Checkpoint:
        return Checkpoint(head.origin, head.size, last.root)

    def _recall(
        self, connection: Connection, head: GrownLog, found: _Signed, now: datetime
    ) -> Checkpoint | None:
        """The last checkpoint of a log that this process has not signed yet."""
        known = checkpoints.newest(connection, head.organisation, head.log, size_max=head.size)
        on_record = None if known is None else checkpoints.read_unverified(known.note)
        note = self._vault.last_of(head.organisation, head.log)
        if note is None:
            return on_record
        last = checkpoints.read_unverified(note)
        if last != on_record and last.size <= head.size:
            # Put in the vault just before a crash.
            found.to_keep.append(
                SignedCheckpoint(head.organisation, head.log, last.size, note, now)
            )
        return last

    def _signed(
        self, connection: Connection, head: GrownLog, last: Checkpoint | None, now: datetime
    ) -> SignedCheckpoint:
        signed = last if last is not None and last.origin == head.origin else None
        checkpoint = self._rereader.advance(connection, head, signed=signed)
        keys = self._keys.log_signing_keys(head.organisation, head.log)
        note = checkpoints.sign(checkpoint, keys)
        return SignedCheckpoint(head.organisation, head.log, head.size, note, now)
