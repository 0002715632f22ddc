"""Erasing never re-enables sending, and its certificate says what is true."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from api.errors import DecisionSupersededError
from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import CheckMessages
from api.operations.erase_subject import (
    COMPLETE,
    LATER,
    NOTHING_WAS_THERE,
    Certificate,
    EraseSubjects,
    ErasureRequest,
)
from api.operations.lookup_subject import lookup_subject
from api.work import Reply
from audit.tables import decision_alias
from consent import linking
from consent.erasure import PastErasure
from consent.erasure_journal import ErasureJournal
from consent.events import RecordedKind
from consent.keys.sealing import KeyKind
from consent.linking import LinkInput
from jurisdictions.addresses import Address, parse_address
from rules.vocabulary import Channel, Verdict
from tests.support import gates
from tests.support.consents import ANN, BOB, an_event
from tests.support.gates import BY_DAY, Desk

MEXICO, MEXICO_TODAY = "+5215512345678", "+525512345678"


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.load_registry("us-test", "2026-11-01")
        yield made.at(BY_DAY)


def erased(
    desk: Desk, address: Address = ANN, journal: ErasureJournal | None = None
) -> Certificate:
    wanted = ErasureRequest(
        organisation=desk.organisation, actor="key_1", address=address, why="asked"
    )
    work = EraseSubjects(desk.gate.keys, journal)
    (answer,) = work.run_many(desk.connection, [wanted], now=desk.now)
    assert isinstance(answer, Certificate), answer
    return answer


def codes(answer: CheckAnswer) -> list[str]:
    return [reason.code for reason in answer.reasons]


def an_answered(answer: CheckAnswer) -> Reply:
    return Reply(200, msgspec.json.encode(answer))


@pytest.mark.parametrize("kind", [None, RecordedKind.GRANT, RecordedKind.PURCHASE])
def test_what_was_open_to_anybody_is_denied_after_an_erasure(
    desk: Desk, kind: RecordedKind | None
) -> None:
    """Nobody needs consent for these calls; on record or not, erased is suppressed."""
    if kind is not None:
        desk.recorder.record_one(ANN, an_event(kind))
    call = desk.a_check(channel=Channel.VOICE, text=None)
    assert desk.check_one(call).verdict is Verdict.ALLOW
    erased(desk)
    after = desk.check_one(call)
    assert after.verdict is Verdict.DENY
    assert "erased" in codes(after)


@pytest.mark.parametrize(("given", "asked"), [(MEXICO, MEXICO_TODAY), (MEXICO_TODAY, MEXICO)])
def test_another_spelling_is_denied_as_well(desk: Desk, given: str, asked: str) -> None:
    erased(desk, parse_address(given))
    answer = desk.check_one(desk.a_check(asked, region="US-NY"))
    assert "erased" in codes(answer)


def test_a_new_consent_starts_a_new_record(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    first = erased(desk).subject
    later = desk.at(BY_DAY + timedelta(minutes=1))
    later.recorder.record_one(ANN, an_event(at=later.now))
    after = later.at(BY_DAY + timedelta(minutes=2))
    assert after.check_one(after.a_check()).verdict is Verdict.ALLOW
    found = lookup_subject(
        after.connection, after.organisation, ANN, keys=after.gate.keys, now=after.now
    )
    assert found.subject not in (None, first)
    assert found.erased_at == BY_DAY


@pytest.mark.parametrize("recorded", ["never", "before the check", "after the check"])
def test_an_allow_is_not_given_again_after_an_erasure(desk: Desk, recorded: str) -> None:
    if recorded == "before the check":
        desk.recorder.record_one(ANN, an_event(RecordedKind.PURCHASE))
    answer = desk.check_one(desk.a_check(channel=Channel.VOICE, text=None))
    assert answer.verdict is Verdict.ALLOW
    if recorded == "after the check":
        desk.recorder.record_one(ANN, an_event(RecordedKind.PURCHASE))
    work, now = CheckMessages(desk.gate), BY_DAY + timedelta(minutes=1)
    asked = (desk.connection, desk.organisation, an_answered(answer))
    assert work.superseded(*asked, now=now) is None
    erased(desk)
    assert isinstance(work.superseded(*asked, now=now), DecisionSupersededError)


def test_linked_addresses_go_together_and_the_certificate_names_them(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    given = LinkInput(addresses=(ANN, BOB))
    linked = linking.link(
        desk.connection, desk.organisation, given, keys=desk.gate.keys, now=desk.now
    )
    permitted = desk.check_one(desk.a_check())
    assert permitted.verdict is Verdict.ALLOW
    certificate = erased(desk, BOB)
    ids = {member.subject.hex() for member in linked.members if member.subject is not None}
    assert {certificate.subject, *certificate.linked} == ids
    assert certificate.destroyed.keys == 2
    assert "erased" in codes(desk.check_one(desk.a_check()))
    work = CheckMessages(desk.gate)
    asked = (desk.connection, desk.organisation, an_answered(permitted))
    assert isinstance(work.superseded(*asked, now=desk.now), DecisionSupersededError)


def test_no_token_leads_to_a_strangers_decisions_any_more(desk: Desk) -> None:
    desk.check_one(desk.a_check())
    desk.check_one(desk.a_check("+12125550124"))
    assert erased(desk).destroyed.decision_aliases == 1
    assert len(desk.connection.execute(sa.select(decision_alias)).all()) == 1
    assert erased(desk).destroyed.decision_aliases == 0


def test_the_certificate_names_the_keys_that_backups_still_need(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event())
    keys, organisation = desk.gate.keys, desk.organisation
    certificate = erased(desk)
    awaited = {(key.kind, key.version) for key in certificate.backups.until_destroyed}
    assert awaited == {("organisation", 20261100), ("standing", 202611)}
    assert not certificate.backups.complete
    assert certificate.backups.statement == LATER
    assert certificate.destroyed.keys == 1
    keys.renew(organisation, KeyKind.ORGANISATION, at=desk.now)
    keys.destroy(organisation, KeyKind.ORGANISATION, [20261100])
    keys.destroy(organisation, KeyKind.STANDING, [202611])
    again = erased(desk)
    assert again.repeated
    assert (again.id, again.index) == (certificate.id, certificate.index)
    assert again.backups.complete
    assert again.backups.statement == COMPLETE


def test_of_a_stranger_no_backup_holds_anything(desk: Desk) -> None:
    certificate = erased(desk)
    assert certificate.subject is None
    assert certificate.backups.complete
    assert certificate.backups.statement == NOTHING_WAS_THERE
    assert certificate.suppressed == 1


def test_the_journal_has_the_erasure_and_says_nothing_openly(desk: Desk, tmp_path: Path) -> None:
    desk.recorder.record_one(ANN, an_event())
    journal = ErasureJournal.of(tmp_path / "keys" / "vault", desk.gate.keys)
    journal.create()
    certificate = erased(desk, journal=journal)
    erased(desk, journal=journal)  # A repeat is no second erasure.
    ((organisation, past),) = journal.read()
    assert organisation == desk.organisation
    assert isinstance(past, PastErasure)
    assert f"evt_{past.event_id.hex()}" == certificate.id
    assert past.at == BY_DAY
    assert [person.hex() for person in past.subjects] == [certificate.subject]
    token = desk.gate.keys.suppression_token(organisation, ANN.normalised)
    content = journal.path.read_bytes()
    for told in (ANN.normalised.encode(), b"asked", token, token.hex().encode()):
        assert told not in content
