"""Carry out again the erasures that a restored copy of the database lacks, before it is served.

The same for the months of decisions whose retention had ended. Their keys are destroyed already, or
are by the next look of ``retain.py``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, Engine, select

from audit import decisions
from consent.erasure import PastErasure, repeat
from consent.erasure_journal import ErasureJournal
from consent.errors import ErasureJournalError
from consent.keys.key_ring import KeyRing
from consent.ledger import log
from consent.ledger.entries import find_entries
from consent.ledger.errors import UnknownLogError
from consent.ledger.leaf import Log
from consent.ledger.tables import subject
from consent.retention import Expiry, expire_many

AT_ONCE = 500

_SOMEBODY_ERASED = select(subject.c.id).where(subject.c.erased_at.is_not(None)).limit(1)

Told = tuple[str, PastErasure | Expiry]


def replay_erasures(
    engine: Engine, journal: ErasureJournal, *, keys: KeyRing, now: datetime
) -> int:
    """Repeat every erasure of the journal that this database does not have; say how many.

    A journal that is not there yet is made, but where somebody was erased it is missing, and
    nothing may be served. Nobody else may be writing to this database for another reason than
    this one: several processes may start at once.
    """
    if not journal.exists():
        _make(engine, journal)
        return 0
    told = journal.read()
    repeated = 0
    while part := list(islice(told, AT_ONCE)):
        with engine.begin() as connection:
            repeated += _replay(connection, part, keys, now)
    return repeated


def pending(connection: Connection, told: Iterable[Told]) -> list[Told]:
    """Those of these erasures that the database does not have, in order."""
    by_organisation: dict[str, list[bytes]] = {}
    every = list(told)
    for organisation, past in every:
        by_organisation.setdefault(organisation, []).append(_id_of(organisation, past))
    known = {
        id_
        for organisation, ids in by_organisation.items()
        for id_ in find_entries(connection, organisation, ids)
    }
    return [one for one in every if _id_of(*one) not in known]


def _id_of(organisation: str, past: PastErasure | Expiry) -> bytes:
    return past.event_id(organisation) if isinstance(past, Expiry) else past.event_id


def _make(engine: Engine, journal: ErasureJournal) -> None:
    with engine.connect() as connection:
        if connection.execute(_SOMEBODY_ERASED).first() is not None:
            raise ErasureJournalError(
                f"{journal.path} is missing, and people have been erased: put it back from its"
                " backup, for without it a restored database would bring them back"
            )
    journal.create()


def _replay(connection: Connection, told: Sequence[Told], keys: KeyRing, now: datetime) -> int:
    lacking = pending(connection, told)
    there = _locked(connection, {organisation for organisation, _ in lacking})
    # Another process may have been quicker while this one waited for the locks.
    lacking = [one for one in pending(connection, lacking) if one[0] in there]
    for organisation, past in lacking:
        if isinstance(past, Expiry):
            expire_many(connection, organisation, [past], recorded_at=now)
            decisions.forget_month(connection, organisation, past.month)
            continue
        erasure = repeat(connection, organisation, past, keys=keys, now=now)
        decisions.forget_strangers(connection, organisation, erasure.blind_indexes, keys=keys)
    return len(lacking)


def _locked(connection: Connection, organisations: Iterable[str]) -> set[str]:
    """Lock the logs of these organisations; one that the copy does not have yet is left out."""
    there = set()
    for organisation in organisations:
        try:
            log.head(connection, organisation, Log.CONSENT)
        except UnknownLogError:
            continue
        there.add(organisation)
    if there:
        log.lock_heads(connection, sorted(there), (Log.CONSENT, Log.DECISIONS))
    return there
