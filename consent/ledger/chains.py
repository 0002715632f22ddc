"""A subject's chain: each of its entries in a log names the one before.

In the consent log the subject's own row holds the end of its chain, in the others ``subject_head``.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.ledger import tables
from consent.ledger.leaf import Log
from consent.rows import Rows, run


class Chain(NamedTuple):
    """How many entries, and the leaf hash of the last."""

    seq: int
    leaf_hash: bytes | None


NO_CHAIN = Chain(0, None)


def load(
    connection: Connection, organisation: str, log: Log, subjects: Collection[bytes]
) -> dict[bytes, Chain]:
    """Where the chain of each of these subjects stands in this log."""
    if not subjects:
        return {}
    wanted = {"organisation": organisation, "subjects": list(subjects)}
    if log is not Log.CONSENT:
        rows = _SELECT_OTHER.fetch(connection, {**wanted, "log": log.value})
        return dict.fromkeys(subjects, NO_CHAIN) | {id_: Chain(*end) for id_, *end in rows}
    rows = _SELECT_CONSENT.fetch(connection, wanted)
    found = {id_: Chain(*end) for id_, *end in rows}
    assert len(found) == len(subjects), "a subject's row is made before its first entry"
    return found


def store(
    connection: Connection,
    organisation: str,
    log: Log,
    *,
    before: Mapping[bytes, Chain],
    after: Mapping[bytes, Chain],
) -> None:
    """Put the chains where they now end."""
    if log is Log.CONSENT:
        of_all = [(seq, hashed, organisation, id_) for id_, (seq, hashed) in after.items()]
        if of_all:
            run(connection, _UPDATE_CONSENT, of_all, many=True)
        return
    known: list[tuple[Any, ...]] = []
    fresh: list[tuple[Any, ...]] = []
    for id_, (seq, hashed) in after.items():
        ends = fresh if before[id_] is NO_CHAIN else known
        ends.append((seq, hashed, organisation, id_, log.value))
    if known:
        run(connection, _UPDATE_OTHER, known, many=True)
    _INSERT_OTHER.insert(connection, fresh)


def _select(table: sa.Table, *of_log: sa.ColumnElement[bool]) -> ByMany:
    return ByMany(
        lambda among: sa.select(table.c.id, table.c.head_seq, table.c.head_leaf_hash).where(
            table.c.organisation == bindparam("organisation"),
            among(table.c.id, "subjects"),
            *of_log,
        )
    )


_OTHER = tables.subject_head
_SELECT_CONSENT = _select(tables.subject)
_SELECT_OTHER = _select(_OTHER, _OTHER.c.log == bindparam("log"))
_UPDATE_CONSENT = (
    "UPDATE subject SET head_seq = ?, head_leaf_hash = ? WHERE organisation = ? AND id = ?"
)
_UPDATE_OTHER = (
    "UPDATE subject_head SET head_seq = ?, head_leaf_hash = ? "
    "WHERE organisation = ? AND id = ? AND log = ?"
)
_INSERT_OTHER = Rows(_OTHER, "head_seq", "head_leaf_hash", "organisation", "id", "log")
