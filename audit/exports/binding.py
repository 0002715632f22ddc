"""Add to a bundle what tells of its own verification, and sign the whole.

First the evidence alone is written and verified; then it is copied as it is, byte for byte, with
what was made of the verdict beside it.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from audit.exports.bundle import MANIFEST_NAME, signed_manifest
from audit.exports.container import Container, Sink
from audit.exports.report.checked import Checked, check
from consent.keys.key_ring import KeyRing
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier

_CHUNK = 1 << 18

Documents = Iterable[tuple[str, Iterable[bytes]]]


def write_bound(
    write: Callable[[Sink], dict[str, Any]],
    tell: Callable[[Checked], Documents],
    sink: Sink,
    *,
    folder: Path,
    keys: KeyRing,
) -> dict[str, Any]:
    """Have ``write`` write a bundle, ``tell`` of its verdict, and write both to ``sink``.

    Give the manifest of the whole. ``folder`` is for the evidence meanwhile, and exists.
    """
    evidence = folder / "evidence.zip"
    with evidence.open("wb") as file:
        manifest = write(file)
    checked = check(evidence, list(_public_keys(manifest, keys)))
    files = manifest["files"]
    with zipfile.ZipFile(evidence) as archive, Container(sink) as container:
        for member in archive.infolist():
            if member.filename != MANIFEST_NAME:
                is_random = member.compress_type == zipfile.ZIP_STORED
                container.add(member.filename, _chunks(archive, member), is_random=is_random)
        for name, chunks in tell(checked):
            files[name] = container.add(name, chunks)
        container.add(MANIFEST_NAME, [signed_manifest(manifest, keys).encode()])
    evidence.unlink()
    return manifest


def _public_keys(manifest: dict[str, Any], keys: KeyRing) -> Iterator[str]:
    for log in manifest["logs"]:
        for public in keys.log_public_keys(manifest["organisation"], Log(log["log"])):
            yield str(Verifier(log["origin"], public))


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
