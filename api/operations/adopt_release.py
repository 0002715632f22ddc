"""Put the law that is in force on the record of each organisation: its ``rules`` log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from api.tables import organisation
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.ledger import log as ledger_log
from consent.ledger.entries import read_entries
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Leaf, Log, decode_leaf
from consent.ledger.log import Receipt, SealedEntry, append_many
from consent.propagation import outbox
from consent.propagation.cloud_events import Told
from consent.propagation.words import WebhookEvent
from jurisdictions.releases import Release
from jurisdictions.versions import data_versions

ENTRY_TYPE = "release"
_ENTRIES_AT_ONCE = 64
_ALL = select(organisation.c.id).order_by(organisation.c.id)


class AdoptRelease:
    """The work; its requests are organisations, its answers whether the release was new to them."""

    name = "adopt_release"
    priority = Priority.OTHER

    def __init__(self, release: Release, keys: KeyRing) -> None:
        self._release = release
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[bool]:
        """Adopt for each; nothing is appended where the release was the last one already."""
        return [self._adopt(connection, one, now) for one in requests]

    def _adopt(self, connection: Connection, organisation: str, now: datetime) -> bool:
        receipt = adopt_release(connection, organisation, self._release, now=now)
        if receipt is None:
            return False
        told = Told(
            event=WebhookEvent.RULES_RELEASED,
            event_id=receipt.event_id,
            at=now,
            log=receipt.log.value,
            index=receipt.index,
            data={"release": self._release.id, "digest": self._release.digest},
        )
        outbox.tell(connection, organisation, [told], keys=self._keys, now=now)
        return True


def adopt_release(
    connection: Connection, organisation: str, release: Release, *, now: datetime
) -> Receipt | None:
    """Append the release to the organisation's ``rules`` log; None if it is in force there."""
    last = _last_release(connection, organisation)
    if last is not None and last.release == release.digest:
        return None
    entry = SealedEntry(
        event_id=uuid7(now),
        type=ENTRY_TYPE,
        occurred_at=now,
        release=release.digest,
        statement={"id": release.id, **data_versions()},
    )
    (receipt,) = append_many(connection, organisation, Log.RULES, [entry], recorded_at=now)
    return receipt


def all_organisations(connection: Connection) -> list[str]:
    """Every organisation's id, in order."""
    return list(connection.execute(_ALL).scalars())


def _last_release(connection: Connection, organisation: str) -> Leaf | None:
    end = ledger_log.head(connection, organisation, Log.RULES).size
    while end > 0:
        start = max(end - _ENTRIES_AT_ONCE, 0)
        for entry in reversed(read_entries(connection, organisation, Log.RULES, start, end)):
            leaf = decode_leaf(entry.leaf)
            if leaf.type == ENTRY_TYPE:
                return leaf
        end = start
    return None
