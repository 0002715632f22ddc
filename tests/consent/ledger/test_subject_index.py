"""The index of subjects: its root, its proofs, and that there is one a day."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from consent.ledger import subject_index
from consent.ledger.canonical import canonical
from consent.ledger.entries import read_entries
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.log import append_many
from consent.ledger.tree import EMPTY_ROOT, leaf_hash, verify_inclusion
from tests.consent.ledger.test_proofs import naive_root
from tests.support.ledgers import NOW, a_subject, an_entry, an_organisation


@pytest.mark.parametrize("people", [0, 1, 2, 3, 7, 8, 21])
def test_every_subjects_head_is_proved(engine: Engine, people: int) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        a_subject(connection, organisation)  # Of whom nothing is on record.
        subjects = [a_subject(connection, organisation) for _ in range(people)]
        entries = [an_entry(subject=one) for one in subjects for _ in range(2)]
        receipts = append_many(connection, organisation, Log.CONSENT, entries, recorded_at=NOW)
        index = subject_index.compute(connection, organisation, wanted=subjects)
        assert (index.size, index.count) == (2 * people, people)
        leaves = [leaf_hash(canonical(index.proofs[one].head)) for one in sorted(subjects)]
        assert index.root == (naive_root(leaves) if people else EMPTY_ROOT)
        for place, one in enumerate(sorted(subjects)):
            found = index.proofs[one]
            assert found.position == place
            assert (found.head.subject, found.head.head_seq) == (one.hex(), 2)
            last = receipts[2 * subjects.index(one) + 1]
            assert found.head.head_leaf_hash == last.leaf_hash.hex()
            assert verify_inclusion(leaves[place], place, people, found.proof, index.root)


@pytest.mark.parametrize("log", [Log.CONSENT, Log.DECISIONS])
@pytest.mark.parametrize("people", [0, 1, 2, 3, 8])
def test_who_is_not_there_is_proved_by_who_is_beside(engine: Engine, people: int, log: Log) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subjects = sorted(a_subject(connection, organisation) for _ in range(people))
        entries = [an_entry(subject=one) for one in subjects]
        append_many(connection, organisation, log, entries, recorded_at=NOW)
        gaps = [bytes(16), *(_after(one) for one in subjects)]
        index = subject_index.compute(connection, organisation, log, wanted=[*gaps, *subjects])
        assert (index.log, index.count) == (log, people)
        assert set(index.proofs) == set(subjects)
        assert set(index.absent) == set(gaps)
        for place, gap in enumerate(gaps):
            beside = index.absent[gap]
            assert [one.position for one in beside] == [
                at for at in (place - 1, place) if 0 <= at < people
            ]
            assert [bytes.fromhex(one.head.subject) < gap for one in beside] == [
                at < place for at in (place - 1, place) if 0 <= at < people
            ]
            for one in beside:
                hashed = leaf_hash(canonical(one.head))
                assert verify_inclusion(hashed, one.position, people, one.proof, index.root)


def _after(id_: bytes) -> bytes:
    """The next id, which nobody has."""
    return (int.from_bytes(id_, "big") + 1).to_bytes(16, "big")


def test_the_index_is_stated_in_the_log(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        entry = an_entry(subject=a_subject(connection, organisation))
        append_many(connection, organisation, Log.CONSENT, [entry], recorded_at=NOW)
        index = subject_index.compute(connection, organisation)
        receipt = subject_index.append(connection, organisation, index, recorded_at=NOW)
        (stated,) = read_entries(connection, organisation, Log.CONSENT, receipt.index, 9)
        leaf = decode_leaf(stated.leaf)
        assert (leaf.type, leaf.statement) == ("index", index.statement)
        assert index.statement == {"root": index.root.hex(), "size": 1, "subjects": 1}


def test_a_day_has_one_index() -> None:
    today = subject_index.daily_id("org_a", NOW)
    assert today == subject_index.daily_id("org_a", NOW + timedelta(hours=11))
    assert len(today) == 16
    assert today[6] >> 4 == 7
    assert today[8] >> 6 == 2
    assert today != subject_index.daily_id("org_b", NOW)
    assert today != subject_index.daily_id("org_a", NOW + timedelta(days=1))
