"""The zip file of a bundle: written in one go, byte for byte the same for the same content.

Its comment holds the SHA-256 of all that stands before it, so that not one byte of the file can
change unseen, whether it means something or not. Who means harm can write that digest anew; what
they change then is signed elsewhere.
"""

import zipfile
from collections.abc import Iterable
from hashlib import sha256
from types import TracebackType
from typing import Protocol, Self

_END_SIZE = 22
"""Of the record that ends a zip file without a comment."""

_LEVEL = 3
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PERMISSIONS = 0o644 << 16
_BY_UNIX = 3


class Sink(Protocol):
    """What a bundle is written to. It need not be able to seek."""

    def write(self, chunk: bytes, /) -> object: ...


class Container:
    """A zip file that grows member by member. Leaving it without an error completes it."""

    def __init__(self, sink: Sink) -> None:
        self._end = _DigestedEnd(sink)
        self._zip = zipfile.ZipFile(self._end, "w")  # type: ignore[call-overload]
        self.names: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._zip.close()
            self._end.finish()
        else:
            self._zip.fp = None  # Else it would end the file when it is collected.

    def add(self, name: str, chunks: Iterable[bytes], *, is_random: bool = False) -> str:
        """Write one member, and give its SHA-256. What is random is not compressed."""
        assert name not in self.names, "each file of a bundle has its own name"
        self.names.add(name)
        member = zipfile.ZipInfo(name, _EPOCH)
        member.compress_type = zipfile.ZIP_STORED if is_random else zipfile.ZIP_DEFLATED
        member._compresslevel = _LEVEL  # type: ignore[attr-defined]  # noqa: SLF001
        member.external_attr = _PERMISSIONS
        member.create_system = _BY_UNIX
        digest = sha256()
        # How long it gets is not known when it begins, so it is always given room for 64 bits.
        with self._zip.open(member, "w", force_zip64=True) as stream:
            for chunk in chunks:
                digest.update(chunk)
                stream.write(chunk)
        return digest.hexdigest()


class _DigestedEnd:
    """Passes on what is written but for the end, which is given the digest as its comment."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._digest = sha256()
        self._kept = b""

    def write(self, chunk: bytes) -> int:
        joined = self._kept + bytes(chunk)
        self._pass_on(joined[:-_END_SIZE])
        self._kept = joined[-_END_SIZE:]
        return len(chunk)

    def flush(self) -> None:
        """Nothing waits but the end."""

    def finish(self) -> None:
        assert self._kept.startswith(b"PK\5\6"), "a zip file without a comment ends so"
        size = len(b"sha256:") + 2 * self._digest.digest_size
        self._pass_on(self._kept[:-2] + size.to_bytes(2, "little"))
        self._sink.write(f"sha256:{self._digest.hexdigest()}".encode())

    def _pass_on(self, chunk: bytes) -> None:
        self._digest.update(chunk)
        self._sink.write(chunk)
