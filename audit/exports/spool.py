"""Files that grow side by side until each goes into the bundle, one after the other.

A zip file takes its members one at a time, and an entry must be read once only: what is erased
between two readings would stand in one of the files and not in the other.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

_LEVEL = 1
_CHUNK = 1 << 18


class Spool:
    """Compressed files in a folder of its own, which goes with everything in it at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            try:
                file.close()
            except OSError:
                continue  # A full disk has been told of by the write that met it.
        empty(self._folder)

    def add(self, name: str, line: bytes) -> None:
        """Write at the end of the file of that name in the bundle."""
        self._file(name).write(line)

    def make(self, name: str) -> None:
        """Have a file of that name, even if nothing is written to it."""
        self._file(name)

    def chunks(self, name: str) -> Iterator[bytes]:
        """What was written to a file, from its beginning. Nothing is added to it after this."""
        self._file(name).close()
        with gzip.open(self._path(name), "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def _file(self, name: str) -> BinaryIO:
        if name not in self._files:
            self._files[name] = cast("BinaryIO", gzip.open(self._path(name), "wb", _LEVEL))  # noqa: SIM115
        return self._files[name]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name.replace('/', '.')}.gz"


def empty(folder: Path) -> None:
    """Remove a folder of a spool with its files, if it is there."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()
