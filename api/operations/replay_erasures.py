"""Carry out again the erasures that a restored copy of the database lacks, before it is served.

The same for the months of decisions whose retention had ended. Their keys are destroyed already, or
are by the next look of ``retain.py``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, select

from audit import decisions, jobs
from consent.erasure import ERASE, PastErasure, repeat
from consent.erasure_journal import ErasureJournal
from consent.errors import ErasureJournalError
from consent.keys.key_ring import KeyRing
from consent.ledger import log
from consent.ledger.entries import find_entries
from consent.ledger.errors import UnknownLogError
from consent.ledger.leaf import Log
from consent.ledger.tables import log_entry
from consent.retention import Expiry, expire_many
from consent.tables import suppression

AT_ONCE = 500

_ERASED = (
    select(suppression.c.organisation, suppression.c.idx)
    .distinct()
    .where(suppression.c.kind == ERASE)
    .order_by(suppression.c.organisation, suppression.c.idx)
)
"""Every erasure that this database knows of: each leaves a token, whoever was erased."""
_IDS = select(log_entry.c.event_id).where(
    log_entry.c.organisation == bindparam("organisation"),
    log_entry.c.log == Log.CONSENT.value,
    log_entry.c.idx.in_(bindparam("places", expanding=True)),
)

Told = tuple[str, PastErasure | Expiry]


def replay_erasures(
    engine: Engine, journal: ErasureJournal, *, keys: KeyRing, now: datetime
) -> int:
    """Repeat every erasure of the journal that this database does not have; say how many.

    A journal that is not there yet is made, but where somebody was erased it is missing, and
    nothing may be served; nor where it does not know of an erasure that the database has: then it
    was cut, or is an older copy. Nobody else may be writing to this database for another reason
    than this one: several processes may start at once.
    """
    if not journal.exists():
        _make(engine, journal)
        return 0
    told = list(journal.read())
    with engine.connect() as connection:
        _refuse_unknown(connection, journal, told)
    repeated = 0
    for start in range(0, len(told), AT_ONCE):
        with engine.begin() as connection:
            repeated += _replay(connection, told[start : start + AT_ONCE], keys, now)
    return repeated


def withheld(connection: Connection, journal: ErasureJournal) -> str | None:
    """Why nothing may be told of anybody in a database that must not be written to.

    What it lacks of the journal cannot be carried out again there, so it still tells who was
    erased since: nobody is told of from it. None: it lacks nothing.
    """
    try:
        journal.refuse_if_lost()
        if not journal.exists():
            _refuse_unknown(connection, journal, ())
            return None
        told = list(journal.read())
        _refuse_unknown(connection, journal, told)
    except ErasureJournalError as error:
        return error.detail
    lacking = len(pending(connection, told))
    if not lacking:
        return None
    return (
        f"this copy of the database lacks {lacking} erasures, which cannot be repeated while it is"
        " open for reading only: of nobody is anything told until it is replaced, or forked"
    )


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
        _refuse_unknown(connection, journal, ())
    journal.create()


def unknown_to(connection: Connection, told: Iterable[Told]) -> int:
    """How many erasures this database has of which ``told`` does not tell."""
    known = {(organisation, _id_of(organisation, past)) for organisation, past in told}
    # One after the other: joined, SQLite would read every suppression for every entry.
    places: dict[str, list[int]] = {}
    for organisation, index in connection.execute(_ERASED):
        places.setdefault(organisation, []).append(index)
    unknown = 0
    for organisation, of_organisation in places.items():
        for start in range(0, len(of_organisation), AT_ONCE):
            some = of_organisation[start : start + AT_ONCE]
            ids = connection.execute(_IDS, {"organisation": organisation, "places": some})
            unknown += sum((organisation, id_) not in known for id_ in ids.scalars())
    return unknown


def _refuse_unknown(connection: Connection, journal: ErasureJournal, told: Sequence[Told]) -> None:
    unknown = unknown_to(connection, told)
    if not unknown:
        return
    what = f"lacks {unknown} erasures" if journal.exists() else "is missing"
    raise ErasureJournalError(
        f"{journal.path} {what}, and the database knows of them: put it back from its newest"
        " backup, for without it a restored database would bring people back"
    )


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
        jobs.withdraw(connection, organisation, erasure.subjects, now=now)
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
