"""Every log of a database checked from its leaves up, by other code than what wrote it."""

import hashlib
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from consent.ledger.tables import log_entry, log_head
from consent.ledger.tiles import Edge


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """The root as RFC 6962 defines it, section 2.1, word by word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    left, right = naive_root(hashes[:split]), naive_root(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def check_logs(connection: Connection) -> int:
    """Assert that every log is whole: indexes, leaves, hashes, heads. Give how many entries."""
    checked = 0
    for head in connection.execute(sa.select(log_head)):
        entries = connection.execute(
            sa.select(log_entry)
            .where(log_entry.c.organisation == head.organisation, log_entry.c.log == head.log)
            .order_by(log_entry.c.idx)
        ).all()
        assert [entry.idx for entry in entries] == list(range(head.size))
        hashes = [hashlib.sha256(b"\x00" + entry.leaf).digest() for entry in entries]
        assert [entry.leaf_hash for entry in entries] == hashes
        leaves = [msgspec.json.decode(entry.leaf) for entry in entries]
        assert all(leaf["log"] == head.log for leaf in leaves)
        assert all(leaf["organisation"] == head.organisation for leaf in leaves)
        assert Edge.of(head.size, head.edge).root() == naive_root(hashes)
        checked += len(entries)
    return checked
