"""The vault: the last checkpoint of every log, kept outside the database.

A database can be put back to an old copy with everything in it; a vault that lies elsewhere
still knows how far it had come. It is a folder: ``last/`` has a note for each log, replaced as
the log grows, and ``history-YYYY-MM.ndjson`` every checkpoint that was ever put here.
"""

import fcntl
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from consent.ledger.checkpoints import SignedCheckpoint, read_unverified
from consent.ledger.errors import NoteError, VaultError
from consent.ledger.leaf import Log

FORMAT_VERSION = 1
MARK_FILE = "vault.json"
LAST_FOLDER = "last"
LOCK_FILE = "lock"


class _Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    v: int
    ledger: str


Notes = Mapping[tuple[str, Log], str]
"""The last note of each log, by organisation and log."""


class Vault:
    """One ledger's vault. Everything is on disk before a method returns."""

    def __init__(self, root: Path, ledger_id: str) -> None:
        self.root = root
        self.ledger_id = ledger_id
        self._last = root / LAST_FOLDER

    @classmethod
    def create(cls, root: Path, ledger_id: str) -> "Vault":
        """Make the vault of a new ledger. ``VaultError``: something is there already."""
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(root.iterdir()):
                raise VaultError(f"{root} is not empty: a vault is never made over another")
            (root / LAST_FOLDER).mkdir(mode=0o700)
            mark = msgspec.json.encode(_Mark(FORMAT_VERSION, ledger_id)) + b"\n"
            _replace(root / MARK_FILE, mark)
            _sync_folder(root)
        except OSError as error:
            raise VaultError(f"the vault {root} cannot be made: {error.strerror}") from None
        return cls(root, ledger_id)

    @classmethod
    def open(cls, root: Path) -> "Vault":
        """Open a vault, of whichever ledger. ``VaultError`` says what is wrong with which file."""
        path = root / MARK_FILE
        try:
            mark = msgspec.json.decode(_read_private(path), type=_Mark)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise VaultError(f"{path} is no vault's, or is damaged") from None
        if mark.v != FORMAT_VERSION:
            raise VaultError(f"{path} is of format {mark.v}; this release reads {FORMAT_VERSION}")
        return cls(root, mark.ledger)

    @staticmethod
    def exists(root: Path) -> bool:
        """Whether a vault, or what may be left of one, lies there."""
        try:
            return any(root.iterdir())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise VaultError(f"the vault {root} cannot be read: {error.strerror}") from None

    def last(self) -> dict[tuple[str, Log], str]:
        """The last note of each log. Who reads one verifies it."""
        try:
            names = sorted(path.name for path in self._last.iterdir())
        except OSError as error:
            raise VaultError(f"{self._last} cannot be read: {error.strerror}") from None
        found = {}
        for name in names:
            organisation, _, log = name.rpartition("-")
            if name.startswith(".") or log not in set(Log):
                continue
            found[organisation, Log(log)] = self._note_in(self._last / name)
        return found

    def last_of(self, organisation: str, log: Log) -> str | None:
        """The last note of one log, if it has one."""
        path = self._path_of(organisation, log)
        return self._note_in(path) if path.exists() else None

    def put_many(
        self, signed: Sequence[SignedCheckpoint], *, fork: bool = False
    ) -> list[SignedCheckpoint]:
        """Put checkpoints in, alone among all processes; give those that were.

        One that does not go further than what lies here is left out, but for a ``fork``.
        """
        try:
            with self._locked():
                put = [one for one in signed if fork or self._goes_further(one)]
                if put:
                    self._write_history(put)
                    for one in put:
                        _replace(self._path_of(one.organisation, one.log), one.note.encode())
                    _sync_folder(self._last)
                return put
        except OSError as error:
            raise VaultError(f"the vault {self.root} cannot be written: {error.strerror}") from None

    def retire(self, organisation: str, log: Log, *, at: datetime) -> None:
        """Set the note of a log aside that the ledger goes on without. It stays in the history."""
        path = self._path_of(organisation, log)
        try:
            with self._locked():
                path.rename(path.with_name(f".retired-{path.name}-{at:%Y%m%dT%H%M%SZ}"))
                _sync_folder(self._last)
        except OSError as error:
            raise VaultError(f"the vault {self.root} cannot be written: {error.strerror}") from None

    def history(self) -> Iterator[SignedCheckpoint]:
        """Every checkpoint that was put here and was not moved away, oldest first."""
        for _, line in self.history_lines():
            try:
                yield msgspec.json.decode(line, type=SignedCheckpoint)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # Cut by a crash: it was put in again after it.

    def history_sizes(self) -> dict[str, int]:
        """How far each file of the history goes now, in bytes."""
        try:
            return {path.name: path.stat().st_size for path in self.root.glob("history-*.ndjson")}
        except OSError as error:
            raise VaultError(f"the vault {self.root} cannot be read: {error.strerror}") from None

    def history_lines(
        self, *, until: Mapping[str, int] | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """The same as it is written, each line with its file and number.

        ``until``: of each file no more than it had when those ``history_sizes`` were taken.
        """
        for path in sorted(self.root.glob("history-*.ndjson")):
            left = math.inf if until is None else until.get(path.name, 0)
            try:
                with path.open("rb") as lines:
                    _refuse_public(path, lines.fileno())
                    for number, line in enumerate(lines, start=1):
                        left -= len(line)
                        if left < 0:
                            break
                        yield f"{path.name}:{number}", line.rstrip(b"\n")
            except OSError as error:
                raise VaultError(f"{path} cannot be read: {error.strerror}") from None

    def _path_of(self, organisation: str, log: Log) -> Path:
        return self._last / f"{organisation}-{log}"

    def _note_in(self, path: Path) -> str:
        try:
            note = _read_private(path).decode()
            read_unverified(note)
        except (UnicodeDecodeError, NoteError):
            raise VaultError(f"{path} is no checkpoint, or is damaged") from None
        return note

    def _goes_further(self, one: SignedCheckpoint) -> bool:
        note = self.last_of(one.organisation, one.log)
        if note is None:
            return True
        there, new = read_unverified(note), read_unverified(one.note)
        return new.origin == there.origin and new.size > there.size

    def _write_history(self, signed: Sequence[SignedCheckpoint]) -> None:
        month = f"{signed[-1].signed_at.astimezone(UTC):%Y-%m}"
        path = self.root / f"history-{month}.ndjson"
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            lines = b"".join([msgspec.json.encode(one) + b"\n" for one in signed])
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                lines = b"\n" + lines  # A crash cut the last line; it must not swallow ours.
            _write_all(descriptor, lines)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.root)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.root / LOCK_FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _read_private(path: Path) -> bytes:
    """Read a file of the vault, and refuse one that others may read or change."""
    try:
        with path.open("rb") as file:
            _refuse_public(path, file.fileno())
            return file.read()
    except FileNotFoundError:
        raise VaultError(
            f"{path} is missing: the vault is to lie where the setting vault says, and a ledger"
            " that has been used is not opened without it"
        ) from None
    except OSError as error:
        raise VaultError(f"{path} cannot be read: {error.strerror}") from None


def _refuse_public(path: Path, descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise VaultError(f"{path} is not a file")
    if mode & 0o077:
        raise VaultError(f"{path} is open to other users: chmod 600 {path.name}")


def _replace(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole and on disk; its folder is for the caller to sync."""
    beside = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
