"""The erasure journal: every erasure once more, sealed, in a file outside the database.

Whoever restores an old copy of the database brings back who was erased since. The journal tells
which erasures that copy lacks, and they are carried out again before anybody is served. A line
is on disk before its erasure commits: one that never did is carried out at the next start.
The months of decisions whose retention has ended stand in it as well.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import msgspec

from consent.erasure import Erasure, ErasureRecord, PastErasure
from consent.errors import ErasureJournalError
from consent.keys.errors import BrokenSealError, KeyStoreError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.key_store import replace_file
from consent.keys.root_key import read_private, sync_folder
from consent.keys.sealing import KeyKind
from consent.ledger.columns import instant_of, microseconds_of
from consent.retention import Expiry

FILE: Final = "erasures"
HEAD_FILE: Final = "erasures.head"
FORMAT_VERSION: Final = 1
_USES: Final = {"erasure": b"erasure-journal", "expiry": b"expiry-journal"}
"""What each kind of line is sealed for, so that neither opens as the other."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    ledger: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``previous``: SHA-256 of the line before, so that none is missing in the middle."""

    previous: str
    organisation: str
    event_id: bytes
    at: int
    sealed: bytes
    kind: Literal["erasure", "expiry"] = "erasure"


class _Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    subjects: list[bytes]
    blind_indexes: list[bytes]
    record: ErasureRecord
    actor: str | None = None


class _SealedExpiry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    month: int
    statement: dict[str, str | int]
    actor: str | None = None


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the journal had come. ``last``: SHA-256 of the last of so many lines."""

    ledger: str
    lines: int
    last: str


class ErasureJournal:
    """One file of a line an erasure. Nothing in it is ever changed, and only a torn end cut.

    How many lines there are stands in a file beside the keys as well, so that an older copy of the
    journal, or one whose end was cut, is told from a whole one.
    """

    def __init__(self, path: Path, head: Path, keys: KeyRing) -> None:
        self.path = path
        self.head = head
        self._keys = keys

    @classmethod
    def of(cls, vault: Path, keys: KeyRing) -> "ErasureJournal":
        """The journal in the folder of the vault, whether it is there or not."""
        return cls(vault / FILE, keys.folder / HEAD_FILE, keys)

    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def create(self) -> None:
        """Make an empty journal, for its owner only. One that is there is left as it is.

        ``ErasureJournalError``: there was one, with erasures in it.
        """
        self.refuse_if_lost()
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._first_line())
                file.flush()
                os.fsync(file.fileno())
            # Several processes may start at once: none may see half a journal, nor make another.
            with suppress(FileExistsError):
                self.path.hardlink_to(beside)
            beside.unlink()
            for folder in (self.path.parent, self.path.parent.parent):
                sync_folder(folder)
        except OSError as error:
            raise ErasureJournalError(f"{self.path} cannot be made: {error.strerror}") from None

    def refuse_if_lost(self) -> None:
        """``ErasureJournalError``: the file is not there, and there were erasures in it."""
        if not self.exists():
            self._check_head([])

    def refuse_unreadable(self) -> None:
        """``KeyStoreError``: one of the two files cannot be read, or others may read it."""
        for path in (self.path, self.head):
            if path.exists():
                read_private(path)

    def append(self, ended: Sequence[tuple[str, Erasure | Expiry]]) -> None:
        """Add what was ended, each with its organisation, on disk before this returns."""
        if not ended:
            return
        try:
            with self._locked() as descriptor:
                content = self._content()
                whole = content[: content.rfind(b"\n") + 1]
                self._check_header(whole)
                lines = whole.splitlines()
                self._check_head(lines)
                previous = lines[-1]
                if len(lines) == 1 and not self.head.exists():
                    # Before the first line: whoever finds lines without a head knows it is lost.
                    self._write_head(1, previous)
                written = b""
                for organisation, one in ended:
                    line = msgspec.json.encode(self._line_of(previous, organisation, one))
                    written += line + b"\n"
                    previous = line
                # A line that a crash has torn was never committed.
                os.ftruncate(descriptor, len(whole))
                _write_all(descriptor, written, at=len(whole))
                os.fsync(descriptor)
                self._write_head(len(lines) + len(ended), previous)
        except OSError as error:
            raise ErasureJournalError(f"{self.path} cannot be written: {error.strerror}") from None

    def read(self) -> Iterator[tuple[str, PastErasure | Expiry]]:
        """Every erasure and expiry with its organisation, oldest first.

        ``ErasureJournalError`` names the line that was changed, or after which some are missing.
        """
        content = self._content()
        whole = content[: content.rfind(b"\n") + 1]
        self._check_header(whole)
        lines = whole.splitlines()
        for number, (previous, line) in enumerate(pairwise(lines), start=2):
            self._line_after(number, previous, line)
        self._check_head(lines)
        for number, (previous, line) in enumerate(pairwise(lines), start=2):
            yield self._past_of(number, previous, line)

    def _past_of(
        self, number: int, previous: bytes, line: bytes
    ) -> tuple[str, PastErasure | Expiry]:
        read = self._line_after(number, previous, line)
        try:
            opened = self._keys.open_sealed(
                read.organisation,
                KeyKind.SUPPRESSION_PAYLOAD,
                read.sealed,
                _USES[read.kind],
                read.event_id,
                read.at.to_bytes(8, "big"),
            )
            return read.organisation, _inside(read, opened)
        except (
            msgspec.MsgspecError,
            UnicodeDecodeError,
            BrokenSealError,
            UnknownKeyError,
            OverflowError,
        ):
            raise ErasureJournalError(f"{self.path}:{number} does not open") from None

    def _line_after(self, number: int, previous: bytes, line: bytes) -> _Line:
        try:
            read = msgspec.json.decode(line, type=_Line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ErasureJournalError(f"{self.path}:{number} cannot be read") from None
        if read.previous != sha256(previous).hexdigest():
            raise ErasureJournalError(
                f"{self.path}:{number} does not follow the line before it: one was changed,"
                " or some are missing"
            )
        return read

    def _line_of(self, previous: bytes, organisation: str, ended: Erasure | Expiry) -> _Line:
        at = microseconds_of(ended.at)
        inside: _Sealed | _SealedExpiry
        if isinstance(ended, Expiry):
            kind: Literal["erasure", "expiry"] = "expiry"
            event_id = ended.event_id(organisation)
            inside = _SealedExpiry(ended.month, dict(ended.statement), ended.actor)
        else:
            kind, event_id = "erasure", ended.event_id
            inside = _Sealed(
                subjects=list(ended.subjects),
                blind_indexes=sorted(ended.blind_indexes),
                record=ended.record,
                actor=ended.actor,
            )
        sealed = self._keys.seal(
            organisation,
            KeyKind.SUPPRESSION_PAYLOAD,
            msgspec.msgpack.encode(inside),
            _USES[kind],
            event_id,
            at.to_bytes(8, "big"),
            at=ended.at,
        )
        before = sha256(previous).hexdigest()
        return _Line(before, organisation, event_id, at, sealed, kind)

    def _first_line(self) -> bytes:
        return msgspec.json.encode(_Header(FORMAT_VERSION, self._keys.ledger_id)) + b"\n"

    def _content(self) -> bytes:
        try:
            return read_private(self.path)
        except KeyStoreError as error:
            raise ErasureJournalError(error.detail) from None

    def _check_header(self, content: bytes) -> None:
        try:
            header = msgspec.json.decode(content.partition(b"\n")[0], type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ErasureJournalError(f"{self.path} is no erasure journal, or is damaged") from None
        if header.v != FORMAT_VERSION:
            raise ErasureJournalError(
                f"{self.path} is of format {header.v}, and this release reads {FORMAT_VERSION}"
            )
        if header.ledger != self._keys.ledger_id:
            raise ErasureJournalError(
                f"{self.path} is of another ledger: {header.ledger}, and here it is"
                f" {self._keys.ledger_id}"
            )

    def _check_head(self, lines: Sequence[bytes]) -> None:
        """Refuse a journal that has come less far than it had. It may be a line ahead of its
        head: a crash came between the two."""
        if not self.head.exists():
            return
        try:
            head = msgspec.json.decode(read_private(self.head), type=_Head)
        except KeyStoreError as error:
            raise ErasureJournalError(error.detail) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ErasureJournalError(f"{self.head} cannot be read, or is damaged") from None
        if head.ledger != self._keys.ledger_id:
            raise ErasureJournalError(f"{self.head} is of another ledger: {head.ledger}")
        if head.lines == 1 and not lines:
            return
        if head.lines > len(lines):
            raise ErasureJournalError(
                f"{self.path} has {max(len(lines) - 1, 0)} erasures, and it had {head.lines - 1}:"
                " its end was cut, or it is an older copy; put the newest one back"
            )
        if sha256(lines[head.lines - 1]).hexdigest() != head.last:
            raise ErasureJournalError(
                f"{self.path}:{head.lines} is not the line that was written there; put the newest"
                " copy back"
            )

    def _write_head(self, lines: int, last: bytes) -> None:
        head = _Head(self._keys.ledger_id, lines, sha256(last).hexdigest())
        try:
            replace_file(self.head, msgspec.json.encode(head) + b"\n")
        except KeyStoreError as error:
            raise ErasureJournalError(error.detail) from None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Keep other processes out, for as long as the file is open."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _inside(line: _Line, opened: bytes) -> PastErasure | Expiry:
    at = instant_of(line.at)
    if line.kind == "expiry":
        expiry = msgspec.msgpack.decode(opened, type=_SealedExpiry)
        return Expiry(month=expiry.month, at=at, statement=expiry.statement, actor=expiry.actor)
    inside = msgspec.msgpack.decode(opened, type=_Sealed)
    return PastErasure(
        event_id=line.event_id,
        at=at,
        subjects=tuple(inside.subjects),
        blind_indexes=frozenset(inside.blind_indexes),
        record=inside.record,
        actor=inside.actor,
    )


def _write_all(descriptor: int, content: bytes, *, at: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, at)
        content, at = content[written:], at + written
