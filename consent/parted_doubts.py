"""Who else is held for a reply: those who were one person with whoever wrote it, and parted since.

An unlink names, in the entry of each whom it parts, the replies that nobody had decided on. Who is
linked now needs nothing of it: what is decided at one address is decided at all.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from consent import own_addresses, standing, subjects
from consent.events import RecordedKind
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.standing import Standing
from jurisdictions.addresses import Address


def held_since_parting(
    connection: Connection, organisation: str, subject: bytes, index: int, *, keys: KeyRing
) -> list[bytes]:
    """The persons who took over the hold at ``index`` when they parted from ``subject``, or from
    somebody who had taken it over. Whose links or standing do not open stay held."""
    held: list[bytes] = []
    seen, waiting = {subject}, [subject]
    while waiting:
        try:
            links = own_addresses.memberships_of(connection, organisation, waiting.pop(), keys)
        except (BrokenSealError, UnknownKeyError):
            continue
        named = {bytes.fromhex(id_) for _, event in links for id_ in event.linked} - seen
        seen |= named
        for id_, one in _standings(connection, organisation, named, keys).items():
            if _is_held(one, index):
                held.append(id_)
                waiting.append(id_)
    return held


def addresses_of(
    connection: Connection, organisation: str, person: bytes, *, keys: KeyRing
) -> list[Address]:
    """The addresses of somebody held, as their own entries tell them."""
    found, _, _ = own_addresses.addresses_of(connection, organisation, person, keys)
    return [found[text] for text in sorted(found)]


def _is_held(one: Standing, index: int) -> bool:
    return any(
        event.event is RecordedKind.HOLD and event.index == index for event in one.events
    ) and not any(event.answers == index for event in one.events)


def _standings(
    connection: Connection, organisation: str, ids: set[bytes], keys: KeyRing
) -> Mapping[bytes, Standing]:
    found = subjects.find_by_id(connection, organisation, ids)
    rows = standing.load_rows(connection, organisation, sorted(found))
    opened = {
        id_: standing.open_row(keys, organisation, id_, one.head_seq, rows.get(id_))
        for id_, one in sorted(found.items())
    }
    return {id_: one for id_, one in opened.items() if isinstance(one, Standing)}
