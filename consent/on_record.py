"""Everything on record of the people in a batch: standing, suppression and places held, merged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection

from consent import holds, linking, senders, standing, subjects, suppression
from consent.errors import StandingUnreadableError
from consent.events import RecordedKind
from consent.holds import Hold
from consent.keys.key_ring import KeyRing
from consent.standing import KeptEvent, Standing
from consent.subjects import Subject
from jurisdictions.addresses import Address
from rules.history import NOTHING_ON_RECORD, Event, History, same_brand
from rules.vocabulary import EventKind

_LAW_OF_KIND: Final[Mapping[RecordedKind, EventKind]] = {
    kind: EventKind(kind.value) for kind in RecordedKind if kind.value in set(EventKind)
}


_STOPS: Final = frozenset({EventKind.REVOKE, EventKind.COMPLAINT})


class OnRecord(msgspec.Struct, frozen=True):
    """What is on record of one person. ``subject`` is None for somebody never recorded.

    ``blind_index`` is the address's, for a place held. ``events`` are oldest first;
    ``brands`` names every sender that they or a message of the batch concern. ``linked``: the
    ids under which their other addresses stand on record.
    """

    subject: bytes | None
    blind_index: bytes
    events: Sequence[KeptEvent]
    holds: Sequence[Hold]
    brands: Mapping[str, str]
    linked: tuple[bytes, ...] = ()

    @property
    def key(self) -> str:
        """What tells people of one batch apart (``rules.facts.Recipient.key``)."""
        if self.subject is None:
            return self.blind_index.hex()
        return min(self.subject, *self.linked).hex() if self.linked else self.subject.hex()

    def history(self, sender: str, former_names: Sequence[str] = ()) -> History:
        """The person's history as it bears on a message of ``sender``, an id in ``brands``.

        What concerns another sender carries that one's name as its brand, so that it is out
        of scope here unless both senders go by one name. What has no sender concerns all. An
        opt-out that names the sender as it was called before concerns it too.
        """
        if not self.events and not self.holds:
            return NOTHING_ON_RECORD
        events = [
            _law_of(kept, kind, self._brand(kept.brand, kept.sender, sender))
            for kept in self.events
            if (kind := _LAW_OF_KIND.get(kept.event)) is not None
        ]
        if former_names:
            events = [_under_present_name(event, former_names) for event in events]
        if self.holds:
            events.extend(
                _place_of(hold, self._brand(None, hold.sender, sender)) for hold in self.holds
            )
            events.sort(key=attrgetter("at"))
        return History(tuple(events))

    def _brand(self, brand: str | None, concerned: str | None, sender: str) -> str | None:
        if brand is not None or concerned is None or concerned == sender:
            return brand
        return self.brands.get(concerned, concerned)


def load_many(
    connection: Connection,
    organisation: str,
    addresses: Sequence[Address],
    *,
    keys: KeyRing,
    now: datetime,
    brands: Mapping[str, str],
) -> list[OnRecord | StandingUnreadableError]:
    """What is on record, in the order of ``addresses``; five statements at most, and two more
    where addresses are linked.

    ``brands``: names of the senders whose messages are checked, by id.
    An error stands in the place of whoever's record cannot be trusted: that check ends in 503.
    """
    if not addresses:
        return []
    indexes = [subjects.blind_indexes_of(organisation, address, keys) for address in addresses]
    people = subjects.find_by_indexes(connection, organisation, indexes, keys=keys)
    opened = _open_all(connection, organisation, people, keys)
    suppressed = suppression.load_many(connection, organisation, addresses, keys=keys)
    held = holds.load_many(
        connection,
        organisation,
        [(_ids_of(one, opened), each) for one, each in zip(people, indexes, strict=True)],
        now=now,
    )
    named = dict(brands)
    answers: list[OnRecord | StandingUnreadableError] = []
    for i, one in enumerate(people):
        kept = opened[one.id] if one else Standing()
        if isinstance(kept, StandingUnreadableError):
            answers.append(kept)
            continue
        events = suppression.unite(kept.events, suppressed[i])
        if one is None or not kept.linked:
            answers.append(OnRecord(one.id if one else None, indexes[i][0], events, held[i], named))
            continue
        said = linking.said_elsewhere(one.id, kept, events, opened)
        if isinstance(said, StandingUnreadableError):
            answers.append(said)
            continue
        united = sorted((*events, *said), key=attrgetter("at", "index"))
        answers.append(OnRecord(one.id, indexes[i][0], united, held[i], named, kept.linked))
    _name_others(connection, organisation, answers, named)
    return answers


def _open_all(
    connection: Connection,
    organisation: str,
    people: Sequence[Subject | None],
    keys: KeyRing,
) -> dict[bytes, Standing | StandingUnreadableError]:
    """The standings of these people, and of whoever else they are."""
    known = {one.id: one for one in people if one}
    rows = standing.load_rows(connection, organisation, list(known))
    opened = {
        id_: standing.open_row(keys, organisation, id_, one.head_seq, rows.get(id_))
        for id_, one in known.items()
    }
    if any(isinstance(one, Standing) and one.linked for one in opened.values()):
        opened |= linking.open_others(connection, organisation, opened, keys=keys)
    return opened


def _ids_of(
    one: Subject | None, opened: Mapping[bytes, Standing | StandingUnreadableError]
) -> Sequence[bytes]:
    if one is None:
        return ()
    kept = opened[one.id]
    return (one.id, *kept.linked) if isinstance(kept, Standing) else (one.id,)


def _name_others(
    connection: Connection,
    organisation: str,
    answers: Sequence[OnRecord | StandingUnreadableError],
    named: dict[str, str],
) -> None:
    """Add the names of other senders that somebody's record concerns."""
    concerned: set[str] = set()
    for answer in answers:
        if isinstance(answer, OnRecord):
            concerned.update([e.sender for e in answer.events if e.sender is not None])
            concerned.update([hold.sender for hold in answer.holds])
    others = concerned - named.keys()
    named.update(senders.load_names(connection, organisation, others))


def _under_present_name(event: Event, former_names: Sequence[str]) -> Event:
    if event.event not in _STOPS or event.brand is None:
        return event
    if not any(same_brand(event.brand, name) for name in former_names):
        return event
    return replace(event, brand=None)


def _law_of(kept: KeptEvent, kind: EventKind, brand: str | None) -> Event:
    return Event(
        event=kind,
        at=kept.at,
        channel=kept.channel,
        purpose=kept.purpose,
        topic=kept.topic,
        brand=brand,
        level=kept.level,
        qualities=kept.qualities,
        expires_at=kept.expires_at,
        ends_at=kept.ends_at,
        via=kept.via,
        index=kept.index,
        answers=kept.answers,
        elsewhere=kept.elsewhere,
    )


def _place_of(hold: Hold, brand: str | None) -> Event:
    return Event(
        event=EventKind.SENT,
        at=hold.send_at,
        channel=hold.channel,
        purpose=hold.purpose,
        topic=hold.topic,
        brand=brand,
        held_until=hold.held_until,
    )
