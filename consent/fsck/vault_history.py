"""The vault's history: every checkpoint that was ever signed, held against the logs as they are.

Who cuts a log and puts the vault's last checkpoint back with it has these to change as well.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from consent.fsck.damage import Damage, Kind
from consent.ledger import checkpoints
from consent.ledger.checkpoints import Checkpoint, GrownLog, SignedCheckpoint
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.forks import MARK as FORK_MARK
from consent.ledger.leaf import Log
from consent.ledger.proofs import LogTree
from consent.ledger.rollback import LogKeys, origin_of
from consent.ledger.vault import Vault


def inspect_history(
    connection: Connection,
    vault: Vault,
    heads: Collection[GrownLog],
    *,
    log_keys: LogKeys,
    until: Mapping[str, int] | None = None,
) -> Iterator[Damage]:
    """Every line that is no checkpoint of ours, or not one of these logs as they stand.

    Of logs that are not among ``heads``, and of origins that a log was forked from, the signature
    alone is looked at: what was signed then may have been lost. ``until``: how far the history
    went before the connection's state; what was signed later is not held against that.
    """
    history = _History(connection, vault.ledger_id, heads, log_keys)
    for place, line in vault.history_lines(until=until):
        yield from history.look_at(place, line)
    yield from history.beyond()


class _History:
    def __init__(
        self,
        connection: Connection,
        ledger_id: str,
        heads: Collection[GrownLog],
        log_keys: LogKeys,
    ) -> None:
        self._connection = connection
        self._ledger_id = ledger_id
        self._heads = {(head.organisation, head.log): head for head in heads}
        self._log_keys = log_keys
        self._keys: dict[tuple[str, Log], list[Ed25519PublicKey]] = {}
        self._furthest: dict[tuple[str, Log], tuple[int, str]] = {}

    def look_at(self, place: str, line: bytes) -> Iterator[Damage]:
        try:
            signed = msgspec.json.decode(line, type=SignedCheckpoint)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if not _is_cut(line):
                detail = f"{place} of the vault is no checkpoint"
                yield Damage(None, None, None, Kind.VAULT, detail)
            return
        if self._is_on_record(signed):
            return
        what = self._what_is_wrong(signed, place)
        if what is not None:
            detail = f"{place} of the vault {what}"
            yield Damage(signed.organisation, signed.log, None, Kind.VAULT, detail)

    def beyond(self) -> Iterator[Damage]:
        """One for each log that is shorter than its history."""
        for (organisation, log), (size, place) in sorted(self._furthest.items()):
            detail = (
                f"{place} of the vault has a checkpoint of size {size}, and the log has"
                f" {self._heads[organisation, log].size} entries"
            )
            yield Damage(organisation, log, None, Kind.VAULT, detail)

    def _is_on_record(self, signed: SignedCheckpoint) -> bool:
        """Whether the database has the very same; then it is looked at with the log's entries."""
        head = self._heads.get((signed.organisation, signed.log))
        if head is None or signed.size > head.size:
            return False
        return signed == checkpoints.of_size(
            self._connection, signed.organisation, signed.log, signed.size
        )

    def _what_is_wrong(self, signed: SignedCheckpoint, place: str) -> str | None:
        of_log = (signed.organisation, signed.log)
        try:
            checkpoint = checkpoints.read_unverified(signed.note)
            checkpoints.verify(signed.note, checkpoint.origin, self._keys_of(of_log))
        except NoteError as error:
            return f"was not signed by this ledger: {error.detail}"
        first_origin = f"{origin_of(self._ledger_id, signed.organisation)}/{signed.log}"
        if (checkpoint.origin.partition(FORK_MARK)[0], checkpoint.size) != (
            first_origin,
            signed.size,
        ):
            return "says another log or size than the checkpoint in it"
        head = self._heads.get(of_log)
        if head is None or checkpoint.origin != head.origin:
            return None
        if checkpoint.size > head.size:
            known = self._furthest.get(of_log, (0, ""))
            self._furthest[of_log] = max(known, (checkpoint.size, place))
            return None
        return self._of_root(checkpoint, head)

    def _of_root(self, checkpoint: Checkpoint, head: GrownLog) -> str | None:
        try:
            root = LogTree(self._connection, head.organisation, head.log).root_at(checkpoint.size)
        except DamagedLogError:
            return None  # ``entries.py`` names it.
        if root == checkpoint.root:
            return None
        return f"has another root at size {checkpoint.size} than the log"

    def _keys_of(self, of_log: tuple[str, Log]) -> list[Ed25519PublicKey]:
        if of_log not in self._keys:
            self._keys[of_log] = list(self._log_keys(*of_log))
        return self._keys[of_log]


def _is_cut(line: bytes) -> bool:
    """Whether a crash cut the line as it was written: it was put in again after it.

    A line that is there to its end was changed, and not cut.
    """
    is_whole = line.endswith(_END[-1:]) or line[:-1].endswith((_END, _END[:-1]))
    return line.startswith(_BEGINNING[: len(line)]) and not is_whole


_BEGINNING = b'{"organisation":"'
_END = b'Z"}'
