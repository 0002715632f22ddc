"""Ids: UUIDv7 of RFC 9562 for what happened, random bits for who it is about."""

import base64
import os
import re
from datetime import datetime

from consent.ledger.columns import microseconds_of
from consent.ledger.errors import MalformedIdError

_LABEL = re.compile(r"([a-z]+)_([0-9a-f]{32})")


def uuid7(at: datetime) -> bytes:
    """Make the 16 bytes of a UUIDv7: the millisecond of ``at``, its fraction, 62 random bits.

    The twelve bits after the version hold the fraction of the millisecond (RFC 9562, 6.2,
    method 3), so that ids of one process sort by time and an index grows at its end.
    """
    milliseconds, microseconds = divmod(microseconds_of(at), 1000)
    fraction = (microseconds << 12) // 1000
    randomness = int.from_bytes(os.urandom(8), "big") >> 2
    number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | randomness
    return number.to_bytes(16, "big")


def new_subject_id() -> bytes:
    """Make the id of a person: 128 random bits, so that it says nothing of them."""
    return os.urandom(16)


def new_organisation_id() -> str:
    """Make the id of an organisation: 80 random bits; short, for it stands in every row."""
    return "org_" + base64.b32encode(os.urandom(10)).decode().lower()


def label_of(prefix: str, id_: bytes) -> str:
    """Write an id as callers see it: ``evt_`` and the 32 digits that stand in the leaf."""
    return f"{prefix}_{id_.hex()}"


def id_of(prefix: str, label: str) -> bytes:
    """Read what ``label_of`` wrote. ``MalformedIdError``: it is not one, or of another kind."""
    match = _LABEL.fullmatch(label)
    if match is None or match[1] != prefix:
        raise MalformedIdError(f"an id here is {prefix}_ and 32 hexadecimal digits, in lower case")
    return bytes.fromhex(match[2])
