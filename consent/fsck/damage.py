"""What can be found, each named by its log and index."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from consent.ledger.leaf import Log

Progress = Callable[[int], None]
"""Told how many more entries or subjects are done."""


class Kind(StrEnum):
    """What is damaged."""

    LEAF = "leaf"
    LEAF_HASH = "leaf_hash"
    ENTRY = "entry"
    GAP = "gap"
    BEYOND_HEAD = "beyond_head"
    TILE = "tile"
    EDGE = "edge"
    HEAD = "head"
    CHECKPOINT = "checkpoint"
    CHAIN = "chain"
    SUBJECT = "subject"
    PAYLOAD = "payload"
    STANDING = "standing"
    SUPPRESSION = "suppression"
    REVIEW = "review"
    ALIAS = "alias"
    KEY = "key"
    VAULT = "vault"
    JOURNAL = "journal"
    DATABASE = "database"
    GUARD = "guard"


class Damage(msgspec.Struct, frozen=True):
    """One thing that is not as it was written. ``index``: of the entry, where there is one.

    Without organisation and log it is the ledger as a whole.
    """

    organisation: str | None
    log: Log | None
    index: int | None
    kind: Kind
    detail: str
