"""The erasure journal: whole, in order, of this ledger, and for its owner only."""

from datetime import timedelta
from pathlib import Path

import pytest

from consent.erasure import Destroyed, Erasure, ErasureRecord, PastErasure
from consent.erasure_journal import ErasureJournal
from consent.errors import ErasureJournalError
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.log import Receipt
from consent.retention import Expiry
from consent.suppression import Token
from tests.support.consents import NOW, a_key_ring
from tests.support.full_disk import files_up_to

ORGANISATION = "org_a"


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    ring = a_key_ring(tmp_path / "keys")
    ring.add_organisation(ORGANISATION, at=NOW)
    return ring


@pytest.fixture
def journal(keys: KeyRing, tmp_path: Path) -> ErasureJournal:
    made = ErasureJournal.of(tmp_path / "keys" / "vault", keys)
    made.create()
    return made


def an_erasure(number: int) -> Erasure:
    at = NOW + timedelta(seconds=number)
    event_id = uuid7(at)
    return Erasure(
        event_id=event_id,
        at=at,
        receipt=Receipt(event_id, Log.CONSENT, number, bytes(32), at),
        repeated=False,
        subjects=(bytes([number]) * 16,),
        blind_indexes=frozenset({b"i" * 16}),
        record=ErasureRecord(tokens=(Token(1, b"t" * 16),)),
        destroyed=Destroyed(),
    )


def fill(journal: ErasureJournal, count: int = 3) -> list[Erasure]:
    erasures = [an_erasure(number) for number in range(count)]
    for erasure in erasures:
        journal.append([(ORGANISATION, erasure)])
    return erasures


def test_what_was_appended_is_read_in_order(journal: ErasureJournal) -> None:
    erasures = fill(journal)
    read = list(journal.read())
    assert [past.event_id for _, past in read] == [erasure.event_id for erasure in erasures]
    assert [past.at for _, past in read] == [erasure.at for erasure in erasures]
    assert {organisation for organisation, _ in read} == {ORGANISATION}
    last = read[2][1]
    assert isinstance(last, PastErasure)
    assert last.subjects == erasures[2].subjects
    assert last.record == erasures[2].record


def test_months_that_ended_stand_in_it_between_erasures(journal: ErasureJournal) -> None:
    fill(journal, 1)
    ended = Expiry(month=202601, at=NOW, statement={"destroyed": "decision 202601"}, actor="key_1")
    journal.append([(ORGANISATION, ended)])
    journal.append([(ORGANISATION, an_erasure(1))])
    _, (organisation, told), last = journal.read()
    assert (organisation, told) == (ORGANISATION, ended)
    assert isinstance(last[1], PastErasure)


def test_a_line_of_one_kind_does_not_open_as_the_other(journal: ErasureJournal) -> None:
    fill(journal, 1)
    changed = journal.path.read_bytes().replace(b'"at":', b'"kind":"expiry","at":')
    journal.path.write_bytes(changed)
    with pytest.raises(ErasureJournalError, match="erasures:2"):
        list(journal.read())


def test_several_at_once_follow_each_other(journal: ErasureJournal) -> None:
    journal.append([(ORGANISATION, an_erasure(number)) for number in range(3)])
    journal.append([(ORGANISATION, an_erasure(3))])
    assert len(list(journal.read())) == 4


def test_making_it_again_changes_nothing(journal: ErasureJournal) -> None:
    fill(journal)
    before = journal.path.read_bytes()
    journal.create()
    assert journal.path.read_bytes() == before
    assert [path.name for path in journal.path.parent.iterdir()] == ["erasures"]


def test_only_the_owner_may_read_it(journal: ErasureJournal) -> None:
    assert journal.path.stat().st_mode & 0o777 == 0o600
    journal.path.chmod(0o640)
    with pytest.raises(ErasureJournalError, match="open to other users"):
        list(journal.read())


def test_a_torn_end_was_never_committed_and_the_next_line_takes_its_place(
    journal: ErasureJournal,
) -> None:
    fill(journal, 2)
    head = journal.head.read_bytes()
    journal.append([(ORGANISATION, an_erasure(2))])
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-10])
    journal.head.write_bytes(head)
    assert len(list(journal.read())) == 2
    journal.append([(ORGANISATION, an_erasure(7))])
    assert [past.at for _, past in journal.read()][-1] == an_erasure(7).at


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_cut_end_is_noticed(journal: ErasureJournal, left: int) -> None:
    fill(journal)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[: 1 + left]))
    wanted = f"has {left} erasures, and it had 3: its end was cut, or it is an older copy"
    with pytest.raises(ErasureJournalError, match=wanted):
        list(journal.read())
    with pytest.raises(ErasureJournalError, match=wanted):
        journal.append([(ORGANISATION, an_erasure(9))])
    journal.path.unlink()
    with pytest.raises(ErasureJournalError, match="has 0 erasures, and it had 3"):
        journal.create()


def test_another_end_of_the_same_length_is_noticed(journal: ErasureJournal) -> None:
    fill(journal, 1)
    one, head = journal.path.read_bytes(), journal.head.read_bytes()
    journal.append([(ORGANISATION, an_erasure(1))])
    kept = journal.head.read_bytes()
    journal.path.write_bytes(one)
    journal.head.write_bytes(head)
    journal.append([(ORGANISATION, an_erasure(2))])
    journal.head.write_bytes(kept)
    with pytest.raises(ErasureJournalError, match="erasures:3 is not the line that was written"):
        list(journal.read())


def test_a_crash_before_the_head_was_written_loses_nothing(journal: ErasureJournal) -> None:
    fill(journal, 2)
    head = journal.head.read_bytes()
    journal.append([(ORGANISATION, an_erasure(2))])
    journal.head.write_bytes(head)
    assert len(list(journal.read())) == 3
    journal.append([(ORGANISATION, an_erasure(3))])
    assert len(list(journal.read())) == 4


def test_the_head_is_there_before_the_first_line(journal: ErasureJournal) -> None:
    before = journal.path.read_bytes()
    with files_up_to(0), pytest.raises(ErasureJournalError, match=r"erasures\.head cannot be"):
        journal.append([(ORGANISATION, an_erasure(0))])
    assert journal.path.read_bytes() == before
    with files_up_to(len(before) + 200), pytest.raises(ErasureJournalError, match="cannot be writ"):
        journal.append([(ORGANISATION, an_erasure(0))])
    assert journal.head.exists()
    assert list(journal.read()) == []
    journal.path.unlink()
    journal.create()
    fill(journal)
    assert len(list(journal.read())) == 3


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}\n"])
def test_a_damaged_head_is_named(journal: ErasureJournal, content: bytes) -> None:
    fill(journal)
    journal.head.write_bytes(content)
    with pytest.raises(ErasureJournalError, match=r"erasures\.head cannot be read"):
        list(journal.read())


@pytest.mark.parametrize("lost", [1, 2])
def test_a_line_missing_in_the_middle_is_named(journal: ErasureJournal, lost: int) -> None:
    fill(journal)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:lost] + lines[lost + 1 :]))
    with pytest.raises(ErasureJournalError, match=f"erasures:{lost + 1} does not follow"):
        list(journal.read())


def test_a_changed_line_is_named(journal: ErasureJournal) -> None:
    fill(journal)
    content = journal.path.read_bytes()
    at = content.rindex(b'"sealed":"') + 40
    changed = b"A" if content[at : at + 1] != b"A" else b"B"
    journal.path.write_bytes(content[:at] + changed + content[at + 1 :])
    with pytest.raises(ErasureJournalError, match="erasures:4 is not the line that was written"):
        list(journal.read())


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b'{"v":9,"ledger":"x"}\n'])
def test_what_is_no_journal_is_refused(journal: ErasureJournal, content: bytes) -> None:
    journal.path.write_bytes(content)
    with pytest.raises(ErasureJournalError):
        list(journal.read())
    with pytest.raises(ErasureJournalError):
        journal.append([(ORGANISATION, an_erasure(1))])
    assert journal.path.read_bytes() == content


def test_the_journal_of_another_ledger_is_refused(journal: ErasureJournal, tmp_path: Path) -> None:
    other = ErasureJournal.of(tmp_path / "other" / "vault", a_key_ring(tmp_path / "other"))
    other.create()
    journal.path.write_bytes(other.path.read_bytes())
    with pytest.raises(ErasureJournalError, match="of another ledger"):
        list(journal.read())
