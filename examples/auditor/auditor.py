"""Follow a log of Clear to Send as its auditor: every checkpoint is verified, compared and kept.

Standard library and ``cryptography``; nothing of the service's. Run it as often as you like::

    python auditor.py keys https://gate.example >keys.txt            # once, and by another way too
    python auditor.py follow https://gate.example consent --keys keys.txt --kept notes
    python auditor.py receipt receipt.txt --leaf-hash 4bf5… --keys keys.txt

An API key of the role auditor stands in the variable ``KEY``. Exit code 0: as it should be, 1: not
the log that was signed before, or nobody signed it whom you know, 3: it could not be asked or read.
"""

import argparse
import base64
import binascii
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNATURE = "\u2014 "
RECEIPT = "c2sp.org/tlog-proof@v1"
ED25519 = b"\x01"

Ask = Callable[[str], bytes]
"""Gives what the service answers at a path."""


class UnprovedError(Exception):
    """What the service says is not what it said before, or is not signed."""


class UnreadableError(Exception):
    """It cannot be asked, or what is there cannot be read."""


@dataclass(frozen=True)
class Checkpoint:
    """A log of that origin had so many entries, and this root."""

    origin: str
    size: int
    root: bytes


Keys = Mapping[tuple[str, bytes], Ed25519PublicKey]
"""By name and by the four bytes that signatures name them by."""


def read_keys(text: str) -> Keys:
    """Read verifier keys as signed notes have them, one a line: ``name+id+key``."""
    keys = {}
    for line in text.split():
        try:
            name, id_, key = line.split("+", 2)
            raw = base64.b64decode(key, validate=True)
            assert raw[:1] == ED25519
            keys[name, bytes.fromhex(id_)] = Ed25519PublicKey.from_public_bytes(raw[1:])
        except (ValueError, AssertionError):
            raise UnreadableError(f"this is no public key of a log: {line[:80]}") from None
    return keys


def verify_note(note: str, keys: Keys) -> Checkpoint:
    """Read a checkpoint (C2SP tlog-checkpoint) that one of ``keys`` signed."""
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    try:
        origin, size, root = text.split("\n")[:3]
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True))
    except ValueError:
        raise UnreadableError("this is no checkpoint") from None
    for line in signatures.splitlines():
        name, _, signature = line.removeprefix(SIGNATURE).partition(" ")
        try:
            raw = base64.b64decode(signature, validate=True)
            # A log is signed under its own name: another log's key says nothing of this one.
            if name == origin and (key := keys.get((name, raw[:4]))):
                key.verify(raw[4:], text.encode())
                return checkpoint
        except (binascii.Error, InvalidSignature):
            continue
    raise UnprovedError(f"no key that you hold signed this checkpoint of {origin}")


def leads_to(proof: Sequence[bytes], index: int, leaf_hash: bytes, checkpoint: Checkpoint) -> bool:
    """Whether an inclusion proof (RFC 9162, 2.1.3.2) leads from the leaf to the root."""
    place, last, hashed = index, checkpoint.size - 1, leaf_hash
    if not 0 <= index < checkpoint.size:
        return False
    for sibling in proof:
        if last == 0:
            return False
        if place % 2 or place == last:
            hashed = _inner(sibling, hashed)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            hashed = _inner(hashed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == checkpoint.root


def begins_with(proof: Sequence[bytes], old: Checkpoint, new: Checkpoint) -> bool:
    """Whether a consistency proof (RFC 9162, 2.1.4.2) shows that ``new`` begins with ``old``."""
    if old.size == new.size:
        return old.root == new.root and not proof
    path = [old.root, *proof] if old.size & (old.size - 1) == 0 else list(proof)
    place, last = old.size - 1, new.size - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    if not path:
        return False
    then = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            then, now = _inner(sibling, then), _inner(sibling, now)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            now = _inner(now, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and then == old.root and now == new.root


def follow(ask: Ask, log: str, keys: Keys, kept: Path, *, on: datetime) -> str:
    """Fetch the log's checkpoint, hold it against the newest that was kept, and keep it."""
    note = ask(f"/v1/logs/{log}/checkpoint").decode()
    new = verify_note(note, keys)
    notes = sorted(kept.glob(f"{log}-*.note"))
    began = "the first that you keep"
    if notes:
        old = verify_note(notes[-1].read_text(encoding="utf-8"), keys)
        _compare(ask, log, old, new)
        if old.size == new.size:
            return f"{log}: nothing new since {old.size} entries"
        began = f"its first {old.size} are those that you knew"
    kept.mkdir(exist_ok=True)
    path = kept / f"{log}-{new.size:012d}-{on:%Y%m%dT%H%M%SZ}.note"
    path.write_text(note, encoding="utf-8")
    return f"{log}: {new.size} entries, {began}; kept as {path.name}"


def _compare(ask: Ask, log: str, old: Checkpoint, new: Checkpoint) -> None:
    if old.origin != new.origin:
        raise UnprovedError(f"the log was {old.origin}, and is {new.origin}: it was forked")
    if new.size < old.size:
        raise UnprovedError(f"the log had {old.size} entries, and has {new.size}")
    proof = []
    if old.size < new.size:
        told = json.loads(ask(f"/v1/logs/{log}/proofs/consistency?from={old.size}&to={new.size}"))
        proof = [base64.b64decode(hashed) for hashed in told["proof"]]
    if not begins_with(proof, old, new):
        raise UnprovedError(f"the log of {new.size} entries does not begin with the {old.size}")


def verify_receipt(receipt: str, leaf_hash: bytes, keys: Keys) -> str:
    """Verify a receipt (C2SP tlog-proof) of the entry with that hash, with nobody's help."""
    proof, _, note = receipt.partition("\n\n")
    kind, index, *hashes = proof.split("\n")
    if kind != RECEIPT or not index.startswith("index "):
        raise UnreadableError("this is no receipt")
    checkpoint = verify_note(note, keys)
    place = int(index.removeprefix("index "))
    if not leads_to([base64.b64decode(one) for one in hashes], place, leaf_hash, checkpoint):
        raise UnprovedError("the entry is not in the tree that was signed")
    return f"entry {place} of {checkpoint.origin}, of {checkpoint.size} entries"


def list_keys(ask: Ask) -> str:
    """The verifier keys of every log, one a line."""
    logs = json.loads(ask("/v1/logs"))["items"]
    return "\n".join(key for log in logs for key in log["verifier_keys"])


def asking(service: str, key: str) -> Ask:
    """Ask a service over HTTP."""

    def ask(path: str) -> bytes:
        request = urllib.request.Request(service.rstrip("/") + path)
        request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content

    return ask


def _inner(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _said(given: Any) -> str:
    if given.act == "receipt":
        receipt = Path(given.receipt).read_text(encoding="utf-8")
        return verify_receipt(receipt, bytes.fromhex(given.leaf_hash), _keys_in(given.keys))
    ask = asking(given.service, os.environ.get("KEY", ""))
    if given.act == "keys":
        return list_keys(ask)
    keys = _keys_in(given.keys)
    return follow(ask, given.log, keys, Path(given.kept), on=datetime.now(UTC))


def _keys_in(path: str) -> Keys:
    return read_keys(Path(path).read_text(encoding="utf-8"))


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    acts = parser.add_subparsers(dest="act", required=True)
    keys = acts.add_parser("keys", help="print the public keys of the logs")
    keys.add_argument("service")
    following = acts.add_parser("follow", help="verify, compare and keep the last checkpoint")
    following.add_argument("service")
    following.add_argument("log")
    following.add_argument("--kept", required=True, help="the folder of those that you keep")
    receipt = acts.add_parser("receipt", help="verify a receipt, offline")
    receipt.add_argument("receipt")
    receipt.add_argument("--leaf-hash", required=True, help="of the entry, in hex")
    for one in (following, receipt):
        one.add_argument("--keys", required=True, help="a file of public keys, one a line")
    try:
        sys.stdout.write(f"{_said(parser.parse_args(arguments))}\n")
    except UnprovedError as error:
        sys.stdout.write(f"NOT AS IT WAS SIGNED: {error}\n")
        return 1
    except (UnreadableError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"cannot tell: {error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
