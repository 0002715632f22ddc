"""Whether something that was given up would now come behind what was said later.

Order is that of the consent log, person by person, whoever else was that person meanwhile.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import own_addresses, subjects
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.ledger.entries import read_entries, read_subject
from consent.ledger.leaf import Log
from consent.own_addresses import in_parts
from consent.propagation import lines
from consent.propagation.deliveries import Delivery
from consent.propagation.reached import ids_told
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import State, WebhookEvent

PERMITTING: Final = frozenset({WebhookEvent.GRANTED, WebhookEvent.CONFIRMED})
"""What may undo a stop where it comes behind it. A stop does no harm, however late it comes."""

_C = webhook_delivery.c
_TOLD = (
    sa.select(_C.id)
    .where(
        _C.event_id.in_(bindparam("event_ids", expanding=True)),
        _C.endpoint == bindparam("endpoint"),
        _C.state.in_([State.PENDING.value, State.DELIVERED.value, State.APPLIED.value]),
    )
    .limit(1)
)
_BEFORE = (
    sa.select(_C.id)
    .where(
        _C.subject == bindparam("line"),
        _C.endpoint == bindparam("endpoint"),
        _C.state == sa.literal_column("'pending'"),
        _C.position < bindparam("position"),
    )
    .limit(1)
)


def person_of(connection: Connection, delivery: Delivery) -> bytes | None:
    """Whose entry it is that a delivery tells of."""
    if delivery.log != Log.CONSENT or delivery.sequence is None:
        return None
    place = delivery.sequence
    (entry,) = read_entries(connection, delivery.organisation, Log.CONSENT, place, place + 1)
    return entry.subject


def is_overtaken(connection: Connection, delivery: Delivery, *, keys: KeyRing) -> bool:
    """Whether its endpoint was told, or is being told, what was said later of the same person.

    Of somebody erased, or whose links do not open, nobody can say that it was not.
    """
    person = person_of(connection, delivery)
    if delivery.event not in PERMITTING or person is None or delivery.sequence is None:
        return False
    organisation = delivery.organisation
    if not subjects.find_by_id(connection, organisation, [person]):
        return True
    try:
        links = own_addresses.memberships_of(connection, organisation, person, keys)
    except (BrokenSealError, UnknownKeyError):
        return True
    people = {person, *(bytes.fromhex(id_) for _, event in links for id_ in event.linked)}
    later = [
        entry.event_id
        for one in sorted(people)
        for entry in read_subject(connection, organisation, Log.CONSENT, one)
        if entry.index > delivery.sequence
    ]
    later += [id_ for entry, event in links for id_ in ids_told(entry.event_id, event)]
    return any(
        connection.execute(_TOLD, {"event_ids": some, "endpoint": delivery.endpoint}).first()
        for some in in_parts(later)
    )


def line_of(
    connection: Connection, delivery: Delivery, *, keys: KeyRing
) -> tuple[bytes | None, bool]:
    """The line in which it belongs by now, and whether another goes first there."""
    person = person_of(connection, delivery)
    if person is None:
        return delivery.subject, False
    linked = own_addresses.linked_of(connection, delivery.organisation, person, keys)
    usual = {person: min({person, *linked})}
    line = lines.lines_of(connection, delivery.organisation, usual)[person]
    asked = {"line": line, "endpoint": delivery.endpoint, "position": delivery.position}
    return line, connection.execute(_BEFORE, asked).first() is not None
