"""The consent log person by person: chains, payloads, and what they add up to."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import reviews, standing
from consent.among import ByMany
from consent.events import STOPS, RecordedKind, decode_payload
from consent.fsck.aliases import Alias, Aliases
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.payloads import COLUMNS, Payloads
from consent.fsck.suppressions import Suppressions
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.errors import DamagedLogError
from consent.ledger.leaf import Leaf, Log, decode_leaf
from consent.ledger.tables import log_entry, log_payload, subject, subject_head
from consent.reviews import Outcome, Review
from consent.standing import Change, KeptEvent, Standing, change_of

PEOPLE_AT_ONCE = 256
_ID_DIGITS = 4
"""So many bytes of an id are enough to share people out by."""
_SUBJECT_KEY = KeyKind.SUBJECT.value
_ERASE = RecordedKind.ERASE.value
_HOLD = RecordedKind.HOLD.value


class People(NamedTuple):
    """Everybody whose id comes behind ``after``, up to and with ``until``; None: to the end."""

    after: bytes = b""
    until: bytes | None = None


EVERYBODY = People()


def shared_out(shares: int) -> list[People]:
    """Everybody in that many shares; ids are random, so they are about of one size."""
    ends = [(256**_ID_DIGITS * n // shares).to_bytes(_ID_DIGITS, "big") for n in range(1, shares)]
    return [People(after, until) for after, until in zip([b"", *ends], [*ends, None], strict=True)]


class _Someone(NamedTuple):
    """A row of ``subject``."""

    id: bytes
    head_seq: int
    head_leaf_hash: bytes | None
    erased_at: datetime | None


class _Entry(NamedTuple):
    """A row of the consent log with its payload's; ``key_kind`` is None where that is gone."""

    subject: bytes
    idx: int
    subject_seq: int | None
    leaf: bytes
    leaf_hash: bytes
    event_id: bytes
    schema_version: int
    key_kind: str | None
    key_version: int
    algorithm: int
    nonce: bytes
    ciphertext: bytes
    sealed_for: bytes | None
    filed_under: str


@dataclass(slots=True)
class Person:
    """Somebody as their entries have them. ``standing`` is None if some of those cannot be read.

    ``stands``: whether the row of the standing says just that. ``reviews``: those of their
    held replies whose row does not say what their entries do.
    """

    id: bytes
    head_seq: int
    erased: bool
    standing: Standing | None
    stands: bool
    reviews: list[Review] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)


def walk(
    connection: Connection,
    organisation: str,
    *,
    keys: KeyRing,
    suppressions: Suppressions,
    progress: Progress,
    among: People = EVERYBODY,
) -> Iterator[Person]:
    """Everybody ``among`` those, in order of id, with what is wrong with them."""
    walking = _Walk(connection, organisation, keys, suppressions)
    after, until = among
    while True:
        wanted = {"organisation": organisation, "after": after, "count": PEOPLE_AT_ONCE}
        if until is None:
            found = _PEOPLE.fetch(connection, wanted)
        else:
            found = _PEOPLE_UNTIL.fetch(connection, {**wanted, "until": until})
        rows = [_Someone._make(row) for row in found]
        if rows:
            yield from walking.some(rows)
            progress(len(rows))
            after = rows[-1].id
        if len(rows) < PEOPLE_AT_ONCE:
            return


def strays(connection: Connection, organisation: str) -> Iterator[Damage]:
    """Entries of persons who are not there, and heads of other logs that are not their last."""
    for (index,) in connection.execute(_WITHOUT_PERSON, {"organisation": organisation}):
        detail = "the entry names a person who is not there"
        yield Damage(organisation, Log.CONSENT, index, Kind.SUBJECT, detail)
    for log, index in connection.execute(_WITHOUT_HEAD, {"organisation": organisation}):
        if log in set(Log):
            detail = "the entry names a person who has no head in this log"
            yield Damage(organisation, Log(log), index, Kind.SUBJECT, detail)
    for log, index in connection.execute(_WRONG_HEADS, {"organisation": organisation}):
        detail = "a person's head is not their last entry"
        known = Log(log) if log in set(Log) else None
        yield Damage(organisation, known, index, Kind.SUBJECT, detail)


@dataclass(slots=True)
class _Trail:
    """What one person's entries gave so far."""

    seq: int = 0
    last: bytes | None = None
    index: int | None = None
    changes: list[Change] = field(default_factory=list)
    reviews: dict[int, Review] = field(default_factory=dict)
    recorded_at: datetime | None = None
    readable: bool = True
    addresses: set[str] = field(default_factory=set)
    began_as_stranger: bool = False

    def go_on(self, entry: _Entry) -> None:
        """Take ``entry`` for the last one; a place that it does not say is the next."""
        self.seq = self.seq + 1 if entry.subject_seq is None else entry.subject_seq
        self.last, self.index = entry.leaf_hash, entry.idx


class _Walk:
    def __init__(
        self, connection: Connection, organisation: str, keys: KeyRing, suppressions: Suppressions
    ) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._suppressions = suppressions
        self._payloads = Payloads(connection, organisation, keys)
        self._aliases = Aliases(connection, organisation, keys)
        self._reviews: dict[bytes, list[Review]] = {}

    def some(self, people: Sequence[_Someone]) -> Iterator[Person]:
        ids = [row.id for row in people]
        self._payloads.prepare(ids)
        standings = standing.load_rows(self._connection, self._organisation, ids)
        aliases = self._aliases.load(ids)
        wanted = {"organisation": self._organisation, "ids": ids}
        self._reviews = reviews.load_of(self._connection, self._organisation, ids)
        entries = map(_Entry._make, _ENTRIES.fetch(self._connection, wanted))
        by_person = {id_: list(some) for id_, some in groupby(entries, key=itemgetter(0))}
        for row in people:
            person, trail = self._person(row, by_person.get(row.id, ()))
            self._compare(person, trail, standings.get(row.id))
            if trail.readable:
                self._compare_reviews(person, trail)
            self._compare_aliases(person, trail, aliases.get(row.id, ()))
            yield person

    def _person(self, row: _Someone, entries: Iterable[_Entry]) -> tuple[Person, _Trail]:
        person = Person(row.id, row.head_seq, row.erased_at is not None, None, stands=False)
        trail = _Trail()
        for entry in entries:
            self._follow(person, trail, entry)
        if (trail.seq, trail.last) != (row.head_seq, row.head_leaf_hash):
            detail = (
                f"the person's head says {row.head_seq} entries, and their chain has {trail.seq}"
                if trail.seq != row.head_seq
                else "the person's head is not their last entry"
            )
            person.damages.append(self._damage(trail.index, Kind.SUBJECT, detail))
        for detail in self._payloads.damaged_keys(row.id):
            person.damages.append(self._damage(trail.index, Kind.KEY, detail))
        return person, trail

    def _compare(self, person: Person, trail: _Trail, stored: tuple[int, bytes] | None) -> None:
        """Hold the row of the standing against the fold of what was read."""
        if person.erased:
            person.stands = stored is None
            if stored is not None:
                detail = "an erased person has a standing"
                person.damages.append(self._damage(trail.index, Kind.STANDING, detail))
            return
        if not trail.readable:
            return
        if trail.recorded_at is None:
            person.standing, person.stands = Standing(), stored is None
            return
        person.standing = standing.fold(Standing(), trail.changes, recorded_at=trail.recorded_at)
        opened = standing.open_row(
            self._keys, self._organisation, person.id, person.head_seq, stored
        )
        person.stands = opened == person.standing
        if not person.stands:
            detail = (
                "the standing is not what the entries add up to"
                if isinstance(opened, Standing)
                else opened.detail
            )
            person.damages.append(self._damage(trail.index, Kind.STANDING, detail))

    def _compare_aliases(self, person: Person, trail: _Trail, aliases: Collection[Alias]) -> None:
        """Hold what leads to the person against the addresses that their entries tell."""
        if not trail.readable or person.erased:
            return
        found = self._aliases.compare(
            aliases, trail.addresses, may_have=int(trail.began_as_stranger)
        )
        for detail in found:
            person.damages.append(self._damage(trail.index, Kind.ALIAS, detail))

    def _compare_reviews(self, person: Person, trail: _Trail) -> None:
        """Hold the rows of the reviews against the holds, and what answers them."""
        rows = {row.event_id: row for row in self._reviews.get(person.id, ())}
        for expected in trail.reviews.values():
            row = rows.get(expected.event_id)
            if row is not None and person.erased and row.outcome is not None:
                continue  # How it was decided on, nobody can read any more.
            if row != expected:
                person.reviews.append(expected)
                what = "is not there" if row is None else "says something else than its entry"
                detail = f"the review of a held reply {what}"
                person.damages.append(self._damage(expected.idx, Kind.REVIEW, detail))

    def _follow(self, person: Person, trail: _Trail, entry: _Entry) -> None:
        """Read one entry, and name what is wrong with it."""
        try:
            leaf = decode_leaf(entry.leaf)
        except DamagedLogError:
            trail.readable = False  # ``entries.py`` names it.
            trail.go_on(entry)
            return
        before = None if trail.last is None else trail.last.hex()
        if entry.subject_seq != trail.seq + 1 or leaf.prev != before:
            detail = "the entry does not follow on its person's entry before it"
            person.damages.append(self._damage(entry.idx, Kind.CHAIN, detail))
            trail.readable = False
        trail.go_on(entry)
        if person.erased and leaf.type == _HOLD:
            trail.reviews[entry.idx] = reviews.opened_by_leaf(
                leaf, entry.idx, entry.event_id, entry.subject
            )
        if person.erased and entry.key_kind == _SUBJECT_KEY:
            detail = "the payload of an erased person is still there"
            person.damages.append(self._damage(entry.idx, Kind.PAYLOAD, detail))
        elif entry.key_kind is not None:
            self._open(person, trail, entry, leaf)
        elif leaf.commit is not None and not (person.erased and leaf.type != _ERASE):
            trail.readable = False
            detail = "the payload is not there"
            person.damages.append(self._damage(entry.idx, Kind.PAYLOAD, detail))

    def _open(self, person: Person, trail: _Trail, entry: _Entry, leaf: Leaf) -> None:
        try:
            payload = self._payloads.open(leaf, entry.event_id, entry.subject, entry)
            self._take(trail, entry, leaf, payload)
        except (BrokenSealError, UnknownKeyError) as error:
            trail.readable = False
            person.damages.append(self._damage(entry.idx, Kind.PAYLOAD, error.detail))
        except (msgspec.MsgspecError, KeyError):
            trail.readable = False
            detail = "the payload is no event"
            person.damages.append(self._damage(entry.idx, Kind.PAYLOAD, detail))

    def _take(self, trail: _Trail, entry: _Entry, leaf: Leaf, payload: bytes) -> None:
        if leaf.type == _ERASE:
            self._suppressions.follow_erasure(entry.idx, leaf, payload)
            return
        event, address = decode_payload(payload)
        if address is not None:
            trail.addresses.add(address)
        elif not trail.changes:
            trail.began_as_stranger = True
        change = change_of(event, entry.idx)
        trail.changes.append(change)
        if event.event is RecordedKind.HOLD and isinstance(change, KeptEvent):
            trail.reviews[entry.idx] = reviews.opened_by(
                change, entry.event_id, entry.subject, leaf.recorded_at
            )
        answered = trail.reviews.get(-1 if event.answers is None else event.answers)
        if answered is not None:
            outcome = Outcome(event.event.value)
            trail.reviews[answered.idx] = msgspec.structs.replace(answered, outcome=outcome)
        known = trail.recorded_at
        trail.recorded_at = leaf.recorded_at if known is None else max(known, leaf.recorded_at)
        if event.event in STOPS and address is not None and isinstance(change, KeptEvent):
            self._suppressions.follow_stop(change, address)

    def _damage(self, index: int | None, kind: Kind, detail: str) -> Damage:
        return Damage(self._organisation, Log.CONSENT, index, kind, detail)


_E = log_entry.c
_S = subject.c


def _people(*narrowed: sa.ColumnElement[bool]) -> ByMany:
    return ByMany(
        lambda _: (
            sa.select(_S.id, _S.head_seq, _S.head_leaf_hash, _S.erased_at)
            .where(_S.organisation == bindparam("organisation"), _S.id > bindparam("after"))
            .where(*narrowed)
            .order_by(_S.id)
            .limit(bindparam("count"))
        )
    )


_PEOPLE = _people()
_PEOPLE_UNTIL = _people(_S.id <= bindparam("until"))
_ENTRIES = ByMany(
    lambda among: (
        sa.select(_E.subject, _E.idx, _E.subject_seq, _E.leaf, _E.leaf_hash, _E.event_id, *COLUMNS)
        .select_from(log_entry.outerjoin(log_payload, log_payload.c.event_id == _E.event_id))
        .where(
            among(_E.subject, "ids"),
            _E.log == Log.CONSENT.value,
            # Written so that no index serves it: SQLite would take the log's, and read all of it
            # for every few people.
            _E.organisation.concat("") == bindparam("organisation"),
        )
        .order_by(_E.subject, _E.subject_seq)
    )
)
_WITHOUT_PERSON = (
    sa.select(_E.idx)
    .select_from(
        log_entry.outerjoin(
            subject,
            sa.and_(subject.c.organisation == _E.organisation, subject.c.id == _E.subject),
        )
    )
    .where(
        _E.organisation == bindparam("organisation"),
        _E.log == Log.CONSENT.value,
        _E.subject.is_not(None),
        subject.c.id.is_(None),
    )
    .order_by(_E.idx)
)
_WITHOUT_HEAD = (
    sa.select(_E.log, sa.func.max(_E.idx))
    .select_from(
        log_entry.outerjoin(
            subject_head,
            sa.and_(
                subject_head.c.organisation == _E.organisation,
                subject_head.c.id == _E.subject,
                subject_head.c.log == _E.log,
            ),
        )
    )
    .where(
        _E.organisation == bindparam("organisation"),
        _E.log != Log.CONSENT.value,
        _E.subject.is_not(None),
        subject_head.c.id.is_(None),
    )
    .group_by(_E.log, _E.subject)
)
_LAST = log_entry.alias("last_entry")
_NEXT = log_entry.alias("next_entry")
_H = subject_head.c
_WRONG_HEADS = (
    sa.select(_H.log, _LAST.c.idx)
    .select_from(
        subject_head.outerjoin(
            _LAST,
            sa.and_(
                _LAST.c.subject == _H.id, _LAST.c.log == _H.log, _LAST.c.subject_seq == _H.head_seq
            ),
        ).outerjoin(
            _NEXT,
            sa.and_(
                _NEXT.c.subject == _H.id,
                _NEXT.c.log == _H.log,
                _NEXT.c.subject_seq == _H.head_seq + 1,
            ),
        )
    )
    .where(
        _H.organisation == bindparam("organisation"),
        sa.or_(
            _LAST.c.idx.is_(None),
            _LAST.c.leaf_hash != _H.head_leaf_hash,
            _NEXT.c.idx.is_not(None),
        ),
    )
)
