"""A subject's chain: each of its entries in a log names the one before.

In the consent log the subject's own row holds the end of its chain, in the others ``subject_head``.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import tables
from consent.ledger.leaf import Log


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
        rows = connection.execute(_SELECT_OTHER, {**wanted, "log": log.value})
        return dict.fromkeys(subjects, NO_CHAIN) | {id_: Chain(*end) for id_, *end in rows}
    rows = connection.execute(_SELECT_CONSENT, wanted)
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
    if not after:
        return
    if log is Log.CONSENT:
        connection.execute(
            _UPDATE_CONSENT, [_end_of(organisation, *item) for item in after.items()]
        )
        return
    of_log = {"of_log": log.value}
    known = [
        _end_of(organisation, id_, chain) | of_log
        for id_, chain in after.items()
        if before[id_] is not NO_CHAIN
    ]
    if known:
        connection.execute(_UPDATE_OTHER, known)
    fresh = [
        _end_of(organisation, id_, chain) | of_log
        for id_, chain in after.items()
        if before[id_] is NO_CHAIN
    ]
    if fresh:
        connection.execute(_INSERT_OTHER, fresh)


def _select(table: sa.Table, *of_log: sa.ColumnElement[bool]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(table.c.id, table.c.head_seq, table.c.head_leaf_hash).where(
        table.c.organisation == bindparam("organisation"),
        table.c.id.in_(bindparam("subjects", expanding=True)),
        *of_log,
    )


def _update(table: sa.Table, *of_log: sa.ColumnElement[bool]) -> sa.Update:
    return (
        sa.update(table)
        .where(
            table.c.organisation == bindparam("of_organisation"),
            table.c.id == bindparam("of_id"),
            *of_log,
        )
        .values(_ENDS)
    )


_ENDS: dict[str, Any] = {"head_seq": bindparam("to_seq"), "head_leaf_hash": bindparam("to_hash")}
_OTHER = tables.subject_head
_SELECT_CONSENT = _select(tables.subject)
_SELECT_OTHER = _select(_OTHER, _OTHER.c.log == bindparam("log"))
_UPDATE_CONSENT = _update(tables.subject)
_UPDATE_OTHER = _update(_OTHER, _OTHER.c.log == bindparam("of_log"))
_INSERT_OTHER = sa.insert(_OTHER).values(
    organisation=bindparam("of_organisation"),
    id=bindparam("of_id"),
    log=bindparam("of_log"),
    **_ENDS,
)


def _end_of(organisation: str, id_: bytes, chain: Chain) -> dict[str, Any]:
    return {
        "of_organisation": organisation,
        "of_id": id_,
        "to_seq": chain.seq,
        "to_hash": chain.leaf_hash,
    }
