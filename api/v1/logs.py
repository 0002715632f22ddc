"""The logs as their auditors read them: checkpoints, tiles, proofs and leaves; never a payload.

Checkpoint and tiles are those of C2SP (tlog-checkpoint, tlog-tiles), so that other people's
verifiers take ``/v1/logs/{log}`` for the prefix of a log.
"""

import base64
import re
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, PathParameter, QueryParameter
from sqlalchemy import Connection

from api.call import Answer, Call
from api.errors import InvalidRequestError, NotFoundError
from api.roles import Role, open_to
from api.work import Reply
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints
from consent.ledger.checkpoints import SignedCheckpoint
from consent.ledger.entries import read_entries
from consent.ledger.identifiers import label_of
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier
from consent.ledger.proofs import LogTree, Receipt, write_receipt
from consent.ledger.tiles import TILE_WIDTH
from consent.ledger.tree import HASH_SIZE

ENTRIES_AT_ONCE_MAX = 1000
LEVEL_MAX = 63
ENTRY_PREFIX = "ent"

_TEXT = b"text/plain; charset=utf-8"
_BYTES = b"application/octet-stream"
_FOR_GOOD = "private, max-age=31536000, immutable"
_FOR_NOW = "private, max-age=1"
_TILE_PATH = re.compile(r"/?((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

LogName = Annotated[
    str,
    PathParameter(
        description="consent, decisions, rules or access.",
        schema_extra={"enum": [log.value for log in Log]},
    ),
]
Level = Annotated[
    str,
    PathParameter(
        description="0 to 63, or `entries`.", pattern=r"^(0|[1-9][0-9]?|entries)$", max_length=7
    ),
]
TilePath = Annotated[
    str,
    PathParameter(
        description="The tile's number in groups of three digits, such as `x001/x234/067`; "
        "`.p/{width}` for one that is not full.",
        max_length=64,
    ),
]
_COUNT_MAX = 2**53
Index = Annotated[int, QueryParameter(description="Of the entry, from 0.", ge=0, le=_COUNT_MAX)]
Size = Annotated[
    int | None,
    QueryParameter(
        description="Of the tree; else that of the last checkpoint.", ge=0, le=_COUNT_MAX
    ),
]
From = Annotated[int, QueryParameter(name="from", ge=0, le=_COUNT_MAX)]
To = Annotated[int, QueryParameter(name="to", ge=0, le=_COUNT_MAX)]


class LogShape(msgspec.Struct, frozen=True, kw_only=True):
    """A log: how far it has come, how far it is signed, and the keys that sign it.

    ``verifier_keys`` are written as signed notes have them: name, id and key. Keep them where
    the service cannot reach them.
    """

    log: Log
    origin: str
    size: int
    signed_size: int | None
    verifier_keys: list[str]


class LogList(msgspec.Struct, frozen=True):
    """The four of them."""

    items: list[LogShape]
    next_cursor: str | None = None


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6962, the leaf's sibling first, in base64; ``leaf_hash`` in hex, as in receipts.

    ``receipt`` is the same as a C2SP ``tlog-proof``, where a checkpoint of that size was signed.
    """

    index: int
    size: int
    leaf_hash: str
    root: str
    proof: list[str]
    receipt: str | None


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6962: that the tree of size ``to`` begins with that of size ``from``."""

    from_: int = msgspec.field(name="from")
    to: int
    from_root: str
    to_root: str
    proof: list[str]


class EntryShape(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands in the tree: ``leaf`` is base64 of the very bytes that are hashed."""

    index: int
    id: str
    leaf_hash: str
    leaf: str


class EntryList(msgspec.Struct, frozen=True):
    """Entries in order. ``next_from`` is where the next ones begin; null at the log's end."""

    items: list[EntryShape]
    next_from: int | None


@get(
    "/v1/logs",
    opt=open_to(Role.AUDITOR),
    operation_id="listLogs",
    summary="The logs, and the keys that sign them",
)
async def get_logs(request: Call, key_ring: NamedDependency[KeyRing]) -> Answer[LogList]:
    """Each organisation has its own; the origin names it."""
    organisation = request.caller.organisation

    def read(connection: Connection) -> list[LogShape]:
        return [
            LogShape(
                log=head.log,
                origin=head.origin,
                size=head.size,
                signed_size=None if (signed := _newest(connection, head)) is None else signed.size,
                verifier_keys=[
                    str(Verifier(head.origin, key))
                    for key in key_ring.log_public_keys(organisation, head.log)
                ],
            )
            for head in checkpoints.read_heads(connection, [organisation])
        ]

    return await request.read(lambda connection, _: read(connection), shape=LogList)


@get(
    "/v1/logs/{log:str}/checkpoint",
    opt=open_to(Role.AUDITOR),
    media_type="text/plain; charset=utf-8",
    operation_id="readCheckpoint",
    summary="The last signed checkpoint",
)
async def get_checkpoint(log: FromPath[LogName], *, request: Call) -> Answer[str]:
    """A C2SP signed note. It is at most a second behind the log; 404 while the log is empty."""
    organisation, known = request.caller.organisation, _log_of(log)

    def read(connection: Connection) -> bytes:
        tree = LogTree(connection, organisation, known)
        signed = checkpoints.newest(connection, organisation, known, size_max=tree.size)
        if signed is None:
            raise NotFoundError("nothing of this log has been signed yet")
        return signed.note.encode()

    note = await request.exchange.service.reader.run(read)
    return Answer(Reply(200, note), cache_control=_FOR_NOW, media_type=_TEXT)


@get(
    "/v1/logs/{log:str}/tile/{level:str}/{tile:path}",
    opt=open_to(Role.AUDITOR),
    media_type="application/octet-stream",
    operation_id="readTile",
    summary="A tile of hashes, or a bundle of entries",
)
async def get_tile(
    log: FromPath[LogName], level: FromPath[Level], tile: FromPath[TilePath], *, request: Call
) -> Answer[bytes]:
    """C2SP tlog-tiles. A full tile never changes; of one that is not, the first hashes do not."""
    organisation, known = request.caller.organisation, _log_of(log)
    number, width = _tile_of(tile)
    if level != "entries" and int(level) > LEVEL_MAX:
        raise NotFoundError("there is no tile of such a level")

    def read(connection: Connection) -> bytes:
        if level == "entries":
            return _bundle(connection, organisation, known, number, width)
        hashes = LogTree(connection, organisation, known).tile(int(level), number)
        if len(hashes) < width * HASH_SIZE:
            raise NotFoundError("the log has no such tile yet")
        return hashes[: width * HASH_SIZE]

    found = await request.exchange.service.reader.run(read)
    return Answer(Reply(200, found), cache_control=_FOR_GOOD, media_type=_BYTES)


@get(
    "/v1/logs/{log:str}/proofs/inclusion",
    opt=open_to(Role.AUDITOR),
    operation_id="proveInclusion",
    summary="That an entry is in the log",
)
async def get_inclusion_proof(
    log: FromPath[LogName], index: FromQuery[Index], *, request: Call, size: FromQuery[Size] = None
) -> Answer[InclusionProof]:
    """For any size that the log has had, beyond the entry."""
    organisation, known = request.caller.organisation, _log_of(log)

    def read(connection: Connection) -> InclusionProof:
        tree = LogTree(connection, organisation, known)
        at = tree.size if size is None else size
        signed = checkpoints.newest(connection, organisation, known, size_max=at)
        if size is None and signed is not None:
            at = signed.size
        _refuse_beyond(tree, at)
        if index >= at:
            raise NotFoundError(f"a tree of {at} entries has no entry {index}")
        proof = tree.inclusion_proof(index, at)
        receipt = None
        if signed is not None and signed.size == at:
            receipt = write_receipt(Receipt(index, tuple(proof), signed.note))
        return InclusionProof(
            index=index,
            size=at,
            leaf_hash=tree.leaf_hash(index).hex(),
            root=_base64(tree.root_at(at)),
            proof=[_base64(sibling) for sibling in proof],
            receipt=receipt,
        )

    return await request.read(lambda connection, _: read(connection), shape=lambda found: found)


@get(
    "/v1/logs/{log:str}/proofs/consistency",
    opt=open_to(Role.AUDITOR),
    operation_id="proveConsistency",
    summary="That nothing was rewritten",
)
async def get_consistency_proof(
    log: FromPath[LogName], old: FromQuery[From], new: FromQuery[To], *, request: Call
) -> Answer[ConsistencyProof]:
    """Between any two sizes that the log has had."""
    if old > new:
        raise InvalidRequestError("from is beyond to", (("/from", "is at most to"),))
    organisation, known = request.caller.organisation, _log_of(log)

    def read(connection: Connection) -> ConsistencyProof:
        tree = LogTree(connection, organisation, known)
        _refuse_beyond(tree, new)
        return ConsistencyProof(
            from_=old,
            to=new,
            from_root=_base64(tree.root_at(old)),
            to_root=_base64(tree.root_at(new)),
            proof=[_base64(hashed) for hashed in tree.consistency_proof(old, new)],
        )

    return await request.read(lambda connection, _: read(connection), shape=lambda found: found)


@get(
    "/v1/logs/{log:str}/entries",
    opt=open_to(Role.AUDITOR),
    operation_id="readEntries",
    summary="Leaves, in order",
)
async def get_entries(
    log: FromPath[LogName], start: FromQuery[From], end: FromQuery[To], *, request: Call
) -> Answer[EntryList]:
    """The entries of `[from, to)`, at most 1,000 of them at once. Payloads are not in them."""
    if start > end:
        raise InvalidRequestError("from is beyond to", (("/from", "is at most to"),))
    organisation, known = request.caller.organisation, _log_of(log)

    def read(connection: Connection) -> EntryList:
        size = LogTree(connection, organisation, known).size
        until = min(end, start + ENTRIES_AT_ONCE_MAX, size)
        items = [
            EntryShape(
                index=entry.index,
                id=label_of(ENTRY_PREFIX, entry.event_id),
                leaf_hash=entry.leaf_hash.hex(),
                leaf=_base64(entry.leaf),
            )
            for entry in read_entries(connection, organisation, known, start, until)
        ]
        return EntryList(items, until if start < until < min(end, size) else None)

    return await request.read(lambda connection, _: read(connection), shape=lambda found: found)


def _log_of(name: str) -> Log:
    if name not in set(Log):
        raise NotFoundError(f"there is no log of that name; there are {', '.join(Log)}")
    return Log(name)


def _newest(connection: Connection, head: checkpoints.GrownLog) -> SignedCheckpoint | None:
    return checkpoints.newest(connection, head.organisation, head.log, size_max=head.size)


def _tile_of(path: str) -> tuple[int, int]:
    """The number and the width that a path of tlog-tiles asks for."""
    found = _TILE_PATH.fullmatch(path)
    if found is None:
        raise NotFoundError("a tile's path is such as 000, x001/234 or 017.p/8")
    width = int(found[2] or TILE_WIDTH)
    number = int(found[1].replace("x", "").replace("/", ""))
    if (found[2] and width >= TILE_WIDTH) or found[1].startswith("x000/"):
        raise NotFoundError("a tile's path is such as 000, x001/234 or 017.p/8")
    return number, width


def _bundle(connection: Connection, organisation: str, log: Log, n: int, width: int) -> bytes:
    start = n * TILE_WIDTH
    entries = read_entries(connection, organisation, log, start, start + width)
    if len(entries) < width:
        raise NotFoundError("the log has no such entries yet")
    return b"".join([len(entry.leaf).to_bytes(2, "big") + entry.leaf for entry in entries])


def _refuse_beyond(tree: LogTree, size: int) -> None:
    if size > tree.size:
        raise NotFoundError(f"the log has {tree.size} entries, and has never had {size}")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
