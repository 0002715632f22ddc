"""Write a bundle: what an auditor takes along, and verifies with ``verify.py`` alone.

Unpacked, the folder of each log is what C2SP tlog-tiles calls a log: ``checkpoint``, ``tile/…``
and, for a whole log, ``tile/entries/…``. Notes are C2SP signed notes, leaves stand as they are in
the tree. The manifest says what the bundle claims to be, and is signed by each log's key.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from importlib import resources
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from audit.errors import ExportError
from audit.exports.container import Container, Sink
from audit.exports.parts import LogRange, Part, Trail, WholeLog, bounds_of, entries_of
from audit.exports.readme import readme_of
from audit.exports.rows import disclosed_line, entry_line
from audit.exports.telling import AT_ONCE, CSV_NAME, JSON_NAME, disclosed_name, entries_name
from audit.opened import EntryOpener
from audit.trail import opened_of
from consent.keys.key_ring import KeyRing
from consent.ledger import tables
from consent.ledger.canonical import canonical
from consent.ledger.checkpoints import SignedCheckpoint
from consent.ledger.columns import Count
from consent.ledger.entries import Entry
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier, sign_note
from consent.ledger.proofs import LogTree
from consent.ledger.subject_index import IndexProof, SubjectIndex
from consent.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, tile_width
from consent.ledger.tree import HASH_SIZE

FORMAT = "cleartosend-bundle/1"
MANIFEST_NAME = "manifest"
_SCOPES: Mapping[type[Part], str] = {WholeLog: "log", LogRange: "range", Trail: "trail"}
_TILES_AT_ONCE = 128

_TILES = (
    sa.select(tables.log_tile.c.n, tables.log_tile.c.hashes)
    .where(
        tables.log_tile.c.organisation == bindparam("organisation"),
        tables.log_tile.c.log == bindparam("log"),
        tables.log_tile.c.level == 0,
        tables.log_tile.c.n.in_(bindparam("numbers", expanding=True)),
    )
    .order_by(tables.log_tile.c.n)
)

_ROW = tables.checkpoint.c
_DAY = 86_400_000_000
_OF_LOG = (
    _ROW.organisation == bindparam("organisation"),
    _ROW.log == bindparam("log"),
    sa.func.substr(_ROW.note, 1, sa.func.length(bindparam("origin", type_=sa.Text)))
    == bindparam("origin", type_=sa.Text),
)
_LAST = sa.select(sa.func.max(sa.type_coerce(_ROW.signed_at, Count))).where(*_OF_LOG)
_LAST_OF_DAYS = (
    sa.select(_ROW.size, _ROW.note, _ROW.signed_at)
    .where(
        *_OF_LOG,
        sa.type_coerce(_ROW.signed_at, Count).in_(
            _LAST.group_by(sa.type_coerce(_ROW.signed_at, Count) // _DAY)
        ),
    )
    .order_by(_ROW.size, _ROW.signed_at)
)


def write_bundle(
    connection: Connection,
    organisation: str,
    parts: Sequence[Part],
    sink: Sink,
    *,
    keys: KeyRing,
    spooled: Mapping[str, Iterable[bytes]] = MappingProxyType({}),
    asked: Mapping[str, object] | None = None,
    whose: str | None = None,
    kept: Mapping[Log, Collection[int]] = MappingProxyType({}),
    extras: Iterable[tuple[str, Iterable[bytes]]] = (),
) -> dict[str, Any]:
    """Write a bundle of ``parts``, one for each log, to ``sink``; give its manifest.

    ``connection`` has to see one state throughout: a transaction of repeatable reads. The same
    state and parts give the same bytes. Memory does not grow with the entries, but with a
    person's. ``extras`` are further files, named with their chunks; the manifest vouches for them.
    ``spooled``: what ``telling.tell`` has written, by name; then nothing of that is read again,
    and the bundle has the story that ``asked`` tells the scope of, and ``whose`` it is.
    ``kept``: sizes of checkpoints that somebody keeps, and wants to compare.
    ``ExportError``: a log has not been signed, or not so far.
    """
    assert len({part.log for part in parts}) == len(parts), "a bundle has one part of each log"
    with Container(sink) as container:
        writers = [
            _LogWriter(connection, organisation, part, keys, container, kept=kept.get(part.log, ()))
            for part in parts
        ]
        files: dict[str, str] = {}
        logs = [writer.write(files, spooled) for writer in writers]
        manifest: dict[str, Any] = {
            "asked": asked,
            "files": files,
            "logs": logs,
            "organisation": organisation,
        }
        verifiers = [str(known) for writer in writers for known in writer.verifiers()]
        own: list[tuple[str, Iterable[bytes]]] = [
            ("keys.txt", ["".join(f"{known}\n" for known in verifiers).encode()]),
            ("README.txt", [readme_of(manifest, verifiers, whose=whose).encode()]),
            ("verify.py", [resources.files("audit").joinpath("verify.py").read_bytes()]),
        ]
        story = [(name, spooled[name]) for name in (JSON_NAME, CSV_NAME) if name in spooled]
        for name, chunks in chain(story, own, extras):
            files[name] = container.add(name, chunks)
        container.add(MANIFEST_NAME, [signed_manifest(manifest, keys).encode()])
    return manifest


def signed_manifest(manifest: Mapping[str, Any], keys: KeyRing) -> str:
    """The manifest as a note that the key of each log has signed."""
    text = f"{FORMAT}\n{canonical(manifest).decode()}\n"
    organisation = manifest["organisation"]
    notes = [
        sign_note(text, log["origin"], keys.log_signing_keys(organisation, Log(log["log"])))
        for log in manifest["logs"]
    ]
    return notes[0] + "".join(note.removeprefix(f"{text}\n") for note in notes[1:])


@dataclass(slots=True)
class _Needed:
    """Which tiles show the entries and every checkpoint to be of one tree."""

    size: int
    lowest: Iterable[int]
    ends: set[int]

    def above(self) -> Iterator[tuple[int, int]]:
        """The tiles above the lowest level."""
        numbers = {n >> TILE_HEIGHT for n in chain(self.lowest, self.ends)}
        level = 1
        while self.size >> TILE_HEIGHT * level:
            yield from ((level, n) for n in sorted(numbers) if tile_width(level, n, self.size))
            numbers = {n >> TILE_HEIGHT for n in numbers}
            level += 1


class _LogWriter:
    """Writes one log's part."""

    def __init__(
        self,
        connection: Connection,
        organisation: str,
        part: Part,
        keys: KeyRing,
        container: Container,
        *,
        kept: Collection[int],
    ) -> None:
        self._connection = connection
        self._organisation = organisation
        self._part = part
        self._keys = keys
        self._container = container
        self.tree = LogTree(connection, organisation, part.log)
        self._folder = f"logs/{part.log}"
        self._notes = self._kept_notes()
        self._size = self._notes[-1].size
        self._start, self._end = bounds_of(part, self._size)
        self._kept = sorted(size for size in set(kept) if 0 < size <= self._size)

    def verifiers(self) -> list[Verifier]:
        """The public keys of this log."""
        public = self._keys.log_public_keys(self._organisation, self._part.log)
        return [Verifier(self.tree.origin, key) for key in public]

    def write(
        self, files: dict[str, str], spooled: Mapping[str, Iterable[bytes]]
    ) -> dict[str, object]:
        """Write all files; give what the manifest says, and put into ``files`` what it vouches."""
        part, folder = self._part, self._folder
        for one in self._notes:
            name = "checkpoint" if one is self._notes[-1] else f"checkpoints/{one.size}"
            self._container.add(f"{folder}/{name}", [one.note.encode()])
        if isinstance(part, WholeLog):
            lowest: Iterable[int] = self._write_entry_bundles()
        else:
            lowest = self._write_part(part, files, spooled)
        ends = {(size - 1) // TILE_WIDTH for size in (*(n.size for n in self._notes), *self._kept)}
        self._write_tiles(_Needed(self._size, lowest, ends))
        return {
            "checkpoints": [one.size for one in self._notes[:-1]],
            "disclosed": part.discloses,
            "from": self._start,
            "index": part.stated_at if isinstance(part, Trail) else None,
            "kept": self._kept,
            "log": part.log.value,
            "origin": self.tree.origin,
            "scope": _SCOPES[type(part)],
            "size": self._size,
            "subjects": [id_.hex() for id_ in part.subjects] if isinstance(part, Trail) else [],
            "to": self._end,
        }

    def _entries(self) -> Iterator[Entry]:
        return entries_of(self._connection, self._organisation, self._part, self._size)

    def _kept_notes(self) -> list[SignedCheckpoint]:
        """The last checkpoint of each day, for a part of a log of each month, and the newest."""
        found: dict[date, SignedCheckpoint] = {}
        wanted = {
            "organisation": self._organisation,
            "log": self._part.log.value,
            # Those of before a fork are of another tree; the first leaf after it tells of them.
            "origin": f"{self.tree.origin}\n",
        }
        for row in self._connection.execute(_LAST_OF_DAYS, wanted):
            day = row.signed_at.astimezone(UTC).date()
            one = SignedCheckpoint(self._organisation, self._part.log, *row)
            found[day if isinstance(self._part, WholeLog) else day.replace(day=1)] = one
        if not found:
            raise ExportError(f"the log {self._part.log} has not been signed yet")
        by_size = {one.size: one for one in found.values()}
        return [by_size[size] for size in sorted(by_size)]

    def _write_entry_bundles(self) -> range:
        numbers = range(-(-self._size // TILE_WIDTH))
        entries = self._entries()
        for n in numbers:
            leaves = [entry.leaf for entry in islice(entries, TILE_WIDTH)]
            framed = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
            self._container.add(f"{self._folder}/tile/entries/{self._place(0, n)}", [framed])
        return numbers

    def _write_part(
        self,
        part: Trail | LogRange,
        files: dict[str, str],
        spooled: Mapping[str, Iterable[bytes]],
    ) -> Iterable[int]:
        """Write the entries and what was sealed for them; give in which tiles they lie."""
        members: dict[str, Iterable[bytes]] = {entries_name(part): map(_line_of, self._entries())}
        if part.discloses:
            members[disclosed_name(part)] = self._disclosed()
        if isinstance(part, Trail) and part.index is not None:
            members[f"{self._folder}/heads.jsonl"] = _proofs_of(part.index)
        for name, chunks in members.items():
            files[name] = self._container.add(name, spooled.get(name, chunks))
        if isinstance(part, Trail):
            return sorted({entry.index // TILE_WIDTH for entry in self._entries()})
        return range(self._start // TILE_WIDTH, -(-self._end // TILE_WIDTH))

    def _disclosed(self) -> Iterator[bytes]:
        opener, entries = EntryOpener(self._organisation, self._keys), self._entries()
        while batch := list(islice(entries, AT_ONCE)):
            for entry in opened_of(opener, self._connection, batch):
                line = disclosed_line(entry)
                if line is not None:
                    yield line

    def _write_tiles(self, needed: _Needed) -> None:
        for level, n in needed.above():
            width = tile_width(level, n, self._size)
            self._write_tile(level, n, self.tree.tile(level, n)[: width * HASH_SIZE])
        numbers = iter(sorted(needed.ends.union(needed.lowest)))
        wanted = {"organisation": self._organisation, "log": self._part.log.value}
        while batch := list(islice(numbers, _TILES_AT_ONCE)):
            rows = self._connection.execute(_TILES, {**wanted, "numbers": batch})
            full = {row.n: row.hashes for row in rows}
            for n in batch:
                hashes = full.get(n) or self.tree.tile(0, n)
                width = tile_width(0, n, self._size)
                self._write_tile(0, n, hashes[: width * HASH_SIZE])

    def _write_tile(self, level: int, n: int, hashes: bytes) -> None:
        name = f"{self._folder}/tile/{level}/{self._place(level, n)}"
        self._container.add(name, [hashes], is_random=True)

    def _place(self, level: int, n: int) -> str:
        """A tile's path as C2SP tlog-tiles writes it: ``x001/x234/067``, then ``.p/`` its width."""
        digits = str(n)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *first, last = (digits[i : i + 3] for i in range(0, len(digits), 3))
        width = tile_width(level, n, self._size)
        partial = f".p/{width}" if width < TILE_WIDTH else ""
        return "/".join([*(f"x{group}" for group in first), last]) + partial


def _line_of(entry: Entry) -> bytes:
    return entry_line(entry.index, entry.leaf)


def _proofs_of(index: SubjectIndex) -> Iterator[bytes]:
    """Where each person's trail ends by the index, and who is not in it by who stands beside."""
    for subject in sorted(index.proofs.keys() | index.absent.keys()):
        if subject in index.proofs:
            yield canonical(_proof_of(index.proofs[subject])) + b"\n"
        else:
            beside = [_proof_of(proof) for proof in index.absent[subject]]
            yield canonical({"absent": subject.hex(), "beside": beside}) + b"\n"


def _proof_of(proof: IndexProof) -> dict[str, object]:
    return {
        "head": proof.head,
        "position": proof.position,
        "proof": [sibling.hex() for sibling in proof.proof],
    }
