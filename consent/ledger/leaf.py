"""The leaf: what the tree commits to. It can never be migrated.

A leaf holds commitments and what is no secret of a person's: never an address, a name, a
blind index or the hash of a ciphertext. A new shape is a new ``v``, and the old one stays.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from consent.ledger.canonical import canonical
from consent.ledger.errors import DamagedLogError, LeafTooLargeError

LEAF_VERSION = 1
LEAF_SIZE_MAX = 1024


class Log(StrEnum):
    """The logs of an organisation, in the order in which their heads are locked."""

    CONSENT = "consent"
    DECISIONS = "decisions"
    RULES = "rules"
    ACCESS = "access"


Statement = Mapping[str, str | int]
"""What an entry says openly beside the common fields: the root of an ``index`` entry or of a bulk
chunk, the old checkpoint of a ``fork``. Keys in ASCII, integers below 2**53, nothing personal."""


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as it stands in the tree. Bytes are written in hexadecimal, instants in UTC.

    ``subject_seq`` counts the entries of this subject in this log from 1, and ``prev`` is the
    leaf hash of the one before: they show that nothing within a person's trail was left out.
    ``commit`` is HMAC-SHA-256 over the payload, under a salt that lies sealed beside it.
    ``release`` is the digest of the rules that were in force; ``actor`` the opaque id of whoever
    caused it. A field that does not apply is null, so that every leaf has the same ones.
    """

    # In the order of the alphabet, which is that of the canonical form.
    actor: str | None
    channel: str | None
    commit: str | None
    event_id: str
    level: str | None
    log: str
    occurred_at: datetime
    organisation: str
    prev: str | None
    purpose: str | None
    recorded_at: datetime
    release: str | None
    statement: dict[str, str | int] | None
    subject: str | None
    subject_seq: int | None
    type: str
    v: int

    @property
    def commitment(self) -> bytes:
        """``commit`` as bytes; empty, which no payload fits, where it is none or was damaged."""
        try:
            return bytes.fromhex(self.commit or "")
        except ValueError:
            return b""


_DECODER = msgspec.json.Decoder(Leaf)


def encode_leaf(leaf: Leaf) -> bytes:
    """Write a leaf in its canonical form. Its instants must be in UTC."""
    assert leaf.occurred_at.tzinfo is UTC, "a leaf is in UTC"
    assert leaf.recorded_at.tzinfo is UTC, "a leaf is in UTC"
    encoded = canonical(leaf)
    if len(encoded) > LEAF_SIZE_MAX:
        raise LeafTooLargeError(f"a leaf of type {leaf.type} has {len(encoded)} bytes")
    return encoded


def decode_leaf(encoded: bytes) -> Leaf:
    """Read a leaf back. ``DamagedLogError``: it is none, or of a version that we do not know."""
    try:
        leaf = _DECODER.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DamagedLogError("a leaf cannot be read") from None
    if leaf.v != LEAF_VERSION:
        raise DamagedLogError(
            f"a leaf is of version {leaf.v}, and {LEAF_VERSION} is the newest known"
        )
    return leaf
