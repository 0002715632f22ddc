"""Going on from a ledger that is not the one that was signed last, and saying so for good.

A fork gives a log a new origin, so that no two checkpoints of one origin ever contradict each
other. Its first leaf holds the checkpoint that the log was left at.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.ledger import log as ledger_log
from consent.ledger import tables
from consent.ledger.checkpoints import read_unverified
from consent.ledger.errors import DamagedLogError
from consent.ledger.leaf import Log, Statement
from consent.ledger.log import Receipt, SealedEntry
from consent.ledger.proofs import LogTree

ENTRY_TYPE = "fork"
MARK = "/fork-"
"""What an origin has behind the one that was forked from."""

_TAKE_OVER = (
    sa.update(tables.log_head)
    .where(
        tables.log_head.c.organisation == bindparam("of_organisation"),
        tables.log_head.c.log == bindparam("of_log"),
    )
    .values(origin=bindparam("to_origin"), epoch=tables.log_head.c.epoch + 1)
)


def statement_of(connection: Connection, organisation: str, log: Log, note: str) -> Statement:
    """What the first leaf of a fork says: the old checkpoint, and what was found in its place.

    ``DamagedLogError``: what was found is no tree that fits together; no fork mends that.
    """
    tree = LogTree(connection, organisation, log)
    found = tree.root_at(tree.size)
    if tree.edge_at(tree.size).root() != found:
        raise DamagedLogError(f"the tiles of log {log} of {organisation} do not fit its head")
    return {
        "checkpoint": note,
        "found_root": found.hex(),
        "found_size": tree.size,
        "signed_size": read_unverified(note).size,
    }


def fork_log(
    connection: Connection,
    organisation: str,
    log: Log,
    entry: SealedEntry,
    *,
    recorded_at: datetime,
) -> Receipt:
    """Give the log a new origin and epoch, and append ``entry`` as its first leaf under them."""
    head = ledger_log.head(connection, organisation, log)
    base = head.origin.partition(MARK)[0]
    origin = f"{base}{MARK}{recorded_at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"
    connection.execute(
        _TAKE_OVER, {"of_organisation": organisation, "of_log": log.value, "to_origin": origin}
    )
    (receipt,) = ledger_log.append_many(
        connection, organisation, log, [entry], recorded_at=recorded_at
    )
    return receipt
