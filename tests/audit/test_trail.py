"""One person's story, whole and in order, and nobody else's."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from audit import trail
from audit.opened import Withheld
from audit.trail import TrailEntry
from consent import linking, suppression
from consent.erasure import ErasureInput, ErasureRecord, _Act, erase
from consent.events import RecordedKind
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.linking import LinkInput
from jurisdictions.addresses import parse_address
from rules.vocabulary import Via
from tests.support.consents import ANN, BOB, DAY, an_event
from tests.support.gates import BY_DAY, Desk, desk

MINUTE = DAY / 1440


@pytest.fixture
def one_desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with desk(engine, tmp_path) as made:
        yield made.at(BY_DAY)


def read(one: Desk, **given: object) -> list[TrailEntry]:
    person = trail.find_person(one.connection, one.organisation, ANN, keys=one.recorder.keys)
    return trail.read_trail(
        one.connection,
        one.organisation,
        person,
        keys=one.recorder.keys,
        **given,  # type: ignore[arg-type]
    )


def live_through(one: Desk) -> None:
    """A check of a stranger, a grant, a check, a stop and a check; and Bob in between."""
    one.check_one(one.a_check())
    one.at(one.now + MINUTE).recorder.record_one(ANN, an_event())
    one.at(one.now + MINUTE).recorder.record_one(BOB, an_event())
    one.at(one.now + 2 * MINUTE).check(one.a_check(), one.a_check("bob@example.com"))
    stop = an_event(RecordedKind.REVOKE, sender=None, via=Via.KEYWORD, text="STOP it")
    one.at(one.now + 3 * MINUTE).recorder.record_one(ANN, stop)
    one.at(one.now + 4 * MINUTE).check_one(one.a_check())


def story(entries: list[TrailEntry]) -> list[tuple[str, str]]:
    return [
        (
            entry.log.value,
            entry.decision.decision.verdict.value if entry.decision else entry.leaf.type,
        )
        for entry in entries
    ]


def test_events_and_decisions_come_in_the_order_in_which_they_were_recorded(
    one_desk: Desk,
) -> None:
    live_through(one_desk)
    entries = read(one_desk)
    assert story(entries) == [
        ("decisions", "deny"),
        ("consent", "grant"),
        ("decisions", "allow"),
        ("consent", "revoke"),
        ("decisions", "deny"),
    ]
    assert [entry.index for entry in entries] == [0, 0, 1, 2, 3]
    event, address = entries[3].told or (None, None)
    assert event is not None
    assert (event.text, address) == ("STOP it", ANN.normalised)
    assert entries[0].leaf.subject is None, "nobody was on record then"
    assert "example.com" not in repr(entries)


def test_pages_put_together_are_the_whole(one_desk: Desk) -> None:
    live_through(one_desk)
    start, pages = trail.START, []
    while page := read(one_desk, start=start, count=2):
        pages.append(page)
        start = trail.next_places(page, start)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [entry.id for page in pages for entry in page] == [entry.id for entry in read(one_desk)]


def test_an_erased_person_leaves_that_they_were_and_nothing_of_what_they_said(
    one_desk: Desk,
) -> None:
    live_through(one_desk)
    before = read(one_desk)
    after = one_desk.at(one_desk.now + DAY)
    given = ErasureInput(address=ANN, event_id=uuid7(after.now), actor="key_1", why="asked")
    keys = one_desk.recorder.keys
    erase(after.connection, after.organisation, given, keys=keys, now=after.now)
    entries = read(after)
    assert [entry.leaf.type for entry in entries][-1] == "erase"
    # What was decided about the stranger is found by what leads to it, until that is deleted too.
    assert {entry.id for entry in before} <= {entry.id for entry in entries}
    assert {entry.withheld for entry in entries if entry.leaf.subject} == {
        Withheld.ERASED,
        Withheld.CONFIDENTIAL,
    }
    assert all(entry.told is None for entry in entries)
    assert [entry.decision for entry in entries if entry.leaf.subject] == [None] * 5
    person = trail.find_person(after.connection, after.organisation, ANN, keys=keys)
    assert dict(person.erased) == {before[1].leaf.subject and person.subjects[0]: after.now}


def test_who_comes_after_an_erasure_is_another_person_of_the_same_trail(one_desk: Desk) -> None:
    live_through(one_desk)
    after = one_desk.at(one_desk.now + DAY)
    given = ErasureInput(address=ANN, event_id=uuid7(after.now))
    erase(after.connection, after.organisation, given, keys=one_desk.recorder.keys, now=after.now)
    later = after.at(after.now + DAY)
    later.recorder.record_one(ANN, an_event())
    entries = read(later)
    assert entries[-1].told is not None
    assert len({entry.leaf.subject for entry in entries} - {None}) == 2


def test_of_a_stranger_there_is_nothing_but_what_was_decided(one_desk: Desk) -> None:
    assert read(one_desk) == []
    one_desk.check_one(one_desk.a_check())
    assert story(read(one_desk)) == [("decisions", "deny")]
    assert read(one_desk)[0].log is Log.DECISIONS


def test_a_stranger_who_is_erased_has_a_trail_of_it(one_desk: Desk) -> None:
    given = ErasureInput(address=ANN, event_id=uuid7(one_desk.now))
    erase(
        one_desk.connection,
        one_desk.organisation,
        given,
        keys=one_desk.recorder.keys,
        now=one_desk.now,
    )
    assert story(read(one_desk)) == [("consent", "erase")]


def test_linked_addresses_are_one_trail_until_they_part(one_desk: Desk) -> None:
    live_through(one_desk)
    carol = parse_address("carol@example.com")
    one_desk.check_one(one_desk.a_check("carol@example.com"))
    later = one_desk.at(one_desk.now + DAY)
    later.recorder.record_one(carol, an_event())
    alone = len(read(later))
    there, keys = (later.connection, later.organisation), later.recorder.keys
    both = LinkInput(addresses=[ANN, carol])
    linking.link(*there, both, keys=keys, now=later.now)
    together = read(later)
    # Carol's grant, the decision about her from before she was on record, and two links.
    assert len(together) == alone + 4
    assert len({entry.leaf.subject for entry in together} - {None}) == 2
    assert "bob@example.com" not in repr(together)
    linking.unlink(*there, both, keys=keys, now=later.now)
    assert {entry.leaf.subject for entry in read(later)} < {e.leaf.subject for e in together}


def test_linked_addresses_that_were_erased_are_one_trail(one_desk: Desk) -> None:
    live_through(one_desk)
    carol = parse_address("carol@example.com")
    later = one_desk.at(one_desk.now + DAY)
    there, keys = (later.connection, later.organisation), later.recorder.keys
    linking.link(*there, LinkInput(addresses=[ANN, carol]), keys=keys, now=later.now)
    given = ErasureInput(address=ANN, event_id=uuid7(later.now), why="asked")
    erase(*there, given, keys=keys, now=later.now)
    for address in (ANN, carol):
        person = trail.find_person(*there, address, keys=keys)
        assert len(person.subjects) == len(person.erased) == 2


def test_who_is_erased_in_the_same_turn_is_another_story(one_desk: Desk) -> None:
    live_through(one_desk)
    later = one_desk.at(one_desk.now + DAY)
    people = [
        later.recorder.record_one(ANN, an_event()).subject,
        later.recorder.record_one(BOB, an_event()).subject,
    ]
    keys = one_desk.recorder.keys
    tokens = suppression.tokens_of(later.organisation, [ANN], keys=keys)
    record = ErasureRecord(tokens=tokens, why="asked")
    act = _Act(
        connection=later.connection,
        organisation=later.organisation,
        event_id=uuid7(later.now),
        at=later.now,
        actor=None,
        keys=keys,
        now=later.now,
    )
    act.carry_out(people[:1], record)
    # Bob is erased in the same turn, by a request of his own.
    other = replace(act, event_id=uuid7(later.now))
    tokens = suppression.tokens_of(later.organisation, [BOB], keys=keys)
    other.carry_out(people[1:], ErasureRecord(tokens=tokens, why="asked"))
    person = trail.find_person(later.connection, later.organisation, ANN, keys=keys)
    assert person.subjects == (people[0],)


def test_an_erasure_of_two_addresses_is_one_story(one_desk: Desk) -> None:
    people = [one_desk.recorder.record_one(whom, an_event()).subject for whom in (ANN, BOB)]
    keys = one_desk.recorder.keys
    tokens = suppression.tokens_of(one_desk.organisation, [ANN, BOB], keys=keys)
    act = _Act(
        connection=one_desk.connection,
        organisation=one_desk.organisation,
        event_id=uuid7(one_desk.now),
        at=one_desk.now,
        actor=None,
        keys=keys,
        now=one_desk.now,
    )
    act.carry_out(people, ErasureRecord(tokens=tokens))
    for address in (ANN, BOB):
        found = trail.find_person(one_desk.connection, one_desk.organisation, address, keys=keys)
        assert set(found.subjects) == set(people)
