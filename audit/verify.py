"""Verify an export bundle of the ledger, alone: Python 3.10 or later and ``cryptography``, no more.

    python verify.py BUNDLE.zip [--key PUBLIC]... [--checkpoint NOTE]... [--json]

PUBLIC is the operator's public key of a log (``name+id+key``), or a file with one a line. Without
it the keys in the bundle are believed, and the report says so. NOTE is a file with a checkpoint
of a log that you kept: the bundle is held against it, too. Exit code 0: genuine, 1: damage
was found and each is named, 3: it could not be read. This file stands alone on purpose: it shares
no code with the program that wrote the bundle, and README.txt in the bundle says what it checks.
"""

from __future__ import annotations

import argparse
import base64
import csv
import errno
import hashlib
import heapq
import hmac
import io
import itertools
import json
import struct
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("verify: this needs the package cryptography: pip install cryptography\n")
    sys.exit(3)

FORMAT = "cleartosend-bundle/1"
GENUINE, DAMAGED, UNREADABLE = 0, 1, 3
NAMED_MAX = 1000
EPOCH = (1980, 1, 1, 0, 0, 0)
PACKINGS = {45: (45, 0xFFFFFFFF), 20: (20, 0)}
WITHHELD = {"erased", "key_destroyed", "confidential", "damaged", "not_asked"}
CHUNK = 1 << 20
SIZE_MAX = (
    ("tile/entries/", 256 * 65538),
    ("tile/", 8192),
    ("checkpoint", 65536),
    ("/heads", CHUNK),
)
RATIO_MAX = 200
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error, ValueError)
NAMES_OF_LEAF = [
    "actor",
    "channel",
    "commit",
    "event_id",
    "level",
    "log",
    "occurred_at",
    "organisation",
    "prev",
    "purpose",
    "recorded_at",
    "release",
    "statement",
    "subject",
    "subject_seq",
    "type",
    "v",
]
KEYS_OF_LEAF = [f'{key}":'.encode() for key in ['{"actor', *NAMES_OF_LEAF[1:]]]
RECORD = struct.Struct(">16sQ32s32sQ")
PARTITIONS = 64


class UnreadableError(Exception):
    """The bundle cannot be read at all, so that nothing can be said of it."""


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong: a word for programs, a sentence for people, and where."""

    kind: str
    detail: str
    log: str | None = None
    index: int | None = None
    file: str | None = None


class Findings:
    """Every damage, in the order found; past ``NAMED_MAX`` they are only counted."""

    def __init__(self) -> None:
        self.named: list[Damage] = []
        self.count = 0

    def add(self, kind: str, detail: str, **where: Any) -> None:
        self.count += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(Damage(kind, detail, **where))


class Leaf(NamedTuple):
    """What verification needs of an entry."""

    commit: str | None
    log: str
    organisation: str
    prev: str | None
    statement: dict[str, Any] | None
    subject: str | None
    subject_seq: int | None
    type: str


class Bundle:
    """The zip file. What cannot be read of it is named once, and then counts as missing."""

    def __init__(self, file: BinaryIO, found: Findings) -> None:
        self.found = found
        self.file = file
        self.archive = zipfile.ZipFile(file)
        self.members = {info.filename: info for info in self.archive.infolist()}
        self.used: set[str] = set()
        self.is_altered = False
        self._check_container()

    def read(self, name: str) -> bytes | None:
        """All of one file; None where it is missing or broken, which is named."""
        info = self.members.get(name)
        if info is None:
            if name not in self.used:
                self.found.add("missing_file", f"{name} is missing", file=name)
            self.used.add(name)
            return None
        self.used.add(name)
        try:
            return self.archive.read(info)
        except BROKEN_ZIP as error:
            self._broken(name, error)
            return None

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of one file, without their ends, in flat memory."""
        info = self.members.get(name)
        if info is None:
            self.read(name)
            return
        self.used.add(name)
        try:
            with self.archive.open(info) as stream:
                for line in stream:
                    yield line[:-1] if line.endswith(b"\n") else line
        except BROKEN_ZIP as error:
            self._broken(name, error)

    def digest(self, name: str) -> str | None:
        """SHA-256 of one file in hexadecimal, in flat memory."""
        digest = hashlib.sha256()
        try:
            with self.archive.open(self.members[name]) as stream:
                for chunk in iter(lambda: stream.read(CHUNK), b""):
                    digest.update(chunk)
        except BROKEN_ZIP as error:
            self._broken(name, error)
            return None
        return digest.hexdigest()

    def _broken(self, name: str, error: Exception) -> None:
        self.members.pop(name, None)
        self.found.add("broken_file", f"{name} cannot be unpacked: {error}", file=name)

    def _check_container(self) -> None:
        """Account for every byte: the digest at its end, no gaps, no doubles, no bombs."""
        infos = self.archive.infolist()
        for name, count in Counter(info.filename for info in infos).items():
            if count > 1:
                self.found.add("duplicate_name", f"{name} is there {count} times", file=name)
        end = 0
        odd = []
        for info in sorted(infos, key=lambda info: info.header_offset):
            if info.header_offset != end:
                self.found.add("padded", f"bytes {end} to {info.header_offset} belong to no file")
            end = self._end_of(info)
            self._refuse_bomb(info)
            if not self._is_packed_by_us(info, end):
                odd.append(info.filename)
            if info.header_offset < 0 or info.compress_type not in (0, 8):
                self._broken(info.filename, ValueError("its place or compression is none we use"))
        if odd:
            said = f"{len(odd)} files are packed otherwise than in a bundle, the first is {odd[0]}"
            self.found.add("other_header", said, file=odd[0])
        if end != self.archive.start_dir:
            self.found.add("padded", f"bytes {end} to {self.archive.start_dir} belong to no file")
        self._check_end()

    def _check_end(self) -> None:
        """The record that ends the zip file, and the digest of all before it."""
        comment = self.archive.comment
        size = self.file.seek(0, 2)
        self.file.seek(0)
        digest, left = hashlib.sha256(), size - len(comment)
        while left and (chunk := self.file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
        self.file.seek(max(0, size - len(comment) - 22))
        last = self.file.read()
        if not last.startswith(b"PK\5\6"):
            self.found.add("padded", "something stands after the end of the zip file")
        elif int.from_bytes(last[20:22], "little") != len(comment):
            self.found.add("cut", "the digest at the end of the file is cut")
        elif any(last[4:8]) or last[8:10] != last[10:12]:
            self.found.add("other_header", "the end of the zip file tells of other files")
        self.is_altered = comment != f"sha256:{digest.hexdigest()}".encode()

    def _end_of(self, info: zipfile.ZipInfo) -> int:
        """Where a member ends, by its own header: header, names, content, descriptor."""
        self.file.seek(max(info.header_offset, 0))
        header = self.file.read(30)
        if len(header) < 30:
            return info.header_offset
        name_size: int
        extra_size: int
        name_size, extra_size = struct.unpack("<HH", header[26:])
        end = info.header_offset + 30 + name_size + extra_size + info.compress_size
        if info.flag_bits & 8:
            end += 24 if extra_size else 16
        return end

    def _is_packed_by_us(self, info: zipfile.ZipInfo, end: int) -> bool:
        """Whether a member has the dates and rights of every other, and says the same thrice:
        where it begins, where it ends, and in the list. Programs differ in what they believe."""
        listed = (info.date_time, info.create_system, info.create_version, info.extract_version)
        # Python before 3.11.4 wrote no word of the longer sizes in front of a file, only behind it.
        needs, unsaid = PACKINGS.get(info.extract_version, (0, 0))
        if (
            listed != (EPOCH, 3, needs, needs)
            or info.external_attr != 0o644 << 16
            or (info.internal_attr, info.volume, info.flag_bits, info.comment) != (0, 0, 8, b"")
            or not is_size_only(info.extra)
        ):
            return False
        self.file.seek(max(info.header_offset, 0))
        header = self.file.read(30)
        if len(header) < 30:
            return False
        version, flags, method, time, date, crc, packed, size = struct.unpack("<4x5H3L4x", header)
        name_size, extra_size = struct.unpack("<HH", header[26:])
        name, extra = self.file.read(name_size), self.file.read(extra_size)
        self.file.seek(end - 24)
        return (
            (version, flags, method, time, date) == (needs, 8, info.compress_type, 0, 33)
            and (crc, packed, size) == (0, unsaid, unsaid)
            and name == info.orig_filename.encode()
            and extra == struct.pack("<HHQQ", 1, 16, 0, 0)
            and self.file.read(24)
            == struct.pack("<4sLQQ", b"PK\7\10", info.CRC, info.compress_size, info.file_size)
        )

    def _refuse_bomb(self, info: zipfile.ZipInfo) -> None:
        limit = next((limit for part, limit in SIZE_MAX if part in info.filename), None)
        is_huge = limit is not None and info.file_size > limit
        ratio = info.file_size / max(info.compress_size, 1)
        if is_huge or (info.file_size > CHUNK and ratio > RATIO_MAX):
            self.members.pop(info.filename, None)
            self.used.add(info.filename)
            self.found.add(
                "bomb",
                f"{info.filename} would unpack from {info.compress_size} to {info.file_size} bytes",
                file=info.filename,
            )


def is_size_only(extra: bytes) -> bool:
    """Whether what is added to a header is nothing, or the size of what is very large."""
    return not extra or (extra[:2] == b"\1\0" and len(extra) == 4 + extra[2] + (extra[3] << 8))


def decoded(text: str) -> bytes:
    """Read base64 that is written in the one way there is."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("its base64 is not what a writer writes")
    return raw


class PublicKey(NamedTuple):
    """A key and the name that it signs under: C2SP signed-note, Ed25519."""

    name: str
    id: bytes
    raw: bytes

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        name, id_, encoded = text.strip().split("+", 2)
        raw = decoded(encoded)
        if len(raw) != 33 or raw[0] != 1:
            raise ValueError("not an Ed25519 key")
        if hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4] != bytes.fromhex(id_):
            raise ValueError("its id is that of another key")
        return cls(name, bytes.fromhex(id_), raw[1:])

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.raw).decode()}"


class KeptNote(NamedTuple):
    """A checkpoint that somebody kept elsewhere: what it says, and the file that it is in."""

    origin: str
    size: int
    root: bytes
    name: str
    raw: bytes

    @classmethod
    def read(cls, path: Path) -> KeptNote:
        raw = path.read_bytes()
        try:
            origin, size, root = raw.decode().split("\n")[:3]
            return cls(origin, int(size), decoded(root), path.name, raw)
        except ValueError as error:
            raise UnreadableError(f"--checkpoint {path}: this is no checkpoint: {error}") from None


def open_note(
    raw: bytes, keys: Iterable[PublicKey], found: Findings, **where: Any
) -> tuple[list[str], set[str]] | None:
    """The lines of a signed note and the names that signed it; None: nobody known did."""
    known = {(key.name, key.id): key for key in keys}
    signers = set()
    try:
        text, _, tail = raw.decode().rpartition("\n\n")
        if not text or not tail.endswith("\n"):
            raise ValueError("it has no signatures")
        for line in tail[:-1].split("\n"):
            dash, name, encoded = line.split(" ")
            signature = decoded(encoded)
            if dash != "\u2014":
                raise ValueError("a line under it is no signature")
            key = known.get((name, signature[:4]))
            if key is not None:
                public = Ed25519PublicKey.from_public_bytes(key.raw)
                public.verify(signature[4:], text.encode() + b"\n")
                signers.add(name)
    except InvalidSignature:
        found.add(
            "wrong_signature", f"{where['file']} does not bear the signature of {name}", **where
        )
        return None
    except ValueError as error:
        found.add("broken_note", f"{where['file']} is no signed note: {error}", **where)
        return None
    if not signers:
        found.add("other_key", f"{where['file']} is signed by a key that is not trusted", **where)
        return None
    return text.split("\n"), signers


def fold(hashes: bytes) -> bytes:
    """The root of 1, 2, 4 … hashes that lie side by side: RFC 6962."""
    row = [hashes[i : i + 32] for i in range(0, len(hashes), 32)]
    while len(row) > 1:
        pairs = iter(row)
        row = [
            hashlib.sha256(b"\1" + left + right).digest()
            for left, right in zip(pairs, pairs, strict=True)
        ]
    return row[0]


class Tree:
    """The tiles of one log (C2SP tlog-tiles), from the signed root down to hashes of entries."""

    def __init__(self, bundle: Bundle, log: str, size: int) -> None:
        self.bundle, self.log, self.size = bundle, log, size
        self.upper: dict[tuple[int, int], bytes | None] = {}

    def name(self, level: int | str, n: int) -> str:
        """The file of a tile, or of a bundle of entries where ``level`` is that word."""
        width = self.width(0 if level == "entries" else int(level), n)
        digits = f"{n:0{(len(str(n)) + 2) // 3 * 3}d}"
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
        return f"logs/{self.log}/tile/{level}/{path}" + (f".p/{width}" if width < 256 else "")

    def width(self, level: int, n: int) -> int:
        return min((self.size >> 8 * level) - 256 * n, 256)

    def hashes(self, level: int, n: int) -> bytes | None:
        """The hashes of a tile. Those above the lowest level are kept: one in 256 entries."""
        if (level, n) in self.upper:
            return self.upper[level, n]
        name = self.name(level, n)
        tile = self.bundle.read(name)
        if tile is not None and len(tile) != 32 * self.width(level, n):
            self.bundle.found.add(
                "changed_tile", f"{name} is cut or padded", log=self.log, file=name
            )
            tile = None
        if level and tile is not None:
            self.upper[level, n] = tile
        return tile

    def load_upper(self, numbers: Iterable[int]) -> None:
        """Read every tile above these of the lowest level, and hold each against its own."""
        level = 1
        below: set[int] = set()
        above = {n >> 8 for n in numbers}
        while self.size >> 8 * level:
            present = {n for n in above if self.width(level, n) > 0}
            for n in sorted(present):
                self.hashes(level, n)
            if level > 1:
                for n in sorted(below):
                    self._hold(level - 1, n)
            below, above, level = present, {n >> 8 for n in present}, level + 1

    def _hold(self, level: int, n: int) -> None:
        tile, parent = self.upper.get((level, n)), self.parent(level, n)
        if tile is not None and parent is not None and fold(tile) != parent:
            names = f"{self.name(level, n)} and {self.name(level + 1, n >> 8)}"
            self.bundle.found.add(
                "changed_tile", f"{names} do not belong together", log=self.log,
                file=self.name(level, n),
            )  # fmt: skip

    def parent(self, level: int, n: int) -> bytes | None:
        """What the tile above says is the root of this full tile; None: it says nothing."""
        above = self.upper.get((level + 1, n >> 8)) if self.width(level, n) == 256 else None
        return None if above is None else above[32 * (n & 255) : 32 * (n & 255) + 32]

    def correct(self, level: int, n: int, hash_: bytes) -> None:
        """Go on with what the tile above should have said, its damage having been named."""
        above, start = self.upper[level + 1, n >> 8] or b"", 32 * (n & 255)
        self.upper[level + 1, n >> 8] = above[:start] + hash_ + above[start + 32 :]

    def root(self, size: int, lowest: bytes | None = None) -> bytes | None:
        """The root of the first ``size`` entries. ``lowest``: hashes to take for the last tile."""
        root, level = None, 0
        while count := size >> 8 * level:
            if end := count & 255:
                n = count >> 8
                tile = lowest if lowest is not None and level == 0 else self.hashes(level, n)
                if tile is None or len(tile) < 32 * end:
                    return None
                for bit in range(8):
                    if count >> bit & 1:
                        peak = fold(tile[32 * (end - (1 << bit)) : 32 * end])
                        root = peak if root is None else fold(peak + root)
                        end -= 1 << bit
            level += 1
        return hashlib.sha256(b"").digest() if root is None else root


def read_leaf(raw: bytes) -> Leaf | None:
    """Read an entry in its canonical form. None: it has another, or a version not known here."""
    parts = raw.split(b',"')
    # Inside a string a quote has a backslash before it, so that nothing else is split here.
    # An index or a fork states something besides, and is rare enough to be read slowly.
    is_plain = len(parts) == 17 and parts[12] == b'statement":null' and parts[16] == b'v":1}'
    try:
        if is_plain and all(map(bytes.startswith, parts, KEYS_OF_LEAF)):
            return Leaf(
                commit=_word(parts[2][8:]),
                log=parts[5][6:-1].decode(),
                organisation=parts[7][15:-1].decode(),
                prev=_word(parts[8][6:]),
                statement=None,
                subject=_word(parts[13][9:]),
                subject_seq=_count(parts[14][13:]),
                type=parts[15][7:-1].decode(),
            )
        fields = json.loads(raw)
        again = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if again.encode() != raw or fields["v"] != 1 or sorted(fields) != NAMES_OF_LEAF:
            return None
        return Leaf(*[fields[name] for name in Leaf._fields])
    except (ValueError, KeyError, TypeError):
        return None


def _word(raw: bytes) -> str | None:
    if raw == b"null":
        return None
    if raw[:1] != b'"' or raw[-1:] != b'"':
        raise ValueError("neither a word nor null")
    return raw[1:-1].decode()


def _count(raw: bytes) -> int | None:
    return None if raw == b"null" else int(raw)


class Head(NamedTuple):
    """The end of one person's chain in one log."""

    subject: bytes
    seq: int
    leaf_hash: bytes


class Chains:
    """Each person's entries, in order of person: in files beside, so that memory stays flat."""

    def __init__(self) -> None:
        self.files: list[BinaryIO | None] = [None] * PARTITIONS
        self.waiting = [bytearray() for _ in range(PARTITIONS)]

    def add(self, leaf: Leaf, hash_: bytes, index: int) -> None:
        subject = bytes.fromhex(leaf.subject or "")
        prev = bytes(32) if leaf.prev is None else bytes.fromhex(leaf.prev)
        part = subject[0] * PARTITIONS >> 8
        waiting = self.waiting[part]
        waiting += RECORD.pack(subject, leaf.subject_seq or 0, prev, hash_, index)
        if len(waiting) > CHUNK >> 4:
            kept = self.files[part] = self.files[part] or tempfile.TemporaryFile()  # noqa: SIM115
            kept.write(waiting)
            waiting.clear()

    def records(self) -> Iterator[tuple[bytes, int, bytes, bytes, int]]:
        """Subject, number in the chain, hash of the one before, own hash, index: in order."""
        for kept, waiting in zip(self.files, self.waiting, strict=True):
            if kept is not None:
                kept.seek(0)
                waiting[:0] = kept.read()
                kept.close()
            size = RECORD.size
            rows = sorted(bytes(waiting[i : i + size]) for i in range(0, len(waiting), size))
            waiting.clear()
            yield from map(RECORD.unpack, rows)

    def heads(self, found: Findings, log: str, *, whole: bool, until: int) -> Iterator[Head]:
        """Hold each chain together; give where each stood when the log had ``until`` entries.

        ``whole``: the chains begin in the bundle, as they do but in a range.
        """
        for subject, rows in itertools.groupby(self.records(), key=lambda row: row[0]):
            seq, last = (0, bytes(32)) if whole else (None, None)
            head: Head | None = None
            for _, number, prev, hash_, index in rows:
                if seq is not None and (number != seq + 1 or prev != last):
                    said = f"entry {seq + 1} of person {subject.hex()} is left out before this one"
                    if number <= seq + 1:
                        said = f"it does not follow entry {seq} of person {subject.hex()}"
                    found.add("broken_chain", said, log=log, index=index)
                seq, last = number, hash_
                if index < until:
                    head = Head(subject, number, hash_)
            if head is not None:
                yield head


class Disclosed(NamedTuple):
    """A line of ``disclosed/``: the payload of an entry with its salt, or why it is withheld."""

    at: int
    salt: bytes
    payload: bytes | None
    withheld: str = ""


class Disclosures:
    """What was disclosed of a log's payloads, each with its salt, in step with the entries."""

    def __init__(self, bundle: Bundle, log: str) -> None:
        self.bundle, self.log, self.name = bundle, log, f"disclosed/{log}.jsonl"
        self.count = self.broken = 0
        self.damaged: set[int] = set()
        self.odd: list[tuple[int, str, bytes, bytes]] = []
        self.withheld: Counter[str] = Counter()
        self.rows = self._rows()
        self.next = next(self.rows, None)

    def _rows(self) -> Iterator[Disclosed]:
        for number, line in enumerate(self.bundle.lines(self.name), 1):
            try:
                row = json.loads(line)
                if "withheld" in row:
                    yield Disclosed(row["index"], b"", None, str(row["withheld"]))
                    continue
                payload = row.get("payload_base64")
                plain = row["payload"].encode() if payload is None else base64.b64decode(payload)
                yield Disclosed(row["index"], bytes.fromhex(row["salt"]), plain)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.broken += 1
                self._say("broken_file", f"line {number} of {self.name} cannot be read")

    def _say(self, kind: str, detail: str, index: int | None = None) -> None:
        self.bundle.found.add(kind, detail, log=self.log, index=index, file=self.name)

    def check(self, index: int, commit: str) -> Disclosed | None:
        """Hold the payload of this entry against what its leaf commits to; give it if it is."""
        self._pass_over(index)
        if self.next is None or self.next[0] != index:
            if self.broken:  # It stood in a line that could not be read.
                self.broken -= 1
            else:
                self._say("missing_disclosure", "the payload of this entry was left out", index)
            return None
        row = self.next
        self.next = next(self.rows, None)
        if row.payload is None:
            self.withheld[row.withheld] += 1
            return row
        self.count += 1
        if hmac.new(row.salt, row.payload, "sha256").hexdigest() != commit:
            self.odd.append((index, commit, row.salt, row.payload))
            return None
        return row

    def _pass_over(self, until: float) -> None:
        while self.next is not None and self.next[0] < until:
            if self.next[0] not in self.damaged:
                said = "a payload that no entry here commits to"
                self._say("unknown_disclosure", said, self.next[0])
            self.next = next(self.rows, None)

    def close(self) -> None:
        """Name what did not fit: as swapped where it fits another entry, else as changed."""
        for index, _, salt, payload in self.odd:
            said = hmac.new(salt, payload, "sha256").hexdigest()
            other = next((one[0] for one in self.odd if one[1] == said), None)
            if other is None:
                self._say("changed_payload", "the payload is not what the leaf commits to", index)
            else:
                self._say("swapped_payload", f"its payload is that of entry {other}", index)
        self._pass_over(float("inf"))


class LogCheck:
    """One log of the bundle, from its signed checkpoint down to each entry."""

    def __init__(
        self, bundle: Bundle, part: dict[str, Any], organisation: str, kept: list[KeptNote]
    ) -> None:
        self.bundle, self.found, self.part = bundle, bundle.found, part
        self.kept = [note for note in kept if note.origin == part["origin"]]
        self.log, self.size, self.scope = part["log"], part["size"], part["scope"]
        self.organisation = organisation
        self.tree = Tree(bundle, self.log, self.size)
        self.signed: dict[int, bytes | None] = {}
        self.chains = Chains()
        self.disclosures = Disclosures(bundle, self.log) if part["disclosed"] else None
        self.index: tuple[int, dict[str, Any]] | None = None
        self.index_at = ""
        self.linked: dict[str, list[str]] = {}
        self.erasures: set[str] = set()
        self.told_erased: list[tuple[int, str]] = []
        self.not_asked: list[int] = []
        self.edges: list[tuple[int, bytes]] = []
        self.count = 0

    def run(self, keys: list[PublicKey]) -> None:
        """Check everything, and name what is wrong."""
        before = self.found.count
        sizes = [*self.part["checkpoints"], self.size]
        self.signed = {size: self._checkpoint(size, keys) for size in sizes}
        numbers = self._numbers()
        comparable = {note.size for note in self.kept if self._leads_to(note.size)}
        sizes += [*self.part.get("kept", []), *comparable]
        ends = {(size - 1) >> 8 for size in sizes if size}
        self.tree.load_upper(itertools.chain(ends, numbers))
        for n, entries in self._groups():
            self._compare(n, entries)
        for n in sorted(ends - set(numbers)):
            self._settle(n, {})
        for size, root in self.signed.items():
            if root is not None and self.tree.root(size) not in (root, None):
                said = f"its tree of {size} entries has not the root that was signed"
                self._say("wrong_root", said, file=self._note_name(size))
        self._check_kept(comparable)
        if self.disclosures is not None:
            self.disclosures.close()
        if self.found.count == before:  # What follows from other damage is no damage of its own.
            self._check_chains()

    def _say(self, kind: str, detail: str, **where: Any) -> None:
        self.found.add(kind, detail, log=self.log, **where)

    def _note_name(self, size: int) -> str:
        last = size == self.size
        return f"logs/{self.log}/checkpoint" if last else f"logs/{self.log}/checkpoints/{size}"

    def _checkpoint(self, size: int, keys: list[PublicKey]) -> bytes | None:
        """The root that was signed for this size."""
        name = self._note_name(size)
        raw = self.bundle.read(name)
        note = raw and open_note(raw, keys, self.found, log=self.log, file=name)
        if not note:
            return None
        lines, signers = note
        if self.part["origin"] not in signers or lines[:2] != [self.part["origin"], str(size)]:
            self._say("broken_note", f"{name} is of another log or size", file=name)
            return None
        return decoded(lines[2])

    def _leads_to(self, size: int) -> bool:
        """Whether the hashes are here that lead to the root of the first ``size`` entries."""
        if not 0 < size <= self.size:
            return False
        counts = ((level, size >> 8 * level) for level in range(8))
        ends = [(level, count >> 8) for level, count in counts if count & 255]
        return all(self.tree.name(level, n) in self.bundle.members for level, n in ends)

    def _check_kept(self, comparable: set[int]) -> None:
        """Hold the tree against the checkpoints that somebody kept elsewhere."""
        for note in self.kept:
            if note.size in comparable:
                root = self.tree.root(note.size)
                if root is not None and root != note.root:
                    said = f"its first {note.size} entries are not those of the checkpoint kept"
                    self._say("rewritten", said, file=note.name)
            elif note.size:
                said = f"the log had {self.size} entries, fewer than when the checkpoint was kept"
                if note.size <= self.size:
                    said = f"the hashes that lead to its {note.size} entries are not in the bundle"
                self._say("not_compared", said, file=note.name)

    def _numbers(self) -> Iterable[int]:
        """Which tiles of the lowest level the entries lie in."""
        if self.scope == "trail":
            return sorted({index >> 8 for index, _ in self._labelled(Findings())})
        start, end = self.part["from"], self.part["to"]
        return range(start >> 8, (end + 255) >> 8 if end > start else start >> 8)

    def _groups(self) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
        """The entries with their indexes, tile by tile."""
        if self.scope == "log":
            for n in self._numbers():
                yield n, list(enumerate(self._bundled(n), n << 8))
            return
        groups = itertools.groupby(self._labelled(self.found), key=lambda one: one[0] >> 8)
        waiting = list(self._numbers())[::-1]
        for n, entries in groups:
            if n not in waiting:
                self._say("reordered", "entries stand out of their order", index=n << 8)
                continue
            while waiting[-1] != n:
                yield waiting.pop(), []
            yield waiting.pop(), list(entries)
        for n in reversed(waiting):
            yield n, []

    def _bundled(self, n: int) -> Iterator[bytes]:
        """The entries of one bundle of C2SP tlog-tiles: each with its length in two bytes."""
        name = self.tree.name("entries", n)
        raw, at = self.bundle.read(name) or b"", 0
        while at < len(raw):
            end = at + 2 + int.from_bytes(raw[at : at + 2], "big")
            if end > len(raw):
                self._say("broken_file", f"{name} ends within an entry", file=name)
                return
            yield raw[at + 2 : end]
            at = end

    def _labelled(self, found: Findings) -> Iterator[tuple[int, bytes]]:
        """The lines of entries.txt: an index, a space, and the leaf as it is in the tree."""
        name = f"logs/{self.log}/entries.txt"
        for number, line in enumerate(self.bundle.lines(name), 1):
            label, _, leaf = line.partition(b" ")
            if label.isdigit() and len(label) < 17 and int(label) < self.size:
                yield int(label), leaf
            else:
                said = f"line {number} of {name} names no entry of the log"
                found.add("broken_file", said, log=self.log, file=name)

    def _compare(self, n: int, entries: list[tuple[int, bytes]]) -> None:
        """Hold the entries of a tile against its hashes, and take in those that are genuine."""
        hashes = [hashlib.sha256(b"\0" + leaf).digest() for _, leaf in entries]
        tile = self._settle(n, {index: h for (index, _), h in zip(entries, hashes, strict=True)})
        if tile is None:
            return
        genuine = [
            (index, leaf, hash_)
            for (index, leaf), hash_ in zip(entries, hashes, strict=True)
            if tile[32 * (index & 255) : 32 * (index & 255) + 32] == hash_ and index >> 8 == n
        ]
        first, end = max(n << 8, self.part["from"]), min((n + 1) << 8, self.part["to"])
        is_whole = self.scope == "trail" or len(genuine) == end - first
        is_ordered = all(one[0] < other[0] for one, other in itertools.pairwise(entries))
        if len(genuine) != len(entries) or not is_whole or not is_ordered:
            self._name_differences(range(first, end), entries, hashes, tile)
        for index, leaf, hash_ in genuine:
            self._take(index, leaf, hash_)

    def _settle(self, n: int, given: dict[int, bytes]) -> bytes | None:
        """The hashes of a tile of the lowest level, once it is clear whether they are genuine.

        A tile is vouched for by the one above, and the last of the level by the checkpoint. Where
        they disagree, ``given``, the hashes of its entries that are here, says which is changed.
        """
        tile, parent, width = self.tree.hashes(0, n), self.tree.parent(0, n), self.tree.width(0, n)
        name = self.tree.name(0, n)
        if tile is not None and self._fits(tile, parent, width):
            return tile
        hashes = [
            given.get((n << 8) + i) or (tile or b"")[32 * i : 32 * i + 32] for i in range(width)
        ]
        mended = b"".join(hashes)
        if len(mended) == 32 * width and mended != tile and self._fits(mended, parent, width):
            if tile is not None:
                self._say("changed_tile", f"{name} is not that of its entries", file=name)
            self.tree.upper[0, n] = mended
            return mended
        if (
            tile is None or width < 256
        ):  # The last tile, or a root that nobody knows, is told of there.
            return tile
        above = self.tree.name(1, n >> 8)
        if mended == tile and len(given) == width:
            self._say("changed_tile", f"{above} is not that of the tiles below", file=above)
            self.tree.correct(0, n, fold(tile))
        else:
            self._say("changed_tile", f"{name} does not belong to {above}", file=name)
            self.tree.upper[0, n] = None
        return tile

    def _fits(self, tile: bytes, parent: bytes | None, width: int) -> bool:
        """Whether a tile of the lowest level is what is vouched for; yes, if nothing is known."""
        if width == 256:
            return parent in (None, fold(tile))
        root = self.signed[self.size]
        return root is None or self.tree.root(self.size, tile) in (None, root)

    def _name_differences(
        self, wanted: range, entries: list[tuple[int, bytes]], hashes: list[bytes], tile: bytes
    ) -> None:
        """Say of each entry whether it was changed, left out, added, or stands elsewhere."""
        start = (entries[0][0] if entries else wanted.start) >> 8 << 8
        place = {tile[32 * i : 32 * i + 32]: start + i for i in range(len(tile) // 32)}
        foreign = [
            index for (index, _), hash_ in zip(entries, hashes, strict=True) if hash_ not in place
        ]
        given = set(hashes)
        missing = [i for i in wanted if tile[32 * (i - start) :][:32] not in given]
        if self.scope == "trail":  # Whose others are missing, the chain says.
            missing = [index for index in missing if index in foreign]
        for index in missing:
            if self.disclosures is not None:
                self.disclosures.damaged.add(index)
            if index in foreign:
                foreign.remove(index)
                self._say("changed_leaf", "the entry is not the one in the tree", index=index)
            else:
                self._say("missing_entry", "the entry was left out", index=index)
        for index in foreign:
            self._say("added_entry", "an entry that is not in the tree was added", index=index)
        highest = -1
        for (label, _), hash_ in zip(entries, hashes, strict=True):
            genuine = place.get(hash_, -1)
            if genuine < 0:
                continue
            if genuine <= highest or (self.scope != "log" and genuine != label):
                self._say("reordered", "the entry stands in another's place", index=genuine)
            highest = max(highest, genuine)

    def _take(self, index: int, raw: bytes, hash_: bytes) -> None:
        leaf = read_leaf(raw)
        self.count += 1
        if leaf is not None:
            self.edges[1 if self.edges else 0 :] = [(index, raw)]
        if leaf is None:
            said = "the leaf has a form that this verifier does not know"
            self._say("unknown_leaf", said, index=index)
        elif (leaf.log, leaf.organisation) != (self.log, self.organisation):
            self._say("foreign_leaf", "the leaf is of another log or organisation", index=index)
        else:
            if leaf.subject is not None:
                self.chains.add(leaf, hash_, index)
            if leaf.commit is not None and self.disclosures is not None:
                self._note(index, leaf, self.disclosures.check(index, leaf.commit))
            if leaf.type == "index" and leaf.statement is not None:
                self.index, self.index_at = (index, leaf.statement), json.loads(raw)["recorded_at"]

    def _note(self, index: int, leaf: Leaf, row: Disclosed | None) -> None:
        """Keep what is held together once every log has been read, and name what cannot be."""
        if leaf.type == "erase" and leaf.subject is not None:
            self.erasures.add(leaf.subject)
        if row is not None and row.withheld == "not_asked" and len(self.not_asked) < 3:
            self.not_asked.append(index)
        if row is not None and row.withheld and not self._may_be_withheld(leaf, row.withheld):
            said = f"it is withheld as {row.withheld}, and may not be"
            self._say("unfounded", said, index=index)
        if row is None or leaf.subject is None:
            return
        if row.payload is not None and leaf.type in ("link", "unlink"):
            self.linked[leaf.subject] = json.loads(row.payload).get("linked", [])
        elif row.withheld == "erased":
            self.told_erased.append((index, leaf.subject))
        elif row.withheld == "confidential" and leaf.type != "erase":
            said = "it is withheld as confidential, and only an erasure may be"
            self._say("unfounded", said, index=index)

    def _may_be_withheld(self, leaf: Leaf, why: str) -> bool:
        """Whether an entry may be withheld for this. Of a trail everything was asked for, and who
        else is the person is hidden by nothing but an erasure."""
        if self.scope == "trail" and leaf.type in ("link", "unlink"):
            return why == "erased"
        return why in WITHHELD and (self.scope != "trail" or why != "not_asked")

    def _check_chains(self) -> None:
        """Each person's chain, and by the index of persons that nothing was cut from its end."""
        until = self.index[1]["size"] if self.index else self.size
        found = self.found.count
        heads = self.chains.heads(self.found, self.log, whole=self.scope != "range", until=until)
        if self.scope == "trail":
            self._check_heads({head.subject.hex(): head for head in heads})
        else:
            root, count = root_of(map(head_hash, heads))
            if self.scope == "log" and self.index and self.found.count == found:
                index, said = self.index
                if (said["root"], said["subjects"]) != (root.hex(), count):
                    what = "the index of persons is not that of the entries before it"
                    self._say("wrong_index", what, index=index)

    def _check_heads(self, heads: dict[str, Head]) -> None:
        """Prove for each person of a trail that their last entry is the last there was."""
        if self.part["index"] is None:
            return
        name = f"logs/{self.log}/heads.jsonl"
        rows = map(json.loads, self.bundle.lines(name))
        proofs = {row.get("absent") or row["head"]["subject"]: row for row in rows}
        if self.index is None or self.index[0] != self.part["index"]:
            self._say(
                "missing_entry", "the index of persons was left out", index=self.part["index"]
            )
            return
        said = self.index[1]
        for subject in sorted({*heads, *self.part["subjects"]} | set(proofs)):
            row, head = proofs.get(subject), heads.get(subject)
            if row is None or subject not in self.part["subjects"]:
                self._say("unproved_end", f"no proof shows where person {subject} ends", file=name)
            elif "absent" in row:
                if head is not None or not is_absent(row, said):
                    what = f"nothing proves that there is no entry of person {subject}"
                    self._say("unproved_end", what, file=name)
            elif not is_in_index(row, said):
                what = f"the proof of person {subject}'s end is wrong"
                self._say("unproved_end", what, file=name)
            elif head != head_of(row):
                last = 0 if head is None else head.seq
                what = f"ends with {last} of {row['head']['head_seq']} entries"
                self._say("cut_trail", f"the trail of person {subject} {what}", index=self.index[0])


def check_persons(checks: list[LogCheck], found: Findings) -> None:
    """Whether all that is one person's is here, and what is withheld as erased was erased.

    Each link names everybody who is the person from then on; the last word of each counts.
    """
    trails = [check for check in checks if check.scope == "trail"]
    people = {one for check in trails for one in check.part["subjects"]}
    for check in trails:
        for one in sorted(people.difference(check.part["subjects"])):
            said = f"person {one} is told of by another log here, and not by this one"
            found.add("missing_person", said, log=check.log)
        for subject, linked in sorted(check.linked.items()):
            for one in sorted(set(linked) - people):
                said = f"person {subject} is the same as person {one}, of whom nothing is here"
                found.add("missing_person", said, log=check.log)
    erased = {one for check in trails for one in check.erasures}
    if any(check.log == "consent" for check in trails):
        for check in trails:
            for index, subject in check.told_erased:
                if subject not in erased:
                    said = f"it is withheld as erased, and person {subject} never was"
                    found.add("unfounded", said, log=check.log, index=index)


def head_of(row: dict[str, Any]) -> Head:
    """Where a person's chain ends, as a line of heads.jsonl says."""
    said = row["head"]
    return Head(
        bytes.fromhex(said["subject"]), said["head_seq"], bytes.fromhex(said["head_leaf_hash"])
    )


def is_in_index(row: dict[str, Any], said: dict[str, Any]) -> bool:
    """Whether a line's proof leads to the root that the index of persons has."""
    proof = [bytes.fromhex(one) for one in row["proof"]]
    root = root_by(proof, head_hash(head_of(row)), row["position"], said["subjects"])
    return root == bytes.fromhex(said["root"])


def is_absent(row: dict[str, Any], said: dict[str, Any]) -> bool:
    """Whether two who follow on each other in the index, or one at its end, leave no room."""
    beside, count, subject = row["beside"], said["subjects"], row["absent"]
    if not all(is_in_index(one, said) for one in beside):
        return False
    below = [one["position"] for one in beside if one["head"]["subject"] < subject]
    above = [one["position"] for one in beside if one["head"]["subject"] > subject]
    if len(below) > 1 or len(above) > 1 or len(below) + len(above) != len(beside):
        return False
    place = below[0] + 1 if below else 0
    return bool(place == (above[0] if above else count))


def head_hash(head: Head) -> bytes:
    """The leaf of one person in the index of persons."""
    text = '{"head_leaf_hash":"%s","head_seq":%d,"subject":"%s"}'
    said = text % (head.leaf_hash.hex(), head.seq, head.subject.hex())
    return hashlib.sha256(b"\0" + said.encode()).digest()


def root_of(hashes: Iterable[bytes]) -> tuple[bytes, int]:
    """The root over a stream of leaf hashes, and how many they are: RFC 6962."""
    peaks: list[tuple[int, bytes]] = []
    count = 0
    for hash_ in hashes:
        height, node, count = 0, hash_, count + 1
        while peaks and peaks[-1][0] == height:
            height, node = height + 1, fold(peaks.pop()[1] + node)
        peaks.append((height, node))
    root = None
    for _, peak in reversed(peaks):
        root = peak if root is None else fold(peak + root)
    return root or hashlib.sha256(b"").digest(), count


def root_by(proof: list[bytes], leaf: bytes, position: int, count: int) -> bytes | None:
    """The root that an inclusion proof leads to: RFC 9162, 2.1.3.2."""
    node, last, root = position, count - 1, leaf
    for sibling in proof:
        if last <= 0:
            return None
        if node & 1 or node == last:
            root = fold(sibling + root)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            root = fold(root + sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


COLUMNS = [
    "recorded_at",
    "occurred_at",
    "log",
    "index",
    "type",
    "verdict",
    "person",
    "address",
    "sender",
    "channel",
    "purpose",
    "topic",
    "level",
    "via",
    "text",
    "method",
    "source_url",
    "disclosure_version",
    "disclosure_text",
    "reasons",
    "provisions",
    "obligations",
    "not_before",
    "release",
    "actor",
    "id",
    "withheld",
]


class Told(NamedTuple):
    """An entry as trail.jsonl and trail.csv must tell it; they sort by when it was recorded."""

    recorded_at: datetime
    place: int
    at: int
    log: str
    line: bytes
    cells: list[Any]


class Story:
    """trail.jsonl and trail.csv, held against the entries and what was disclosed of them."""

    def __init__(self, bundle: Bundle, checks: list[LogCheck]) -> None:
        self.bundle, self.found = bundle, bundle.found
        self.checks = [check for check in checks if check.disclosures is not None]
        self.places = {check.log: place for place, check in enumerate(self.checks)}

    def check(self) -> None:
        """Name each entry that is told otherwise than it stands in its log."""
        self._check_lines()
        self._check_cells()

    def _say(self, kind: str, detail: str, name: str, told: Told) -> None:
        self.found.add(kind, detail, log=told.log, index=told.at, file=name)

    def _entries(self) -> Iterator[Told]:
        """What must be told, in the order in which it was recorded."""
        logs = [self._of_log(place, check) for place, check in enumerate(self.checks)]
        yield from heapq.merge(*logs, key=lambda told: told[:2])

    def _of_log(self, place: int, check: LogCheck) -> Iterator[Told]:
        disclosed = map(json.loads, self.bundle.lines(f"disclosed/{check.log}.jsonl"))
        for line in self.bundle.lines(f"logs/{check.log}/entries.txt"):
            label, _, raw = line.partition(b" ")
            leaf = json.loads(raw)
            row = next(disclosed) if leaf["commit"] is not None else {}
            if leaf["type"] != "index" and row.get("withheld") != "not_asked":
                yield told_of(place, int(label), raw, leaf, row)

    def _check_lines(self) -> None:
        name = "trail.jsonl"
        lines = self.bundle.lines(name)
        line = next(lines, None)
        for told in self._entries():
            while line is not None and self._order_of(line, told) < told[:3]:
                self._say("changed_story", "a line before it is of no entry here", name, told)
                line = next(lines, None)
            if line == told.line:
                line = next(lines, None)
            elif line is not None and self._order_of(line, told) == told[:3]:
                what = "it is told otherwise than it stands in the log"
                self._say("changed_story", what, name, told)
                line = next(lines, None)
            else:
                self._say("changed_story", "it was left out of the story", name, told)
        if line is not None:
            self.found.add("changed_story", f"{name} tells more than there is", file=name)

    def _order_of(self, line: bytes, told: Told) -> tuple[datetime, int, int]:
        """The place of the entry that a line tells of; one that cannot be read is taken for the
        entry that should stand there."""
        if line == told.line:
            return told[:3]
        try:
            row = json.loads(line)
            leaf = row["leaf"]
            return instant(leaf["recorded_at"]), self.places[leaf["log"]], int(row["index"])
        except (ValueError, KeyError, TypeError):
            return told[:3]

    def _check_cells(self) -> None:
        name = "trail.csv"
        rest = self._chunks(name)
        kept = b""
        for told in itertools.chain([None], self._entries()):
            wanted = written(COLUMNS if told is None else told.cells)
            while len(kept) < len(wanted) and (chunk := next(rest, b"")):
                kept += chunk
            if kept[: len(wanted)] != wanted:
                if told is None:
                    said = f"{name} has other columns"
                    self.found.add("changed_story", said, file=name)
                else:
                    said = "its row is another than it stands in the log"
                    self._say("changed_story", said, name, told)
                return  # From here on rows cannot be told apart.
            kept = kept[len(wanted) :]
        if kept or next(rest, b""):
            self.found.add("changed_story", f"{name} tells more than there is", file=name)

    def _chunks(self, name: str) -> Iterator[bytes]:
        for line in self.bundle.lines(name):
            yield line + b"\n"


def told_of(place: int, index: int, raw: bytes, leaf: dict[str, Any], row: dict[str, Any]) -> Told:
    """How an entry must be told: the leaf and what was disclosed, byte for byte."""
    payload: dict[str, Any] = {}
    end = b""
    if "withheld" in row:
        end = b',"withheld":' + json.dumps(row["withheld"]).encode()
    elif "payload_base64" in row:
        end = b',"payload_base64":' + json.dumps(row["payload_base64"]).encode()
    elif "payload" in row:
        end = b',"payload":' + row["payload"].encode()
        payload = json.loads(row["payload"])
    line = b'{"index":%d,"leaf":%b%b}' % (index, raw, end)
    cells = cells_of(index, leaf, payload, row.get("withheld", ""))
    return Told(instant(leaf["recorded_at"]), place, index, leaf["log"], line, cells)


def instant(text: str) -> datetime:
    """Read a time of a leaf, which is in UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: FURB162 - Python 3.10 needs it


def cells_of(
    index: int, leaf: Mapping[str, Any], payload: Mapping[str, Any], withheld: str
) -> list[Any]:
    """What stands in the row of an entry, in the order of the columns."""
    evidence = payload.get("evidence", {})
    disclosure = evidence.get("disclosure", {})
    decision = payload.get("decision", {})
    message = payload.get("facts", {}).get("message", {})
    findings, owed = decision.get("findings", []), decision.get("obligations", [])
    laws = [one["provision"] for one in [*findings, *owed]]
    return [
        leaf["recorded_at"],
        leaf["occurred_at"],
        leaf["log"],
        index,
        leaf["type"],
        decision.get("verdict"),
        leaf["subject"],
        payload.get("address"),
        payload.get("sender", payload.get("circumstances", {}).get("sender")),
        leaf["channel"],
        leaf["purpose"],
        payload.get("topic", message.get("topic")),
        leaf["level"],
        payload.get("via"),
        payload.get("text", message.get("text")),
        evidence.get("method"),
        evidence.get("source_url"),
        disclosure.get("version"),
        disclosure.get("text"),
        "; ".join(dict.fromkeys(one["code"] for one in findings)),
        "; ".join(dict.fromkeys(f"{one['jurisdiction']}: {one['citation']}" for one in laws)),
        "; ".join(dict.fromkeys(one["code"] for one in owed)),
        decision.get("not_before"),
        leaf["release"],
        leaf["actor"],
        leaf["event_id"],
        withheld,
    ]


def written(cells: list[Any]) -> bytes:
    """A row of CSV, no cell of which a spreadsheet takes for a formula."""
    texts = ["" if cell is None else str(cell) for cell in cells]
    sink = io.StringIO()
    csv.writer(sink).writerow(
        [
            f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
            for text in texts
        ]
    )
    return sink.getvalue().encode()


class Result(NamedTuple):
    """What was found of a bundle."""

    manifest: dict[str, Any]
    checks: list[LogCheck]
    found: Findings
    keys: list[PublicKey]
    are_given: bool


def verify(path: Path, given: list[PublicKey], kept: Iterable[KeptNote] = ()) -> Result:
    """Verify one bundle. ``given``: the keys to trust; none: those in the bundle.

    ``kept``: checkpoints of its logs that somebody has from elsewhere.
    """
    found = Findings()
    result = Result({}, [], found, given, bool(given))
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
        try:
            bundle = Bundle(file, found)
        except (OSError, *BROKEN_ZIP) as error:
            if not is_zip or (isinstance(error, OSError) and error.errno != errno.EINVAL):
                raise UnreadableError(f"this is no bundle: {error}") from None
            found.add("cut", f"the end of the zip file is missing or broken: {error}")
            return result
        try:
            result = _verify(bundle, result, list(kept))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, struct.error) as error:
            found.add("broken_file", f"the bundle's own description makes no sense: {error!r}")
        if bundle.is_altered and not found.count:
            found.add("altered", "a byte was changed that nothing signed rests on")
        return result


def _verify(bundle: Bundle, result: Result, kept: list[KeptNote]) -> Result:
    found = bundle.found
    keys = _keys_of(bundle, result.keys)
    raw = bundle.read("manifest")
    note = raw and open_note(raw, keys, found, file="manifest")
    if not note:
        return result._replace(keys=keys)
    (format_, text), signers = note
    if format_ != FORMAT:
        raise UnreadableError(f"the bundle is of the form {format_}; this file knows {FORMAT}")
    manifest = json.loads(text)
    if not isinstance(manifest.get("asked"), dict | None):
        raise TypeError("what was asked for is no description")
    kept = [one for one in kept if open_note(one.raw, keys, found, file=one.name)]
    logs, organisation = manifest["logs"], manifest["organisation"]
    for one in kept:
        if one.origin not in [part["origin"] for part in logs]:
            said = f"{one.name} is of the log {one.origin}, which is not in the bundle"
            found.add("not_compared", said, file=one.name)
    checks = [LogCheck(bundle, part, organisation, kept) for part in logs]
    for check in checks:
        if check.part["origin"] not in signers:
            said = f"the manifest is not signed by {check.part['origin']}"
            found.add("other_key", said, log=check.log, file="manifest")
        check.run(keys)
    if not found.count:
        check_persons(checks, found)
    if (manifest.get("asked") or "trail.jsonl" in manifest["files"]) and not found.count:
        Story(bundle, checks).check()
    _check_files(bundle, manifest["files"])
    return result._replace(manifest=manifest, checks=checks, keys=keys)


def _keys_of(bundle: Bundle, given: list[PublicKey]) -> list[PublicKey]:
    """The keys to trust: those given, else those in the bundle."""
    found = bundle.found
    named = []
    for line in (bundle.read("keys.txt") or b"").decode("utf-8", "replace").split("\n")[:-1]:
        try:
            named.append(PublicKey.parse(line))
        except ValueError as error:
            found.add("broken_file", f"keys.txt holds what is no key: {error}", file="keys.txt")
    keys = given or named
    for key in named:
        if key not in keys:
            found.add("other_key", f"the key of {key.name} is not the one given", file="keys.txt")
    return keys


def _check_files(bundle: Bundle, files: dict[str, str]) -> None:
    """Every other file is the one that the manifest lists, and there is none that it does not."""
    found = bundle.found
    explained = {one.file for one in found.named}
    for log in {
        one.log for one in found.named if one.kind not in ("changed_story", "not_compared")
    }:
        explained |= {
            f"logs/{log}/entries.txt",
            f"logs/{log}/heads.jsonl",
            f"disclosed/{log}.jsonl",
        }
    for name, digest in sorted(files.items()):
        if name not in bundle.members:
            bundle.read(name)
        elif bundle.digest(name) != digest and name not in explained:
            found.add("changed_file", f"{name} is not the file that the manifest lists", file=name)
    for name in sorted(set(bundle.members) - bundle.used - set(files)):
        found.add("unknown_file", f"{name} is no part of the bundle", file=name)


def summary_of(path: Path, result: Result) -> dict[str, Any]:
    """The report for programs: one JSON record."""
    return {
        "bundle": path.name,
        "verdict": "damaged" if result.found.count else "genuine",
        "damage_count": result.found.count,
        "damage": [
            {key: value for key, value in asdict(one).items() if value is not None}
            for one in result.found.named
        ],
        "organisation": result.manifest.get("organisation"),
        "asked": result.manifest.get("asked"),
        "persons": sorted({one for check in result.checks for one in check.part["subjects"]}),
        "logs": [log_summary(check, result.manifest.get("asked")) for check in result.checks],
        "keys": [str(key) for key in result.keys],
        "keys_are_given": result.are_given,
    }


def log_summary(check: LogCheck, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the report says of one log. ``asked``: what the bundle says was asked for."""
    asked = asked or {}
    said = {key: check.part[key] for key in ("log", "origin", "size", "scope", "from", "to")}
    disclosed = check.disclosures.count if check.disclosures else 0
    return {
        **said,
        "entries": check.count,
        "disclosed": disclosed,
        "withheld": dict(sorted(check.disclosures.withheld.items())) if check.disclosures else {},
        "end_is_proved": end_is_proved(check),
        "proved_until": proved_until(check),
        "proved_at": check.index_at if proved_by_index(check) else None,
        "period_is_proved": period_is_proved(check, asked),
    }


def period_is_proved(check: LogCheck, asked: dict[str, Any]) -> bool | None:
    """Whether the entries beside those of the period that was ``asked`` for are here, so that
    none of it was left out; None: no period was."""
    if check.scope != "range" or not (asked.get("from") or asked.get("to")):
        return None
    try:
        return _is_between(check, asked)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False  # Whoever signed it wrote no times there.


def _is_between(check: LogCheck, asked: dict[str, Any]) -> bool:
    times = [instant(json.loads(raw)["recorded_at"]) for _, raw in check.edges]
    begins, ends = check.part["from"] == 0, check.part["to"] == check.size
    outside = set()
    if asked.get("from") and times and times[0] < instant(asked["from"]):
        begins, outside = True, {check.edges[0][0]}
    if asked.get("to") and times and times[-1] >= instant(asked["to"]):
        ends, outside = True, outside | {check.edges[-1][0]}
    is_whole = asked["scope"] != "period" or outside.issuperset(check.not_asked)
    return begins and ends and is_whole


def proved_by_index(check: LogCheck) -> bool:
    """Whether the index of persons proves where somebody's trail ends."""
    if check.scope != "trail" or check.index is None or not check.part["subjects"]:
        return False
    return bool(check.index[0] == check.part["index"])


def end_is_proved(check: LogCheck) -> bool:
    """Whether the bundle shows that nothing was cut from the end of what it claims to be.

    Of a trail of nobody known by id nothing can be: there is no chain, and no place in the index.
    """
    return check.scope != "trail" or proved_by_index(check)


def proved_until(check: LogCheck) -> int | None:
    """How many entries the log had when the proof of the end was made; None: there is none."""
    if proved_by_index(check) and check.index is not None:
        return int(check.index[1]["size"])
    return None if check.scope == "trail" else int(check.part["to"])


def report_of(summary: dict[str, Any]) -> str:
    """The report for people."""
    is_believed = summary["verdict"] == "genuine" and not summary["keys_are_given"]
    how = " by the keys that came with it" if is_believed else ""
    lines = [f"{summary['verdict'].upper()}{how}  {summary['bundle']}"]
    if summary["asked"]:
        lines.append(f"  asked for: {asked_for(summary['asked'])}")
    for one in summary["damage"]:
        where = " ".join(str(one[key]) for key in ("log", "index") if key in one)
        lines.append(f"  {one['kind']}: {where and where + ': '}{one['detail']}")
    if summary["damage_count"] > len(summary["damage"]):
        lines.append(f"  … and {summary['damage_count'] - len(summary['damage'])} more")
    for log in summary["logs"]:
        what = {
            "log": "the whole log",
            "range": f"entries {log['from']} until {log['to']} of {log['size']}",
            "trail": f"one person's trail in a log of {log['size']}",
        }[log["scope"]]
        lines.append(f"  {log['log']}: {log['entries']} entries, {what}, {log['origin']}")
        lines += [f"    {said}" for said in told_of_log(log)]
    lines += [f"  person {one}" for one in summary["persons"]]
    lines += [f"  signed by {key}" for key in summary["keys"]]
    if not summary["keys_are_given"] and summary["keys"]:
        lines.append("  These keys came with the bundle. Compare them with those that the operator")
        lines.append(
            "  has published, or give them with --key: anybody can sign with keys of theirs."
        )
    return "\n".join(map(printable, lines)) + "\n"


def printable(text: str) -> str:
    """A text with what would move the cursor or turn the direction of writing named in its place:
    names of files are whatever somebody chose."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def asked_for(asked: dict[str, Any]) -> str:
    """What the operator says that this bundle was made of."""
    what = {"person": "one person's trail", "sender": f"the sender {asked.get('sender')}"}
    said = what.get(str(asked.get("scope")), "everything")
    if asked.get("from") or asked.get("to"):
        since, until = asked.get("from") or "the beginning", asked.get("to") or "then"
        said += f", recorded from {since} until {until}"
    return said


def told_of_log(log: dict[str, Any]) -> Iterator[str]:
    """What else is to be said of a log."""
    if log["disclosed"]:
        yield f"{log['disclosed']} payloads disclosed, each as its leaf commits to it"
    if log["withheld"]:
        of_each = ", ".join(f"{count} {why}" for why, count in log["withheld"].items())
        yield f"{sum(log['withheld'].values())} withheld: {of_each}"
    if not log["end_is_proved"]:
        yield "not proved: that this trail has no later entries"
    elif log["period_is_proved"] is False:
        yield "not proved: that nothing else was recorded in the period that was asked for"
    elif log["proved_at"] is not None:
        size = log["proved_until"]
        yield f"its end is proved as of {log['proved_at']}, when the log had {size} entries"


def main(arguments: list[str] | None = None) -> int:
    """Verify the bundle that the command line names; give the exit code."""
    parser = argparse.ArgumentParser(prog="verify", description=__doc__.split("\n", 1)[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", action="append", default=[], metavar="PUBLIC", dest="keys")
    parser.add_argument(
        "--checkpoint", action="append", default=[], metavar="NOTE", type=Path, dest="kept"
    )
    parser.add_argument("--json", action="store_true", help="a JSON record, also on a terminal")
    options = parser.parse_args(arguments)
    try:
        given = [key for text in options.keys for key in read_keys(text)]
        kept = [KeptNote.read(path) for path in options.kept]
        summary = summary_of(options.bundle, verify(options.bundle, given, kept))
    except (UnreadableError, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
        sys.stderr.write(printable(f"verify: {options.bundle}: {said}") + "\n")
        return UNREADABLE
    if options.json or not sys.stdout.isatty():
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        sys.stdout.write(report_of(summary))
    return DAMAGED if summary["damage_count"] else GENUINE


def read_keys(text: str) -> list[PublicKey]:
    """The keys that ``--key`` names: one, or a file of them."""
    lines = [text] if text.count("+") >= 2 else Path(text).read_text("utf-8").split("\n")
    try:
        return [PublicKey.parse(line) for line in lines if line.strip()]
    except ValueError as error:
        raise UnreadableError(f"--key {text}: this is no public key of a log: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
