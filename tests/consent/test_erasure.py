"""A person who was erased is gone from the database, and stays suppressed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from consent import linking, suppression, tables
from consent.erasure import Erasure, ErasureInput, erase, open_record, suppressed_by
from consent.events import RecordedKind
from consent.keys.errors import BrokenSealError
from consent.ledger import tables as ledger
from consent.ledger import tree
from consent.ledger.entries import read_entries, read_payloads
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.log import head
from consent.linking import LinkInput
from consent.on_record import OnRecord
from jurisdictions.addresses import Address, parse_address
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, a_key_ring, an_event, recorder

MEXICO = parse_address("+5215512345678")
MEXICO_TODAY = parse_address("+525512345678")


@pytest.fixture
def ledger_of(engine: Engine, tmp_path: Path) -> Iterator[Recorder]:
    with recorder(engine, a_key_ring(tmp_path / "keys")) as opened:
        yield opened


def erased(at: Recorder, address: Address = ANN, why: str = "asked") -> Erasure:
    given = ErasureInput(address=address, event_id=uuid7(at.now), actor="key_1", why=why)
    return erase(at.connection, at.organisation, given, keys=at.keys, now=at.now)


def kinds(person: OnRecord) -> list[RecordedKind]:
    return [event.event for event in person.events]


def count(connection: Connection, table: sa.Table) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def root_and_leaves(at: Recorder) -> tuple[list[bytes], list[bytes]]:
    """Every entry hashed again from its row."""
    size = head(at.connection, at.organisation, Log.CONSENT).size
    entries = read_entries(at.connection, at.organisation, Log.CONSENT, 0, size)
    assert [entry.index for entry in entries] == list(range(size))
    return [tree.leaf_hash(entry.leaf) for entry in entries], [e.leaf_hash for e in entries]


def linked(at: Recorder, to: Address, other: Address) -> None:
    """Make both addresses one person's."""
    given = LinkInput(addresses=(to, other))
    linking.link(at.connection, at.organisation, given, keys=at.keys, now=at.now)


def test_everything_of_the_person_is_deleted_and_of_nobody_else(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    ledger_of.record_one(ANN, an_event(RecordedKind.REVOKE))
    ledger_of.record_one(BOB, an_event())
    done = erased(ledger_of)
    assert done.destroyed.keys == 1
    assert done.destroyed.payloads == 2
    assert done.destroyed.aliases == 1
    assert done.destroyed.standings == 1
    person = done.subjects[0]
    for table in (ledger.subject_alias, ledger.subject_key, tables.standing):
        left = ledger_of.connection.execute(sa.select(table.c.subject)).scalars().all()
        assert person not in left
        assert len(left) == 1
    payloads = ledger_of.connection.execute(sa.select(ledger.log_payload.c.subject)).scalars()
    assert person not in payloads.all()


def test_the_log_is_the_same_before_and_after(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    before, stored = root_and_leaves(ledger_of)
    assert before == stored
    done = erased(ledger_of)
    after, stored = root_and_leaves(ledger_of)
    assert after == stored
    assert after[:-1] == before
    assert after[-1] == done.receipt.leaf_hash
    (entry,) = read_entries(ledger_of.connection, ledger_of.organisation, Log.CONSENT, 1, 2)
    leaf = decode_leaf(entry.leaf)
    assert (leaf.type, leaf.subject, leaf.subject_seq) == ("erase", done.subjects[0].hex(), 2)
    assert leaf.prev == before[0].hex()


def test_what_is_on_record_is_the_erasure_alone(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    erased(ledger_of)
    person = ledger_of.load_one(ANN)
    assert person.subject is None
    assert kinds(person) == [RecordedKind.ERASE]


def test_somebody_never_seen_gets_a_token_too(ledger_of: Recorder) -> None:
    done = erased(ledger_of)
    assert done.subjects == ()
    assert kinds(ledger_of.load_one(ANN)) == [RecordedKind.ERASE]
    assert count(ledger_of.connection, ledger.subject) == 0


@pytest.mark.parametrize(("given", "asked"), [(MEXICO, MEXICO_TODAY), (MEXICO_TODAY, MEXICO)])
def test_every_spelling_is_suppressed(ledger_of: Recorder, given: Address, asked: Address) -> None:
    ledger_of.record_one(given, an_event())
    erased(ledger_of, given)
    assert kinds(ledger_of.load_one(asked)) == [RecordedKind.ERASE]


@pytest.mark.parametrize("named", [ANN, BOB])
def test_linked_addresses_are_one_person_and_stay_suppressed(
    ledger_of: Recorder, named: Address
) -> None:
    ledger_of.record_one(ANN, an_event())
    linked(ledger_of, ANN, BOB)
    erased(ledger_of, named)
    for address in (ANN, BOB):
        assert kinds(ledger_of.load_one(address)) == [RecordedKind.ERASE]
    assert count(ledger_of.connection, ledger.subject_alias) == 0


def test_an_opt_out_survives_beside_the_erasure(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event(RecordedKind.REVOKE, sender=None))
    erased(ledger_of)
    assert kinds(ledger_of.load_one(ANN)) == [RecordedKind.REVOKE, RecordedKind.ERASE]


def test_who_comes_back_is_a_new_person_with_a_new_record(ledger_of: Recorder) -> None:
    first = ledger_of.record_one(ANN, an_event()).subject
    erased(ledger_of)
    later = ledger_of.at(NOW + DAY)
    again = later.record_one(ANN, an_event(at=NOW + DAY))
    assert again.subject != first
    assert kinds(later.load_one(ANN)) == [RecordedKind.ERASE, RecordedKind.GRANT]
    entries = read_entries(later.connection, later.organisation, Log.CONSENT, 2, 3)
    assert entries[0].subject_seq == 1


def test_erasing_again_gives_the_first_receipt_and_appends_nothing(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    first = erased(ledger_of)
    again = erased(ledger_of.at(NOW + DAY))
    assert again.repeated
    assert not first.repeated
    assert again.receipt == first.receipt
    assert again.subjects == first.subjects
    assert head(ledger_of.connection, ledger_of.organisation, Log.CONSENT).size == 2


def test_who_came_back_can_be_erased_again(ledger_of: Recorder) -> None:
    erased(ledger_of)
    later = ledger_of.at(NOW + DAY)
    later.record_one(ANN, an_event(at=NOW + DAY))
    again = erased(later)
    assert not again.repeated
    assert again.destroyed.keys == 1
    assert kinds(later.load_one(ANN)) == [RecordedKind.ERASE, RecordedKind.ERASE]


def test_suppression_can_be_rebuilt_from_the_log_alone(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event(RecordedKind.REVOKE))
    ledger_of.record_one(MEXICO, an_event())
    erasures = [erased(ledger_of), erased(ledger_of, MEXICO)]
    connection, organisation = ledger_of.connection, ledger_of.organisation
    before = connection.execute(sa.select(tables.suppression)).all()
    connection.execute(sa.delete(tables.suppression))
    for done in erasures:
        index = done.receipt.index
        (entry,) = read_entries(connection, organisation, Log.CONSENT, index, index + 1)
        stored = read_payloads(connection, organisation, [entry.event_id])[entry.event_id]
        assert stored.subject is None  # Of no person, so that no erasure may delete it.
        record = open_record(organisation, entry, stored, keys=ledger_of.keys)
        assert record.why == "asked"
        at = decode_leaf(entry.leaf).occurred_at
        rows = suppressed_by(record, index=index, at=at)
        assert suppression.restore(connection, organisation, rows)
        assert suppression.restore(connection, organisation, rows) == 0
    assert sorted(connection.execute(sa.select(tables.suppression)).all()) == sorted(before)


def test_an_address_that_could_not_be_suppressed_stops_the_erasure(ledger_of: Recorder) -> None:
    """Without the key nobody knows the linked address, and freeing it could let a message go."""
    ledger_of.record_one(ANN, an_event())
    linked(ledger_of, ANN, BOB)
    connection = ledger_of.connection
    connection.execute(sa.update(ledger.subject_key).values(wrapped=b"\x01" + bytes(60)))
    before = [count(connection, t) for t in (ledger.log_entry, ledger.subject_alias)]
    with pytest.raises(BrokenSealError, match="nothing was erased"):
        erased(ledger_of)
    assert [count(connection, t) for t in (ledger.log_entry, ledger.subject_alias)] == before


def test_a_person_whose_only_address_is_known_goes_even_if_damaged(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    ledger_of.connection.execute(sa.update(ledger.subject_key).values(wrapped=b"\x01" + bytes(60)))
    assert erased(ledger_of).destroyed.keys == 1


def test_the_record_tells_nothing_to_who_has_no_key(ledger_of: Recorder) -> None:
    ledger_of.record_one(ANN, an_event())
    erased(ledger_of, why="a very particular reason")
    rows = ledger_of.connection.execute(sa.select(ledger.log_payload.c.ciphertext)).scalars().all()
    leaves = ledger_of.connection.execute(sa.select(ledger.log_entry.c.leaf)).scalars().all()
    token = ledger_of.keys.suppression_token(ledger_of.organisation, ANN.normalised)
    for stored in (*rows, *leaves):
        for told in (b"particular", ANN.normalised.encode(), token, token.hex().encode()):
            assert told not in stored
