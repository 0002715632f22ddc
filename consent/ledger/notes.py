"""Signed notes of C2SP (c2sp.org/signed-note), with Ed25519 keys. Pure.

A note is a text, an empty line, and a line for each signature. Whoever reads one trusts nothing
of it before a signature of a known key has been verified.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.ledger.errors import NoteError

NOTE_SIZE_MAX = 64 * 1024
SIGNATURES_MAX = 16
_ED25519 = b"\x01"
_KEY_ID_SIZE = 4
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Signature:
    """A line under a note. Name and id together say which key it is of."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read. Nobody has verified it yet."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name that it signs under."""

    name: str
    key: Ed25519PublicKey

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell a name's keys apart; they protect from nothing."""
        named = self.name.encode() + b"\n" + _ED25519 + self.key.public_bytes_raw()
        return sha256(named).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        """Write it as other people's verifiers read it: ``name+id+key``."""
        key = base64.b64encode(_ED25519 + self.key.public_bytes_raw()).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"


def sign_note(text: str, name: str, keys: Sequence[Ed25519PrivateKey]) -> str:
    """Sign ``text`` under ``name``, with each of ``keys``: two while one takes over."""
    assert text.endswith("\n"), "the text of a note ends with its line"
    assert not _CONTROL.search(text), "a note holds no control characters"
    assert _NAME.fullmatch(name), "a name holds neither spaces nor a plus"
    assert keys, "a note is signed"
    signed = text.encode()
    lines = []
    for key in keys:
        key_id = Verifier(name, key.public_key()).key_id
        lines.append(f"{_DASH}{name} {base64.b64encode(key_id + key.sign(signed)).decode()}\n")
    return f"{text}\n{''.join(lines)}"


def parse_note(note: str) -> Note:
    """Take a note apart. ``NoteError``: it is none."""
    if len(note) > NOTE_SIZE_MAX or _CONTROL.search(note) or not note.endswith("\n"):
        raise NoteError("a note is too long, is cut, or holds control characters")
    text, separator, lines = note.rpartition("\n\n")
    if not separator:
        raise NoteError("a note has no signatures")
    signatures = tuple(_signature_of(line) for line in lines.removesuffix("\n").split("\n"))
    if len(signatures) > SIGNATURES_MAX:
        raise NoteError("a note has more signatures than anybody needs")
    return Note(text + "\n", signatures)


def verify_note(note: str, verifiers: Sequence[Verifier]) -> str:
    """Give the text of a note that a known key has signed.

    ``NoteError``: none has, or what stands there as a known key's signature is not.
    Signatures of keys that are not known are passed over.
    """
    parsed = parse_note(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    text = parsed.text.encode()
    verified = False
    for signature in parsed.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        try:
            verifier.key.verify(signature.signature, text)
        except InvalidSignature:
            raise NoteError("a note does not bear the signature that it claims") from None
        verified = True
    if not verified:
        raise NoteError("a note is signed by no key that is known")
    return parsed.text


def _signature_of(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _NAME.fullmatch(name):
        raise NoteError("a line under a note is no signature")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) <= _KEY_ID_SIZE:
        raise NoteError("a line under a note is no signature")
    return Signature(name, decoded[:_KEY_ID_SIZE], decoded[_KEY_ID_SIZE:])
