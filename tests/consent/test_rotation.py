"""Newer keys in the place of older ones: nothing is lost, and what is old goes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consent import rotation
from consent.errors import UnknownSubjectError
from consent.keys.errors import UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger import tables
from consent.subjects import blind_indexes_of, find_many, load_keys
from jurisdictions.addresses import parse_address
from tests.support.consents import ANN, BOB, NOW, Recorder, a_key_ring, an_event, recorder

MONTH = timedelta(days=31)
PEOPLE = [parse_address(f"+121255501{number:02}") for number in range(10, 17)]


@pytest.fixture
def opened(engine: Engine, tmp_path: Path) -> Iterator[Recorder]:
    with recorder(engine, a_key_ring(tmp_path / "keys")) as made:
        yield made


def rewrapped(at: Recorder, limit: int = 3) -> list[rotation.Passed]:
    passes: list[rotation.Passed] = []
    after: bytes | None = rotation.START
    while after is not None:
        passed = rotation.rewrap(
            at.connection, at.organisation, after=after, limit=limit, keys=at.keys, now=at.now
        )
        passes.append(passed)
        after = passed.after
    return passes


def in_use(at: Recorder) -> tuple[set[int], set[int]]:
    there = (at.connection, at.organisation)
    return rotation.organisation_keys_in_use(*there), rotation.standing_keys_in_use(*there)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_everybody_is_rewrapped_and_still_opens(opened: Recorder, limit: int) -> None:
    for address in PEOPLE:
        opened.record_one(address, an_event())
    later = opened.at(NOW + MONTH)
    old = opened.keys.versions_of(opened.organisation, KeyKind.ORGANISATION)
    new = opened.keys.renew(opened.organisation, KeyKind.ORGANISATION, at=later.now)
    assert new == 20261200
    passes = rewrapped(later, limit)
    assert sum(one.count for one in passes) == len(PEOPLE)
    assert in_use(later) == ({new}, {202612})
    opened.keys.destroy(opened.organisation, KeyKind.ORGANISATION, old)
    opened.keys.destroy(opened.organisation, KeyKind.STANDING, [202611])
    for address in PEOPLE:
        assert len(later.load_one(address).events) == 1
        later.record_one(address, an_event())
        assert len(later.load_one(address).events) == 2


def test_what_is_left_under_an_old_key_is_told(opened: Recorder) -> None:
    opened.record_one(ANN, an_event())
    opened.record_one(BOB, an_event())
    opened.keys.renew(opened.organisation, KeyKind.ORGANISATION, at=opened.now)
    row = tables.subject_key
    first = opened.connection.execute(sa.select(row.c.subject).limit(1)).scalar_one()
    damaged = sa.update(row).where(row.c.subject == first).values(wrapped=b"\x01" + bytes(60))
    opened.connection.execute(damaged)
    assert sum(one.unreadable for one in rewrapped(opened)) == 1
    assert in_use(opened)[0] == {20261100, 20261101}


def test_a_destroyed_key_opens_nothing_and_is_never_made_again(
    opened: Recorder, tmp_path: Path
) -> None:
    organisation, keys = opened.organisation, opened.keys
    sealed = keys.seal(organisation, KeyKind.STANDING, b"history", at=NOW)
    assert keys.destroy(organisation, KeyKind.STANDING, [202611]) == [202611]
    assert keys.destroy(organisation, KeyKind.STANDING, [202611]) == []
    for ring in (keys, KeyRing.open(tmp_path / "keys")):
        with pytest.raises(UnknownKeyError):
            ring.open_sealed(organisation, KeyKind.STANDING, sealed)
        with pytest.raises(UnknownKeyError, match="was destroyed"):
            ring.seal(organisation, KeyKind.STANDING, b"history", at=NOW)
        ring.seal(organisation, KeyKind.STANDING, b"history", at=NOW + MONTH)


def test_another_process_wraps_under_no_key_that_was_destroyed(
    opened: Recorder, tmp_path: Path
) -> None:
    """What it has in memory is older than what is on disk."""
    organisation = opened.organisation
    other = KeyRing.open(tmp_path / "keys")
    new = opened.keys.renew(organisation, KeyKind.ORGANISATION, at=NOW)
    opened.keys.destroy(organisation, KeyKind.ORGANISATION, [20261100])
    assert other.new_subject_key(organisation, b"s" * 16, 1).wrapping_key_version == new
    with pytest.raises(UnknownKeyError):
        other.opening_key(organisation, KeyKind.ORGANISATION, 20261100)
    opened.keys.destroy(organisation, KeyKind.STANDING, [202611])
    with pytest.raises(UnknownKeyError):
        other.sealing_key(organisation, KeyKind.STANDING, at=NOW)


def test_a_new_data_key_is_for_what_comes(opened: Recorder) -> None:
    person = opened.record_one(ANN, an_event()).subject
    there = (opened.connection, opened.organisation)
    assert rotation.renew_subject_key(*there, ANN, keys=opened.keys) == 2
    opened.record_one(ANN, an_event())
    payloads = opened.connection.execute(sa.select(tables.log_payload.c.key_version)).scalars()
    assert sorted(payloads) == [1, 2]
    assert load_keys(*there, [person], keys=opened.keys)[person].version == 2
    with pytest.raises(UnknownSubjectError):
        rotation.renew_subject_key(*there, BOB, keys=opened.keys)


def test_people_are_found_under_both_versions_of_the_index(opened: Recorder) -> None:
    organisation, keys = opened.organisation, opened.keys
    there = (opened.connection, organisation)
    before = opened.record_one(ANN, an_event()).subject
    assert keys.renew(organisation, KeyKind.INDEX, at=NOW) == 2
    assert len(blind_indexes_of(organisation, ANN, keys)) == 2
    assert find_many(*there, [ANN], keys=keys)[0] is not None
    after = opened.record_one(BOB, an_event()).subject
    assert rotation.index_versions_in_use(*there, 2) == {1}
    passed = rotation.reindex(*there, after=rotation.START, limit=10, keys=keys)
    assert passed == rotation.Passed(None, 2, 0)
    assert rotation.index_versions_in_use(*there, 2) == set()
    keys.destroy(organisation, KeyKind.INDEX, [1])
    found = find_many(*there, [ANN, BOB], keys=keys)
    assert [one.id if one else None for one in found] == [before, after]
    rotation.reindex(*there, after=rotation.START, limit=10, keys=keys)
    versions = opened.connection.execute(sa.select(tables.subject_alias.c.index_version)).scalars()
    assert set(versions) == {2}


def test_an_event_for_a_known_person_makes_nobody_new_after_a_new_index(opened: Recorder) -> None:
    first = opened.record_one(ANN, an_event()).subject
    opened.keys.renew(opened.organisation, KeyKind.INDEX, at=NOW)
    assert opened.record_one(ANN, an_event()).subject == first
