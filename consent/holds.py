"""Places that an allowed message holds in frequency caps until it goes out or its permit ends.

A place belongs to a person, or to a stranger's blind index: a check makes no person. Each
carries the index, so that it still counts when the stranger becomes a person.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, select, union_all, update

from consent.among import ByMany
from consent.ledger.columns import microseconds_of
from consent.rows import Rows
from consent.tables import cap_hold
from rules.vocabulary import Channel, Purpose


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A place held by one decision until before ``held_until``; ``sender`` is an id.

    ``blind_index``: that of any spelling of the address.
    """

    decision: bytes
    subject: bytes | None
    blind_index: bytes
    sender: str
    channel: Channel
    purpose: Purpose
    topic: str | None
    send_at: datetime
    held_until: datetime


_COLUMNS = (
    cap_hold.c.decision,
    cap_hold.c.subject,
    cap_hold.c.blind_index,
    cap_hold.c.sender,
    cap_hold.c.channel,
    cap_hold.c.purpose,
    cap_hold.c.topic,
    cap_hold.c.send_at,
    cap_hold.c.held_until,
)
_COUNTING = select(*_COLUMNS).where(
    cap_hold.c.organisation == bindparam("organisation"),
    cap_hold.c.held_until > bindparam("now"),
)
# Two halves that each have an index: joined by OR, SQLite would read every place there is. A place
# that both find comes twice, which is told by its decision.
_OF_PEOPLE = ByMany(
    lambda among: union_all(
        _COUNTING.where(among(cap_hold.c.subject, "subjects")),
        _COUNTING.where(among(cap_hold.c.blind_index, "blind_indexes")),
    )
)
_BY_DECISION = ByMany(
    lambda among: select(*_COLUMNS).where(
        cap_hold.c.organisation == bindparam("organisation"),
        among(cap_hold.c.decision, "decisions"),
    )
)
_FREE = ByMany(
    lambda among: delete(cap_hold).where(
        cap_hold.c.organisation == bindparam("organisation"),
        among(cap_hold.c.decision, "decisions"),
    )
)
_GIVE = ByMany(
    lambda among: (
        update(cap_hold)
        .where(
            cap_hold.c.organisation == bindparam("its_organisation"),
            cap_hold.c.subject.is_(None),
            among(cap_hold.c.blind_index, "indexes"),
        )
        .values(subject=bindparam("its_subject"))
    )
)
_INSERT = Rows(
    cap_hold,
    "organisation",
    "decision",
    "subject",
    "blind_index",
    "sender",
    "channel",
    "purpose",
    "topic",
    "send_at",
    "held_until",
)
_EXPIRE = delete(cap_hold).where(cap_hold.c.held_until <= bindparam("now"))


def hold_many(connection: Connection, organisation: str, holds: Sequence[Hold]) -> None:
    """Hold these places, in one statement."""
    _INSERT.insert(
        connection,
        [
            (
                organisation,
                hold.decision,
                hold.subject,
                hold.blind_index,
                hold.sender,
                hold.channel.value,
                hold.purpose.value,
                hold.topic,
                microseconds_of(hold.send_at),
                microseconds_of(hold.held_until),
            )
            for hold in holds
        ],
    )


def load_many(
    connection: Connection,
    organisation: str,
    people: Sequence[tuple[Sequence[bytes], Sequence[bytes]]],
    *,
    now: datetime,
) -> list[Sequence[Hold]]:
    """The places that count for each of ``people`` (ids, blind indexes), in one statement.

    Ids: none of a stranger, several of somebody with linked addresses.
    """
    if not people:
        return []
    rows = _OF_PEOPLE.fetch(
        connection,
        {
            "organisation": organisation,
            "now": now,
            "subjects": [subject for subjects, _ in people for subject in subjects],
            "blind_indexes": [index for _, indexes in people for index in indexes],
        },
    )
    if not rows:
        return [()] * len(people)
    held = {row[0]: _from_row(row) for row in rows}
    by_subject: dict[bytes, list[Hold]] = {}
    by_index: dict[bytes, list[Hold]] = {}
    for hold in held.values():
        by_index.setdefault(hold.blind_index, []).append(hold)
        if hold.subject is not None:
            by_subject.setdefault(hold.subject, []).append(hold)
    return [_of_person(subjects, indexes, by_subject, by_index) for subjects, indexes in people]


def give_to(
    connection: Connection, organisation: str, subject: bytes, blind_indexes: Collection[bytes]
) -> None:
    """Let the places held for a stranger count for the person that they turned out to be."""
    _GIVE.execute(
        connection,
        {"its_organisation": organisation, "its_subject": subject, "indexes": list(blind_indexes)},
    )


def find_many(
    connection: Connection, organisation: str, decisions: Collection[bytes]
) -> dict[bytes, Hold]:
    """The places that these decisions still hold, by decision, also those whose time is over."""
    rows = _BY_DECISION.execute(
        connection, {"organisation": organisation, "decisions": list(decisions)}
    )
    return {row[0]: _from_row(row) for row in rows}


def free_many(connection: Connection, organisation: str, decisions: Collection[bytes]) -> None:
    """Give the places of these decisions back: the message went out, or will not."""
    if decisions:
        _FREE.execute(connection, {"organisation": organisation, "decisions": list(decisions)})


def expire(connection: Connection, *, now: datetime) -> int:
    """Delete the places whose time is over, of every organisation; they count no more anyway."""
    return connection.execute(_EXPIRE, {"now": now}).rowcount


def _of_person(
    subjects: Sequence[bytes],
    indexes: Sequence[bytes],
    by_subject: dict[bytes, list[Hold]],
    by_index: dict[bytes, list[Hold]],
) -> Sequence[Hold]:
    counting = {hold.decision: hold for index in indexes for hold in by_index.get(index, ())}
    for subject in subjects:
        counting.update((hold.decision, hold) for hold in by_subject.get(subject, ()))
    return tuple(sorted(counting.values(), key=lambda hold: (hold.send_at, hold.decision)))


def _from_row(row: Sequence[Any]) -> Hold:
    decision, subject, blind_index, sender, channel, purpose, topic, send_at, held_until = row
    return Hold(
        decision=decision,
        subject=subject,
        blind_index=blind_index,
        sender=sender,
        channel=Channel(channel),
        purpose=Purpose(purpose),
        topic=topic,
        send_at=send_at,
        held_until=held_until,
    )
