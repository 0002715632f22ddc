"""What is on record of a person, compact and sealed: the projection that checks read.

One row a person, sealed under the organisation's standing key and bound to the person and to
their last entry: a row that was changed, swapped or left behind does not serve. What the history
means is law and is worked out in ``rules``; here it is only kept.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, select

from consent import tables
from consent.among import ByMany
from consent.errors import StandingUnreadableError
from consent.events import MEMBERSHIPS, ConsentEvent, RecordedKind
from consent.keys import sealing
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind, SealingKey
from consent.rows import run
from rules.vocabulary import Channel, Level, Purpose, Quality, Via

SENT_KEPT: Final = timedelta(days=400)
"""Of ``sent`` older than this, counted back from the person's newest entry, only the first and the
last of each month and scope are kept: no frequency cap looks back so far, and a relation that lives
by being used from month to month is shown by these. Everything else is kept for good."""

_FORMAT: Final = 1
_SENT: Final = RecordedKind.SENT
_IN_ORDER: Final = attrgetter("at", "index")


class KeptEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as a check needs it: no address, no evidence, no text. ``index``: in the log.

    ``elsewhere``: it was recorded of another address of the same person.
    """

    index: int
    event: RecordedKind
    at: datetime
    sender: str | None = None
    channel: Channel | None = None
    purpose: Purpose | None = None
    topic: str | None = None
    brand: str | None = None
    level: Level | None = None
    qualities: frozenset[Quality] = frozenset()
    expires_at: datetime | None = None
    ends_at: datetime | None = None
    via: Via | None = None
    answers: int | None = None
    elsewhere: bool = False

    @classmethod
    def of(cls, event: ConsentEvent, index: int) -> "KeptEvent":
        """Keep what a check needs of an event that stands at ``index``."""
        return cls(
            index,
            event.event,
            event.at,
            event.sender,
            event.channel,
            event.purpose,
            event.topic,
            event.brand,
            event.level,
            event.qualities,
            event.expires_at,
            event.ends_at,
            event.via,
            event.answers,
        )


class Membership(msgspec.Struct, frozen=True):
    """What a link or unlink makes of a person.

    ``linked``: the ids of everybody else who is the same person from then on. ``carried``:
    opt-outs and erasures that bind this one too from then on.
    """

    event: KeptEvent
    linked: tuple[bytes, ...]
    carried: tuple[KeptEvent, ...]


Change = KeptEvent | Membership
"""What one entry adds to its person's standing."""


def change_of(event: ConsentEvent, index: int) -> Change:
    """What an event that stands at ``index`` adds."""
    kept = KeptEvent.of(event, index)
    if event.event not in MEMBERSHIPS:
        return kept
    carried = [KeptEvent(**msgspec.structs.asdict(stop)) for stop in event.carried]
    return Membership(kept, tuple(map(bytes.fromhex, event.linked)), tuple(carried))


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """A person's history: oldest first, events of one instant in the order of the log.

    ``recorded_at`` is when the newest entry was recorded; ``sent`` are thinned out by it.
    ``linked``: whose standings say what else this person said, in order.
    """

    events: tuple[KeptEvent, ...] = ()
    recorded_at: datetime | None = None
    format: int = _FORMAT
    linked: tuple[bytes, ...] = ()


class Appended(msgspec.Struct, frozen=True):
    """What a batch added to one person: their ``head_seq`` before and after, and the changes."""

    subject: bytes
    head_seq_before: int
    changes: tuple[Change, ...]

    @property
    def head_seq(self) -> int:
        """Each change is one entry of the person's."""
        return self.head_seq_before + len(self.changes)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Standing)
_BY_SUBJECT = ByMany(
    lambda among: select(
        tables.standing.c.subject, tables.standing.c.head_seq, tables.standing.c.sealed_history
    ).where(
        tables.standing.c.organisation == bindparam("organisation"),
        among(tables.standing.c.subject, "ids"),
    )
)


Row = tuple[str, bytes, int, bytes]
"""As it is stored: organisation, subject, head_seq and the sealed history."""

_UPSERT: Final = (
    "INSERT INTO standing (organisation, subject, head_seq, sealed_history) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (organisation, subject) DO UPDATE "
    "SET head_seq = excluded.head_seq, sealed_history = excluded.sealed_history"
)


def fold(standing: Standing, changes: Iterable[Change], *, recorded_at: datetime) -> Standing:
    """Add what was recorded at ``recorded_at``. Pure: folding a log rebuilds the row."""
    newest = recorded_at if standing.recorded_at is None else max(standing.recorded_at, recorded_at)
    oldest_sent = newest - SENT_KEPT
    events, linked = list(standing.events), standing.linked
    for change in changes:
        if isinstance(change, Membership):
            known = {event.index for event in events}
            events.append(change.event)
            events += [stop for stop in change.carried if stop.index not in known]
            linked = change.linked
        else:
            events.append(change)
    kept: list[KeptEvent] = []
    old: list[KeptEvent] = []
    for event in events:
        is_old = event.event is _SENT and event.at < oldest_sent
        (old if is_old else kept).append(event)
    if old:
        kept += _thinned(old)
    if len(kept) > 1:
        kept.sort(key=_IN_ORDER)
    return Standing(tuple(kept), newest, linked=linked)


def _thinned(sent: Sequence[KeptEvent]) -> set[KeptEvent]:
    """The first and the last of each month (UTC) and scope."""
    ends: dict[tuple[object, ...], tuple[KeptEvent, KeptEvent]] = {}
    for event in sorted(sent, key=_IN_ORDER):
        at = event.at.astimezone(UTC)
        scope = (event.sender, event.brand, event.channel, event.purpose, at.year, at.month)
        ends[scope] = (ends[scope][0] if scope in ends else event, event)
    return {event for pair in ends.values() for event in pair}


def seal_row(
    key: SealingKey, organisation: str, subject: bytes, head_seq: int, standing: Standing
) -> Row:
    """Seal a history under the month's ``key``; it opens for this person at this entry only."""
    bound_to = (subject, head_seq.to_bytes(8, "big"))
    sealed = sealing.seal(key, organisation, _ENCODER.encode(standing), *bound_to)
    return organisation, subject, head_seq, sealed


def open_row(
    keys: KeyRing,
    organisation: str,
    subject: bytes,
    head_seq: int,
    row: tuple[int, bytes] | None,
) -> Standing | StandingUnreadableError:
    """Open a person's row: their ``head_seq``, and the row's own with what it sealed.

    An error is returned, not raised: it is one person's, and must not end a batch.
    """
    if row is None:
        if head_seq == 0:
            return Standing()
        return StandingUnreadableError("a person has entries on record but no standing")
    if row[0] != head_seq:
        return StandingUnreadableError("a standing is older or newer than its person's last entry")
    try:
        opened = keys.open_sealed(
            organisation, KeyKind.STANDING, row[1], subject, head_seq.to_bytes(8, "big")
        )
        standing = _DECODER.decode(opened)
    except (BrokenSealError, UnknownKeyError, msgspec.MsgspecError, UnicodeDecodeError):
        return StandingUnreadableError("a standing does not open")
    if standing.format != _FORMAT:
        return StandingUnreadableError(f"a standing is of format {standing.format}")
    return standing


def load_rows(
    connection: Connection, organisation: str, ids: Sequence[bytes]
) -> dict[bytes, tuple[int, bytes]]:
    """The rows of these persons, in one statement."""
    if not ids:
        return {}
    rows = _BY_SUBJECT.fetch(connection, {"organisation": organisation, "ids": ids})
    return {subject: (head_seq, sealed) for subject, head_seq, sealed in rows}


def project(
    connection: Connection,
    organisation: str,
    appended: Sequence[Appended],
    *,
    keys: KeyRing,
    recorded_at: datetime,
) -> dict[bytes, StandingUnreadableError]:
    """Fold what was just appended into the rows, in the same transaction, in two statements.

    Each subject stands in ``appended`` once. A row that could not be read before is left as
    it is: it is older than its person now, so checks go on being refused until it is rebuilt.
    The answer names those persons, for an alarm.
    """
    known = [one.subject for one in appended if one.head_seq_before]
    rows = load_rows(connection, organisation, known)
    key = keys.sealing_key(organisation, KeyKind.STANDING, at=recorded_at)
    unreadable: dict[bytes, StandingUnreadableError] = {}
    written: list[Row] = []
    for one in appended:
        opened = open_row(
            keys, organisation, one.subject, one.head_seq_before, rows.get(one.subject)
        )
        if isinstance(opened, StandingUnreadableError):
            unreadable[one.subject] = opened
            continue
        standing = fold(opened, one.changes, recorded_at=recorded_at)
        written.append(seal_row(key, organisation, one.subject, one.head_seq, standing))
    write_rows(connection, written)
    return unreadable


def write_rows(connection: Connection, rows: Sequence[Row]) -> None:
    """Put rows in place of what was there, in one statement."""
    if rows:
        run(connection, _UPSERT, rows, many=True)
