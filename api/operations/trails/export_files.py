"""The files of exports in the data folder: whole ones, and halves that nobody ever sees."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from audit.exports import spool
from audit.jobs import State

_WHOLE = ".zip"
_HALF = ".part"
_SPOOL = ".spool"


class Half:
    """A file that is being written. Unless ``complete`` was called it goes at the end."""

    def __init__(self, file: BinaryIO, path: Path, whole: Path, spool_folder: Path) -> None:
        self.file = file
        self.spool = spool_folder
        self._path = path
        self._whole = whole

    def complete(self) -> None:
        """Put it in its place, on disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self._path.rename(self._whole)
        folder = os.open(self._whole.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class ExportFiles:
    """A folder, for its owner only: what lies in it is sealed elsewhere, and here it is not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def whole(self, id_: bytes) -> Path:
        """Where the file of a finished export lies."""
        return self._folder / f"{id_.hex()}{_WHOLE}"

    @contextmanager
    def half(self, id_: bytes, runner: str) -> Iterator[Half]:
        """A new file for a job; ``runner`` keeps apart what two processes may write."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{id_.hex()}.{runner}{_HALF}"
        spool_folder = self._folder / f"{id_.hex()}.{runner}{_SPOOL}"
        spool.empty(spool_folder)
        try:
            with open(path, "wb", opener=_for_the_owner) as file:
                yield Half(file, path, self.whole(id_), spool_folder)
        finally:
            path.unlink(missing_ok=True)

    def ids(self) -> list[bytes]:
        """The jobs of which anything lies here."""
        if not self._folder.is_dir():
            return []
        return list({id_ for path in self._folder.iterdir() if (id_ := _id_of(path)) is not None})

    def remove(self, id_: bytes) -> None:
        """Remove the file of an export, if it is there."""
        self.whole(id_).unlink(missing_ok=True)

    def keep_only(
        self,
        owners: Mapping[bytes, tuple[State, str | None]],
        *,
        mine: Collection[bytes],
    ) -> None:
        """Remove every file but those of finished exports, and of those that somebody makes.

        ``mine`` are made in this process, whatever the list of jobs says by now.
        """
        for path in list(self._folder.iterdir()):
            id_ = _id_of(path)
            if id_ is None or id_ in mine:
                continue
            state, runner = owners.get(id_, (None, None))
            if path.suffix == _WHOLE:
                is_kept = state in {State.DONE, State.RUNNING}
            else:
                is_kept = state is State.RUNNING and path.name.split(".")[1] == runner
            if not is_kept:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        spool.empty(path)
    else:
        path.unlink(missing_ok=True)


def _id_of(path: Path) -> bytes | None:
    try:
        return bytes.fromhex(path.name.partition(".")[0])
    except ValueError:
        return None


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
