"""Each damage is named by log and index, and what follows from the log is rebuilt."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from consent import tables as consent_tables
from consent.erasure import ErasureInput, erase
from consent.events import RecordedKind
from consent.fsck import people
from consent.fsck.damage import Damage, Kind
from consent.fsck.ledger import inspect_organisation, inspect_tail
from consent.fsck.rebuild import Rebuilt, rebuild
from consent.fsck.suppressions import Suppressions
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints, tables
from consent.ledger.checkpoints import GrownLog, Rereader, SignedCheckpoint
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import append_many
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel
from tests.support import consents
from tests.support.consents import ANN, BOB, NOW, Recorder, an_event
from tests.support.ledgers import a_payload, an_entry
from tests.support.tampering import take_guards_away

ENTRY, TILE, HEAD = tables.log_entry, tables.log_tile, tables.log_head
PAYLOAD, SUBJECT, CHECKPOINT = tables.log_payload, tables.subject, tables.checkpoint
STANDING, SUPPRESSION = consent_tables.standing, consent_tables.suppression
PEOPLE = 150
ENTRIES = 2 * PEOPLE + 3


@dataclass(frozen=True)
class Ledger:
    """An organisation with 303 consent events of 152 people, and one entry in another log."""

    recorder: Recorder

    @property
    def connection(self) -> Connection:
        return self.recorder.connection

    def inspect(self) -> list[Damage]:
        done: list[int] = []
        found = inspect_organisation(
            self.connection,
            self.recorder.organisation,
            keys=self.recorder.keys,
            progress=done.append,
        )
        return list(found)

    def inspect_tail(self, entries: int) -> list[Damage]:
        (head,) = [head for head in self.heads() if head.log is Log.CONSENT]
        return list(inspect_tail(self.connection, head, keys=self.recorder.keys, entries=entries))

    def walk(self, among: people.People) -> list[bytes]:
        recorder = self.recorder
        suppressions = Suppressions(self.connection, recorder.organisation, recorder.keys)
        walking = people.walk(
            self.connection,
            recorder.organisation,
            keys=recorder.keys,
            suppressions=suppressions,
            progress=lambda _: None,
            among=among,
        )
        return [person.id for person in walking]

    def heads(self) -> list[GrownLog]:
        return checkpoints.read_heads(self.connection, [self.recorder.organisation])

    def rebuild(self) -> Rebuilt:
        return rebuild(
            self.connection,
            self.recorder.organisation,
            keys=self.recorder.keys,
            now=NOW,
            progress=lambda _: None,
        )

    def change(self, table: sa.Table, where: Any, **values: Any) -> None:
        take_guards_away(self.connection)
        changed = self.connection.execute(sa.update(table).where(where).values(**values))
        assert changed.rowcount >= 1, "the fault did not happen"

    def delete(self, table: sa.Table, where: Any) -> None:
        take_guards_away(self.connection)
        assert self.connection.execute(sa.delete(table).where(where)).rowcount >= 1


@pytest.fixture
def ledger(engine: Engine, tmp_path: Path) -> Iterator[Ledger]:
    with a_ledger(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


@contextmanager
def a_ledger(engine: Engine, keys: KeyRing) -> Iterator[Ledger]:
    with consents.recorder(engine, keys) as recorder:
        for start in range(0, PEOPLE, 50):
            some = [
                parse_address(f"person{number}@example.com") for number in range(start, start + 50)
            ]
            recorder.record(*((one, an_event()) for one in some for _ in range(2)))
        recorder.record_one(ANN, an_event())
        later = recorder.at(NOW + timedelta(seconds=1))
        later.record_one(ANN, an_event(RecordedKind.REVOKE, channel=Channel.SMS))
        later.record_one(BOB, an_event(RecordedKind.REVOKE, sender=None))
        append_many(
            recorder.connection, recorder.organisation, Log.ACCESS, [an_entry()], recorded_at=NOW
        )
        made = Ledger(recorder)
        for head in made.heads():
            if head.size:
                checkpoint = Rereader().advance(recorder.connection, head, signed=None)
                note = checkpoints.sign(checkpoint, [keys.log_key(head.organisation, head.log)])
                signed = SignedCheckpoint(head.organisation, head.log, head.size, note, NOW)
                checkpoints.keep_many(recorder.connection, [signed])
        yield made


def test_a_whole_ledger_has_no_damage(ledger: Ledger) -> None:
    assert ledger.inspect() == []
    assert ledger.inspect_tail(10) == []
    assert ledger.inspect_tail(10_000) == []
    unchanged = Rebuilt(ledger.recorder.organisation, PEOPLE + 2, 0, 0, 0, 0)
    assert ledger.rebuild() == unchanged


def in_consent(index: int) -> Any:
    return sa.and_(ENTRY.c.log == "consent", ENTRY.c.idx == index)


def leaf_of(ledger: Ledger, index: int) -> bytes:
    found: bytes = ledger.connection.execute(
        sa.select(ENTRY.c.leaf).where(in_consent(index))
    ).scalar_one()
    return found


def event_of(ledger: Ledger, index: int) -> bytes:
    found: bytes = ledger.connection.execute(
        sa.select(ENTRY.c.event_id).where(in_consent(index))
    ).scalar_one()
    return found


def subject_of(ledger: Ledger, index: int) -> bytes:
    found: bytes = ledger.connection.execute(
        sa.select(ENTRY.c.subject).where(in_consent(index))
    ).scalar_one()
    return found


def change_leaf(ledger: Ledger) -> None:
    changed = leaf_of(ledger, 5).replace(b"marketing", b"promotion")
    ledger.change(ENTRY, in_consent(5), leaf=changed)


def change_leaf_and_hash(ledger: Ledger) -> None:
    from consent.ledger.tree import leaf_hash

    changed = leaf_of(ledger, 5).replace(b"marketing", b"promotion")
    ledger.change(ENTRY, in_consent(5), leaf=changed, leaf_hash=leaf_hash(changed))


def swap_payloads(ledger: Ledger) -> None:
    one, other = event_of(ledger, 0), event_of(ledger, 1)
    row = dict(
        ledger.connection.execute(sa.select(PAYLOAD).where(PAYLOAD.c.event_id == one))
        .mappings()
        .one()
    )
    kept = {name: row[name] for name in ("nonce", "ciphertext")}
    ledger.change(PAYLOAD, PAYLOAD.c.event_id == other, **kept)


def resign_checkpoint(ledger: Ledger) -> None:
    keys = ledger.recorder.keys
    (head,) = [head for head in ledger.heads() if head.log is Log.CONSENT]
    false = checkpoints.Checkpoint(head.origin, 300, bytes(32))
    note = checkpoints.sign(false, [keys.log_key(head.organisation, Log.CONSENT)])
    signed = SignedCheckpoint(head.organisation, Log.CONSENT, 300, note, NOW)
    checkpoints.keep_many(ledger.connection, [signed])


CONSENT_HEAD = HEAD.c.log == "consent"
FAULTS: dict[str, tuple[Callable[[Ledger], None], set[tuple[str, int | None]]]] = {
    "leaf": (change_leaf, {("leaf", 5)}),
    "leaf_and_hash": (
        change_leaf_and_hash,
        {("tile", 5), ("checkpoint", ENTRIES - 1), ("subject", 5)},
    ),
    "leaf_hash": (
        lambda it: it.change(ENTRY, in_consent(5), leaf_hash=bytes(32)),
        {("leaf_hash", 5), ("subject", 5)},
    ),
    "unreadable_leaf": (
        lambda it: it.change(ENTRY, in_consent(300), leaf=b"no"),
        {("leaf", 300)},
    ),
    "recorded_at": (
        lambda it: it.change(ENTRY, in_consent(7), recorded_at=NOW - timedelta(days=9)),
        {("entry", 7)},
    ),
    "gap": (lambda it: it.delete(ENTRY, in_consent(9)), {("gap", 9), ("subject", 8)}),
    "cut_tail": (
        lambda it: it.delete(ENTRY, sa.and_(ENTRY.c.log == "consent", ENTRY.c.idx >= 301)),
        {("gap", 301), ("subject", 300), ("subject", None), ("standing", 300)},
    ),
    "tile": (
        lambda it: it.change(TILE, TILE.c.level == 0, hashes=bytes(8192)),
        {("tile", 0)},
    ),
    "missing_tile": (lambda it: it.delete(TILE, TILE.c.level == 0), {("tile", 0)}),
    "edge": (
        lambda it: it.change(HEAD, CONSENT_HEAD, edge=bytes((ENTRIES - 256 + 1) * 32)),
        {("edge", 256), ("edge", 0)},
    ),
    "cut_edge": (lambda it: it.change(HEAD, CONSENT_HEAD, edge=b"x"), {("head", None)}),
    "shorter_head": (
        lambda it: it.change(HEAD, CONSENT_HEAD, size=1, edge=bytes(32)),
        {("edge", 0), ("beyond_head", 1)},
    ),
    "payload_gone": (
        lambda it: it.delete(PAYLOAD, PAYLOAD.c.event_id == event_of(it, 4)),
        {("payload", 4)},
    ),
    "payload_swapped": (swap_payloads, {("payload", 1)}),
    "algorithm": (
        lambda it: it.change(PAYLOAD, PAYLOAD.c.event_id == event_of(it, 4), algorithm=2),
        {("payload", 4)},
    ),
    "subject_head": (
        lambda it: it.change(SUBJECT, SUBJECT.c.id == subject_of(it, 301), head_seq=1),
        {("subject", 301), ("standing", 301)},
    ),
    "subject_gone": (
        lambda it: it.delete(SUBJECT, SUBJECT.c.id == subject_of(it, 302)),
        {("subject", 302)},
    ),
    "standing_gone": (
        lambda it: it.delete(STANDING, STANDING.c.subject == subject_of(it, 301)),
        {("standing", 301)},
    ),
    "suppression_gone": (
        lambda it: it.delete(SUPPRESSION, SUPPRESSION.c.idx == 302),
        {("suppression", 302)},
    ),
    "suppression_narrowed": (
        lambda it: it.change(SUPPRESSION, SUPPRESSION.c.idx == 302, channel="voice"),
        {("suppression", 302)},
    ),
    "suppression_without_ground": (
        lambda it: it.change(SUPPRESSION, SUPPRESSION.c.idx == 302, idx=3),
        {("suppression", 302), ("suppression", 3)},
    ),
    "checkpoint": (
        lambda it: it.change(CHECKPOINT, CHECKPOINT.c.log == "consent", note="no"),
        {("checkpoint", ENTRIES - 1)},
    ),
    "false_checkpoint": (resign_checkpoint, {("checkpoint", 299)}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_damage_is_named_by_its_index(ledger: Ledger, name: str) -> None:
    tamper, expected = FAULTS[name]
    tamper(ledger)
    found = ledger.inspect()
    assert found
    assert {one.log for one in found} == {Log.CONSENT}
    assert all(one.organisation == ledger.recorder.organisation for one in found)
    named = {(one.kind.value, one.index) for one in found}
    for kind, index in expected:
        if index is None:
            assert kind in {word for word, _ in named}, named
        else:
            assert (kind, index) in named, named


def test_the_erasure_of_a_stranger_is_opened_and_followed(ledger: Ledger) -> None:
    recorder = ledger.recorder
    given = ErasureInput(address=parse_address("stranger@example.com"), event_id=uuid7(NOW))
    erase(ledger.connection, recorder.organisation, given, keys=recorder.keys, now=NOW)
    assert ledger.inspect() == []
    ledger.delete(SUPPRESSION, SUPPRESSION.c.idx == ENTRIES)
    assert {(one.kind.value, one.index) for one in ledger.inspect()} == {("suppression", ENTRIES)}
    ledger.change(PAYLOAD, PAYLOAD.c.event_id == given.event_id, nonce=bytes(12))
    assert {(one.kind.value, one.index) for one in ledger.inspect()} == {("payload", ENTRIES)}


def test_a_strangers_payload_is_opened_whatever_key_its_row_names(ledger: Ledger) -> None:
    recorder = ledger.recorder
    given = ErasureInput(address=parse_address("stranger@example.com"), event_id=uuid7(NOW))
    erase(ledger.connection, recorder.organisation, given, keys=recorder.keys, now=NOW)
    ledger.delete(SUPPRESSION, SUPPRESSION.c.idx == ENTRIES)
    ledger.change(PAYLOAD, PAYLOAD.c.event_id == given.event_id, key_kind="subject")
    assert {(one.kind.value, one.index) for one in ledger.inspect()} == {("payload", ENTRIES)}


@pytest.mark.parametrize("shares", [0, 1, 2, 7])
def test_shares_of_the_people_are_everybody_once(ledger: Ledger, shares: int) -> None:
    by_share = [ledger.walk(share) for share in people.shared_out(shares)]
    assert len(by_share) == max(shares, 1)
    everybody = ledger.walk(people.EVERYBODY)
    assert len(everybody) == PEOPLE + 2
    assert [id_ for share in by_share for id_ in share] == everybody
    assert all(by_share), "who is nobody's share is a mistake in the shares"
    some = people.People(after=everybody[3], until=everybody[7])
    assert ledger.walk(some) == everybody[4:8]


def test_an_unreadable_leaf_hides_no_row_that_follows_from_nothing(ledger: Ledger) -> None:
    stops = sa.select(SUPPRESSION.c.idx).order_by(SUPPRESSION.c.idx)
    first = ledger.connection.execute(stops).scalars().first()
    assert first is not None
    ledger.change(SUPPRESSION, SUPPRESSION.c.idx != first, idx=ENTRIES + 5)
    ledger.change(ENTRY, in_consent(first), leaf=b"{")
    named = {(one.kind.value, one.index) for one in ledger.inspect()}
    assert ("suppression", ENTRIES + 5) in named
    assert "database" not in {kind for kind, _ in named}


def test_damage_in_another_log_is_that_logs(ledger: Ledger) -> None:
    ledger.change(ENTRY, ENTRY.c.log == "access", leaf=b"{}")
    assert {(one.log, one.kind, one.index) for one in ledger.inspect()} == {
        (Log.ACCESS, Kind.LEAF, 0)
    }


def test_a_living_persons_payload_is_missed_in_every_log(ledger: Ledger) -> None:
    recorder = ledger.recorder
    entry = an_entry(subject=subject_of(ledger, 301), payload=a_payload(key_kind="decision"))
    append_many(ledger.connection, recorder.organisation, Log.DECISIONS, [entry], recorded_at=NOW)
    ledger.delete(PAYLOAD, PAYLOAD.c.event_id == entry.event_id)
    named = {(one.log, one.kind, one.index) for one in ledger.inspect()}
    assert (Log.DECISIONS, Kind.PAYLOAD, 0) in named


@pytest.mark.parametrize(
    ("name", "is_seen"), [("leaf", False), ("unreadable_leaf", True), ("cut_tail", True)]
)
def test_the_tail_is_looked_through_by_itself(ledger: Ledger, name: str, is_seen: bool) -> None:
    FAULTS[name][0](ledger)
    assert bool(ledger.inspect_tail(20)) is is_seen
    assert ledger.inspect_tail(ENTRIES)


def test_payloads_and_chains_of_the_tail_are_opened(ledger: Ledger) -> None:
    swap = event_of(ledger, 301)
    ledger.change(PAYLOAD, PAYLOAD.c.event_id == swap, nonce=bytes(12))
    assert {(one.kind, one.index) for one in ledger.inspect_tail(5)} == {(Kind.PAYLOAD, 301)}


def test_what_follows_from_the_log_is_rebuilt(ledger: Ledger) -> None:
    everybody = sa.true()
    ledger.delete(STANDING, everybody)
    ledger.delete(SUPPRESSION, SUPPRESSION.c.idx == 302)
    ledger.change(SUPPRESSION, SUPPRESSION.c.idx == 301, channel="voice")
    assert ledger.inspect()
    organisation = ledger.recorder.organisation
    assert ledger.rebuild() == Rebuilt(organisation, PEOPLE + 2, PEOPLE + 2, 2, 0, 0)
    assert ledger.inspect() == []
    assert ledger.rebuild().standings == 0
    assert [event.event for event in ledger.recorder.load_one(ANN).events] == ["grant", "revoke"]


def test_a_standing_that_cannot_be_rebuilt_is_left_as_it_is(ledger: Ledger) -> None:
    """The payload that does not open may have been the opt-out."""
    person = subject_of(ledger, 301)
    ledger.change(PAYLOAD, PAYLOAD.c.event_id == event_of(ledger, 301), nonce=bytes(12))
    rows = sa.select(STANDING).where(STANDING.c.subject == person)
    before = ledger.connection.execute(rows).all()
    assert ledger.rebuild().unreadable == 1
    assert ledger.connection.execute(rows).all() == before
