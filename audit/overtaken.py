"""Has the person said since then that they want no more? A permit does not outlive that word."""

from collections.abc import Iterable

from sqlalchemy import Connection

from audit.decisions import RecordedDecision
from consent.events import STOPS, UNREFUSED, RecordedKind
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.entries import read_subject
from consent.ledger.leaf import Log, decode_leaf
from consent.own_addresses import linked_of
from consent.standing import KeptEvent
from consent.subjects import find_by_index

_STOPPED = STOPS | {RecordedKind.ERASE, RecordedKind.LINK}
"""A link too: whoever somebody turns out to be may have opted out long ago."""

_ENDS = UNREFUSED | _STOPPED


def is_stopped_since(events: Iterable[KeptEvent], consent_size: int) -> bool:
    """Tell whether an opt-out, an erasure or a link was recorded after the log had that size.

    Whatever its scope: how far it reaches is law, and asking again takes a moment.
    """
    return any(event.index >= consent_size and event.event in _STOPPED for event in events)


def is_held_since(events: Iterable[KeptEvent], consent_size: int) -> bool:
    """Tell whether a reply that may be an opt-out was recorded since, decided on or not."""
    return any(e.index >= consent_size and e.event is RecordedKind.HOLD for e in events)


def is_overtaken(
    connection: Connection, organisation: str, decision: RecordedDecision, *, keys: KeyRing
) -> bool:
    """The same from the decision alone, where nobody gives the address again.

    A stranger's decision whose alias is gone was about somebody who has been erased since, on
    record or not in between: nothing is left that could say so, and so it counts as that.
    """
    subject = decision.subject
    if subject is None:
        if decision.blind_index is None:
            return True
        known = find_by_index(connection, organisation, [decision.blind_index], keys=keys)
        found = known.get(decision.blind_index)
        subject = None if found is None else found.id
    if subject is None:
        return False
    size = decision.opened.decision.read.consent
    try:
        people = {subject, *linked_of(connection, organisation, subject, keys)}
    except (BrokenSealError, UnknownKeyError):
        return True  # Nobody can tell who else has to be asked about.
    return any(
        entry.index >= size and decode_leaf(entry.leaf).type in _ENDS
        for person in people
        for entry in read_subject(connection, organisation, Log.CONSENT, person)
    )
