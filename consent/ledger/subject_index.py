"""The index of subjects: a root over everybody's last entry, as of one size of a log.

A trail's own chain shows that nothing inside it was left out; this shows that nothing was cut
from its end. The root is stated in an ``index`` leaf of that log: of the consent log daily and by
each export, of the decisions log by each export.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import log as ledger_log
from consent.ledger import tables
from consent.ledger.canonical import canonical
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt, SealedEntry
from consent.ledger.tree import EMPTY_ROOT, leaf_hash, node_hash

ENTRY_TYPE = "index"
ROWS_AT_ONCE = 4096


class SubjectHead(msgspec.Struct, frozen=True):
    """A leaf of the index: a subject's number of entries and the hash of the last, in hex."""

    head_leaf_hash: str
    head_seq: int
    subject: str


class IndexProof(msgspec.Struct, frozen=True):
    """Where a subject stands in the index, and its inclusion proof, leaf first."""

    position: int
    head: SubjectHead
    proof: tuple[bytes, ...]


class SubjectIndex(msgspec.Struct, frozen=True):
    """The index of all subjects that have an entry, in order of id, when the log had ``size``.

    ``proofs`` are of those who were wanted. Who was and has no entry is in ``absent``, with the
    proofs of their neighbours: two that follow on each other, or one at an end of the index.
    """

    log: Log
    size: int
    count: int
    root: bytes
    proofs: dict[bytes, IndexProof]
    absent: dict[bytes, tuple[IndexProof, ...]] = {}

    @property
    def statement(self) -> dict[str, str | int]:
        """What the ``index`` leaf says."""
        return {"root": self.root.hex(), "size": self.size, "subjects": self.count}


def compute(
    connection: Connection,
    organisation: str,
    log: Log = Log.CONSENT,
    *,
    wanted: Collection[bytes] = (),
) -> SubjectIndex:
    """Compute the index of a log from the subjects' rows, with proofs for who is ``wanted``.

    In one transaction that sees one state, or under the lock of the log's head: else the rows
    are not those of the size that it states. Memory does not grow with the subjects.
    """
    size = ledger_log.head(connection, organisation, log).size
    proved = _Proved(sorted(set(wanted)))
    growing = _Growing()
    # Each waits until the next is known: whether it is to be proved may follow from that one.
    waiting: SubjectHead | None = None
    place = 0
    for place, head in enumerate(_heads(connection, organisation, log)):
        proved.pass_to(bytes.fromhex(head.subject), place)
        _take(growing, proved, waiting)
        waiting = head
    proved.pass_to(None, 0 if waiting is None else place + 1)
    _take(growing, proved, waiting)
    root = growing.root()
    proofs = {
        place: IndexProof(place, head, tuple(growing.proofs[place]))
        for place, head in proved.heads.items()
    }
    return SubjectIndex(
        log,
        size,
        growing.count,
        root,
        {id_: proofs[place] for id_, place in proved.present.items()},
        {id_: tuple(proofs[at] for at in places) for id_, places in proved.absent.items()},
    )


def append(
    connection: Connection,
    organisation: str,
    index: SubjectIndex,
    *,
    recorded_at: datetime,
    event_id: bytes | None = None,
    actor: str | None = None,
) -> Receipt:
    """State the index in its log. Its leaf may come after entries that it does not know."""
    entry = SealedEntry(
        event_id=event_id or uuid7(recorded_at),
        type=ENTRY_TYPE,
        occurred_at=recorded_at,
        actor=actor,
        statement=index.statement,
    )
    (receipt,) = ledger_log.append_many(
        connection, organisation, index.log, [entry], recorded_at=recorded_at
    )
    return receipt


def daily_id(organisation: str, at: datetime) -> bytes:
    """The id of that day's index entry: the same for everybody, so that there is one a day.

    A UUIDv7 of the day's first millisecond (UTC), whose random bits are drawn from its name.
    """
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    drawn = sha256(f"{ENTRY_TYPE} {organisation} {midnight:%Y-%m-%d}".encode()).digest()
    return uuid7(midnight)[:8] + bytes([0x80 | drawn[0] & 0x3F]) + drawn[1:8]


def _heads(connection: Connection, organisation: str, log: Log) -> Iterator[SubjectHead]:
    """Everybody's last entry, in order of id."""
    page = _PAGE if log is Log.CONSENT else _PAGE_OF_LOG
    wanted = {"organisation": organisation, "log": log.value, "count": ROWS_AT_ONCE}
    after = b""
    while True:
        rows = connection.execute(page, {**wanted, "after": after}).all()
        for id_, seq, last in rows:
            yield SubjectHead(last.hex(), seq, id_.hex())
        if len(rows) < ROWS_AT_ONCE:
            return
        after = rows[-1][0]


@dataclass(slots=True)
class _Proved:
    """Which places of the index are to be proved: of who is wanted and there, and of the
    neighbours of who is wanted and not there."""

    waiting: list[bytes]
    present: dict[bytes, int] = field(default_factory=dict)
    absent: dict[bytes, list[int]] = field(default_factory=dict)
    places: set[int] = field(default_factory=set)
    heads: dict[int, SubjectHead] = field(default_factory=dict)

    def pass_to(self, id_: bytes | None, place: int) -> None:
        """The next in the index is ``id_`` at ``place``; None: it ends before that place."""
        while self.waiting and (id_ is None or self.waiting[0] < id_):
            beside = [place - 1, *([] if id_ is None else [place])]
            beside = [at for at in beside if at >= 0]
            self.absent[self.waiting.pop(0)] = beside
            self.places.update(beside)
        if self.waiting and self.waiting[0] == id_:
            self.present[self.waiting.pop(0)] = place
            self.places.add(place)


def _take(growing: "_Growing", proved: _Proved, head: SubjectHead | None) -> None:
    if head is None:
        return
    is_proved = growing.count in proved.places
    if is_proved:
        proved.heads[growing.count] = head
    growing.add(leaf_hash(canonical(head)), is_proved=is_proved)


@dataclass(slots=True)
class _Subtree:
    height: int
    root: bytes
    proved: tuple[int, ...]


@dataclass(slots=True)
class _Growing:
    """A tree that keeps only its peaks, and the paths of the leaves that are to be proved."""

    count: int = 0
    peaks: list[_Subtree] = field(default_factory=list)
    proofs: dict[int, list[bytes]] = field(default_factory=dict)

    def add(self, hashed: bytes, *, is_proved: bool) -> None:
        proved = (self.count,) if is_proved else ()
        if is_proved:
            self.proofs[self.count] = []
        self.count += 1
        node = _Subtree(0, hashed, proved)
        while self.peaks and self.peaks[-1].height == node.height:
            node = self._joined(self.peaks.pop(), node)
        self.peaks.append(node)

    def root(self) -> bytes:
        """The root of what was added. Call it once: it completes the proofs."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            node = self._joined(left, node)
        return node.root

    def _joined(self, left: _Subtree, right: _Subtree) -> _Subtree:
        for place in left.proved:
            self.proofs[place].append(right.root)
        for place in right.proved:
            self.proofs[place].append(left.root)
        root = node_hash(left.root, right.root)
        return _Subtree(left.height + 1, root, left.proved + right.proved)


_SUBJECT = tables.subject.c
_PAGE = (
    sa.select(_SUBJECT.id, _SUBJECT.head_seq, _SUBJECT.head_leaf_hash)
    .where(
        _SUBJECT.organisation == bindparam("organisation"),
        _SUBJECT.id > bindparam("after"),
        _SUBJECT.head_seq > 0,
    )
    .order_by(_SUBJECT.id)
    .limit(bindparam("count"))
)
_OTHER = tables.subject_head.c
_PAGE_OF_LOG = (
    sa.select(_OTHER.id, _OTHER.head_seq, _OTHER.head_leaf_hash)
    .where(
        _OTHER.organisation == bindparam("organisation"),
        _OTHER.log == bindparam("log"),
        _OTHER.id > bindparam("after"),
    )
    .order_by(_OTHER.id)
    .limit(bindparam("count"))
)
