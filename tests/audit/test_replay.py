"""Deciding again: byte for byte the same, or it says what differs and what that changed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import versions
from api.operations.erase_subject import EraseSubjects, ErasureRequest
from api.operations.report_sending import ReportSending, SendingReport
from audit import decisions
from audit.errors import SubjectErasedError
from audit.replay import Cause, Replay, Replayed
from audit.reports import Outcome
from audit.rested_on import HistoryProof, RegistryProof
from audit.tables import decision_alias
from consent import linking, standing, suppression, tables
from consent.events import RecordedKind
from consent.keys.sealing import KeyKind
from consent.ledger.identifiers import id_of
from consent.ledger.tables import log_entry
from consent.senders import SenderRecord, put
from consent.standing import KeptEvent, Standing
from jurisdictions.addresses import Address, parse_address
from jurisdictions.releases import Release
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Level, Purpose, Quality, Verdict
from tests.support import gates
from tests.support.consents import ANN, BOB, NOW, an_event
from tests.support.gates import BY_DAY, LAW, RELEASE, Desk, a_release

EVE = "+13055550123"


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.recorder.record_one(ANN, an_event())
        yield made.at(BY_DAY)


def replay_all(
    desk: Desk,
    *answers: CheckAnswer,
    release: Release = RELEASE,
    kept: Mapping[str, Release] | None = None,
    version: Mapping[str, str] | None = None,
    addresses: Sequence[Address] = (),
) -> list[Replayed | ComplianceError]:
    ids = [id_of("chk", str(answer.id)) for answer in answers]
    found = decisions.find_many(desk.connection, desk.organisation, ids, keys=desk.gate.keys)
    recorded = [found[id_] for id_ in ids]
    again = Replay(
        desk.connection,
        desk.organisation,
        keys=desk.gate.keys,
        registries=desk.gate.registries,
        releases=kept or {release.digest: release},
        present=release,
        versions=version or versions(),
    )
    assert all(isinstance(one, decisions.RecordedDecision) for one in recorded), recorded
    given = dict(zip(ids, addresses, strict=False))
    return again.run(recorded, given)  # type: ignore[arg-type]


def replayed(desk: Desk, answer: CheckAnswer, **given: Any) -> Replayed:
    (again,) = replay_all(desk, answer, **given)
    assert isinstance(again, Replayed), again
    return again


def assert_same(again: Replayed | ComplianceError) -> None:
    assert isinstance(again, Replayed), again
    assert (again.same, again.differed, again.proof.discrepancies) == (True, (), ())
    assert again.before == again.after


def causes(again: Replayed) -> set[Cause]:
    return {one.what for one in again.differed}


def test_an_allow_a_defer_and_a_deny_come_to_the_same(desk: Desk) -> None:
    at_night = desk.at(NOW - timedelta(hours=3))
    answers = [
        at_night.check_one(desk.a_check()),
        desk.check_one(desk.a_check()),
        desk.check_one(desk.a_check("bob@example.com", region="US-NY", channel=Channel.EMAIL)),
    ]
    assert [answer.verdict for answer in answers] == [Verdict.DEFER, Verdict.ALLOW, Verdict.DENY]
    for again in replay_all(desk, *answers):
        assert_same(again)


def test_what_came_after_the_decision_does_not_count(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check())
    desk.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, at=NOW, sender=None))
    later = desk.check_one(desk.a_check())
    assert (answer.verdict, later.verdict) == (Verdict.ALLOW, Verdict.DENY)
    again, again_later = replay_all(desk, answer, later)
    assert_same(again)
    assert_same(again_later)
    assert isinstance(again, Replayed)
    assert again.proof.history is HistoryProof.COMPLETE


def test_every_kind_of_event_is_worked_out_as_it_was_read(desk: Desk) -> None:
    hour = timedelta(hours=1)
    given = [
        an_event(
            at=NOW - hour,
            qualities=frozenset({Quality.DOUBLE_OPT_IN}),
            expires_at=(NOW + 9 * hour).astimezone(BY_DAY.tzinfo),
        ),
        an_event(RecordedKind.CONFIRM, at=NOW - hour),
        an_event(RecordedKind.CONTRACT, at=NOW - 5 * hour, ends_at=NOW + hour),
        an_event(RecordedKind.SENT, at=NOW - timedelta(days=500)),
        an_event(RecordedKind.SENT, at=NOW - hour, channel=Channel.SMS, sender="beta"),
        an_event(RecordedKind.COMPLAINT, at=NOW - 2 * hour, channel=Channel.VOICE),
        an_event(RecordedKind.REVOKE, at=NOW - 9 * hour, sender="beta", brand="Gamma"),
        an_event(RecordedKind.HOLD, at=NOW - hour, channel=Channel.SMS, text="stop by tomorrow?"),
    ]
    for event in given:
        held = desk.recorder.record_one(ANN, event)
    doubted = desk.check_one(desk.a_check())
    assert "under_review" in {reason.code for reason in doubted.reasons}
    assert_same(replayed(desk, doubted))
    release = an_event(RecordedKind.RELEASE, at=NOW, answers=held.receipt.index)
    desk.recorder.record_one(ANN, release)
    assert_same(replayed(desk, desk.check_one(desk.a_check())))


def test_instants_given_on_other_clocks_are_the_same_instants(desk: Desk) -> None:
    eastern = timezone(-timedelta(hours=5))
    desk.recorder.record_one(ANN, an_event(at=(NOW - timedelta(hours=2)).astimezone(eastern)))
    assert_same(replayed(desk, desk.check_one(desk.a_check(send_at=BY_DAY.astimezone(eastern)))))


def test_places_held_are_found_in_the_decisions_before(desk: Desk) -> None:
    first = desk.check_one(desk.a_check())
    both = desk.at(BY_DAY + timedelta(minutes=1)).check(desk.a_check(), desk.a_check(sender="beta"))
    third = desk.at(BY_DAY + timedelta(minutes=2)).check_one(desk.a_check())
    assert third.verdict is Verdict.DEFER
    answers = [one for one in both if isinstance(one, CheckAnswer)]
    for again in replay_all(desk, first, *answers, third):
        assert_same(again)


def test_a_place_that_was_reported_is_an_event_or_nothing(desk: Desk) -> None:
    sent, not_sent = desk.check_one(desk.a_check()), desk.check_one(desk.a_check())
    for answer, outcome in ((sent, Outcome.SENT), (not_sent, Outcome.NOT_SENT)):
        report = SendingReport(
            organisation=desk.organisation,
            actor="key_1",
            decision=id_of("chk", str(answer.id)),
            outcome=outcome,
        )
        work = ReportSending(desk.gate.keys, release=RELEASE.digest)
        work.run_many(desk.connection, [report], now=BY_DAY + timedelta(seconds=5))
    after = desk.at(BY_DAY + timedelta(minutes=1)).check_one(desk.a_check())
    for again in replay_all(desk, sent, not_sent, after):
        assert_same(again)


def test_a_stranger_s_decision_is_made_again_before_and_after_they_are_known(desk: Desk) -> None:
    voice = {"channel": Channel.VOICE}
    answer = desk.check_one(desk.a_check(EVE, **voice))
    again = replayed(desk, answer)
    assert_same(again)
    assert again.proof.history is HistoryProof.NAMED
    desk.recorder.record_one(parse_address(EVE), an_event())
    again = replayed(desk, answer)
    assert_same(again)
    assert again.proof.history is HistoryProof.COMPLETE


def test_a_stranger_s_decision_is_made_again_whole_by_who_knows_the_address(desk: Desk) -> None:
    eve, voice = parse_address(EVE), {"channel": Channel.VOICE}
    desk.load_registry("us-test", "2026-11-01", f"{EVE},true\n")
    before = desk.check_one(desk.a_check(EVE, **voice))
    _erase(desk, eve)
    after = desk.at(BY_DAY + timedelta(hours=1)).check_one(desk.a_check(EVE, **voice))
    again = replayed(desk, after, addresses=[eve])
    assert_same(again)
    assert again.proof.history is HistoryProof.COMPLETE
    assert again.proof.registries == {"us-test": RegistryProof.ASKED_AGAIN}
    (gone,) = replay_all(desk, before, addresses=[eve])
    assert isinstance(gone, SubjectErasedError)


def test_a_stop_that_a_stranger_s_decision_leaves_out_is_missed(desk: Desk) -> None:
    """The decision is held against the suppression of the address, not against itself."""
    eve = parse_address(EVE)
    answer = desk.check_one(desk.a_check(EVE))
    token = suppression.every_token_of(desk.organisation, [eve], keys=desk.gate.keys)[0]
    early = KeptEvent(index=0, event=RecordedKind.REVOKE, at=BY_DAY - timedelta(days=1))
    row = suppression.row_of(desk.organisation, token, 1, early)
    desk.connection.execute(sa.insert(tables.suppression), row)
    (again,) = replay_all(desk, answer, addresses=[eve])
    assert isinstance(again, Replayed)
    assert [one.what for one in again.proof.discrepancies] == ["event"]


def test_an_address_that_the_decision_was_not_about_proves_nothing(desk: Desk) -> None:
    again = replayed(desk, desk.check_one(desk.a_check(EVE)), addresses=[BOB])
    assert_same(again)
    assert again.proof.history is HistoryProof.NAMED


def test_a_register_is_asked_again_by_the_copy_of_then(desk: Desk) -> None:
    voice = {"channel": Channel.VOICE}
    desk.load_registry("us-test", "2026-11-01", f"{ANN.normalised},true\n")
    listed = desk.check_one(desk.a_check(**voice))
    desk.load_registry("us-test", "2026-11-20")
    clear = desk.check_one(desk.a_check(**voice))
    assert (listed.verdict, clear.verdict) == (Verdict.DENY, Verdict.ALLOW)
    for again in replay_all(desk, listed, clear):
        assert_same(again)
        assert isinstance(again, Replayed)
        assert again.proof.registries == {"us-test": RegistryProof.ASKED_AGAIN}


def test_a_copy_that_is_gone_is_said_to_be(desk: Desk, tmp_path: Path) -> None:
    voice = {"channel": Channel.VOICE}
    desk.load_registry("us-test", "2026-11-01", f"{ANN.normalised},true\n")
    answer = desk.check_one(desk.a_check(**voice))
    desk.load_registry("us-test", "2026-11-20")
    desk.check_one(desk.a_check(**voice))
    for path in (tmp_path / "registries").rglob("us-test-2026-11-01-*"):
        path.unlink()
    again = replayed(desk, answer)
    assert_same(again)
    assert again.proof.registries == {"us-test": RegistryProof.COPY_GONE}


def test_another_law_is_named_with_what_it_changes(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check())
    separate = "grant: express_written, qualities: [separate]"
    stricter = a_release(LAW.replace("grant: express_written", separate))
    again = replayed(desk, answer, release=stricter)
    assert not again.same
    assert causes(again) == {Cause.RELEASE}
    (release,) = again.differed
    assert (release.then, release.now) == (RELEASE.digest, stricter.digest)
    assert (again.before.verdict, again.after.verdict) == (Verdict.ALLOW, Verdict.DENY)
    assert [one.code for one in again.changed.reasons_added] == ["consent_insufficient"]
    assert not again.changed.reasons_removed
    assert [one.code for one in again.changed.obligations_removed] == ["honour_opt_out_within"]
    kept = {one.digest: one for one in (RELEASE, stricter)}
    assert_same(replayed(desk, answer, release=stricter, kept=kept))


@pytest.mark.parametrize("name", sorted(versions()))
def test_another_version_is_named_and_changes_nothing_by_itself(desk: Desk, name: str) -> None:
    answer = desk.check_one(desk.a_check())
    again = replayed(desk, answer, version=versions() | {name: "another"})
    assert not again.same
    (differed,) = again.differed
    assert (differed.what, differed.then, differed.now) == (name, versions()[name], "another")
    assert again.before.verdict is again.after.verdict
    assert again.changed == type(again.changed)()


def test_an_erased_person_s_decision_is_gone_and_a_stranger_s_too(desk: Desk) -> None:
    answers = [desk.check_one(desk.a_check()), desk.check_one(desk.a_check(EVE))]
    for address in (ANN, parse_address(EVE)):
        _erase(desk, address)
    for again in replay_all(desk, *answers):
        assert isinstance(again, SubjectErasedError)
    after = desk.at(BY_DAY + timedelta(hours=1)).check_one(desk.a_check())
    assert {reason.code for reason in after.reasons} == {"erased"}
    again = replayed(desk, after)
    assert_same(again)
    assert again.proof.history is HistoryProof.NAMED


def test_who_came_back_after_an_erasure_is_replayed_whole(desk: Desk) -> None:
    _erase(desk, ANN)
    later = desk.at(BY_DAY + timedelta(hours=1))
    later.recorder.record_one(ANN, an_event(at=BY_DAY + timedelta(minutes=30)))
    answer = later.check_one(later.a_check())
    assert answer.verdict is Verdict.ALLOW
    again = replayed(later, answer)
    assert_same(again)
    assert again.proof.history is HistoryProof.COMPLETE


def test_a_decision_on_a_standing_that_was_forged_is_found_out(desk: Desk) -> None:
    """What opens is trusted at the check; the log says later that nobody ever granted it."""
    desk.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, at=NOW, channel=Channel.VOICE))
    honest = desk.check_one(desk.a_check(channel=Channel.EMAIL, text=None))
    row = desk.connection.execute(sa.select(tables.standing)).one()
    forged = Standing((KeptEvent(9, RecordedKind.PURCHASE, NOW, "acme"),), NOW)
    key = desk.gate.keys.sealing_key(desk.organisation, KeyKind.STANDING, at=NOW)
    *_, sealed = standing.seal_row(key, desk.organisation, row.subject, row.head_seq, forged)
    desk.connection.execute(sa.update(tables.standing).values(sealed_history=sealed))
    answer = desk.check_one(desk.a_check())
    assert_same(replayed(desk, honest))
    again = replayed(desk, answer)
    assert causes(again) == {Cause.HISTORY}
    assert {one.index for one in again.proof.discrepancies} == {0, 9}
    assert (again.before.verdict, again.after.verdict) == (Verdict.DENY, Verdict.ALLOW)


def test_an_entry_taken_out_of_the_log_shows(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event(RecordedKind.PURCHASE))
    answer = desk.check_one(desk.a_check())
    _without_guards(desk)
    first = (log_entry.c.log == "consent") & (log_entry.c.idx == 0)
    desk.connection.execute(sa.delete(log_entry).where(first))
    again = replayed(desk, answer)
    assert causes(again) == {Cause.HISTORY}
    assert {one.what for one in again.proof.discrepancies} == {"entry", "event"}
    assert again.after.verdict is Verdict.DENY


def test_a_log_that_was_cut_shows(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check())
    desk.connection.execute(sa.text("UPDATE log_head SET size = 0 WHERE log = 'consent'"))
    again = replayed(desk, answer)
    assert "log_shorter" in {one.what for one in again.proof.discrepancies}


def test_a_sender_that_was_renamed_since_changes_nothing(desk: Desk) -> None:
    desk.recorder.record_one(ANN, an_event(sender="beta", at=NOW))
    for brand in (None, "Acme", "Gamma"):
        revoke = an_event(RecordedKind.REVOKE, at=NOW, sender="beta", brand=brand)
        desk.recorder.record_one(ANN, msgspec.structs.replace(revoke, channel=Channel.VOICE))
    answers = [desk.check_one(desk.a_check())]
    for number in range(2):
        for id_ in ("acme", "beta"):
            renamed = SenderRecord(id=id_, name=f"Renamed {id_} {number}", country="CA")
            put(desk.connection, desk.organisation, renamed, now=BY_DAY)
        answers.append(desk.check_one(desk.a_check()))
    for again in replay_all(desk, *answers):
        assert_same(again)


def link(desk: Desk, *addresses: Address, parted: bool = False) -> None:
    given = linking.LinkInput(addresses=addresses, actor="key_1")
    act = linking.unlink if parted else linking.link
    act(desk.connection, desk.organisation, given, keys=desk.gate.keys, now=desk.now)


def test_what_was_said_at_a_linked_address_counts_as_it_did_then(desk: Desk) -> None:
    """Before they were linked, while they were, and after: each time what the log then said."""
    eve = parse_address(EVE)
    desk.recorder.record_one(eve, an_event(RecordedKind.REVOKE, at=NOW, channel=Channel.VOICE))
    answers = [desk.check_one(desk.a_check(EVE)), desk.check_one(desk.a_check())]
    link(desk.at(BY_DAY + timedelta(minutes=1)), ANN, eve)
    together = desk.at(BY_DAY + timedelta(minutes=2)).check(desk.a_check(EVE), desk.a_check())
    answers += [one for one in together if isinstance(one, CheckAnswer)]
    stop = an_event(RecordedKind.REVOKE, at=BY_DAY, sender=None)
    desk.at(BY_DAY + timedelta(minutes=3)).recorder.record_one(eve, stop)
    answers.append(desk.at(BY_DAY + timedelta(minutes=4)).check_one(desk.a_check()))
    link(desk.at(BY_DAY + timedelta(minutes=5)), eve, parted=True)
    apart = desk.at(BY_DAY + timedelta(minutes=6))
    answers += [apart.check_one(desk.a_check(EVE)), apart.check_one(desk.a_check())]
    assert answers[4].verdict is Verdict.DENY
    for again in replay_all(desk, *answers):
        assert_same(again)
        assert isinstance(again, Replayed)
        assert again.proof.history is HistoryProof.COMPLETE


def test_a_decision_that_rested_on_somebody_erased_since_is_gone(desk: Desk) -> None:
    eve = parse_address(EVE)
    desk.recorder.record_one(eve, an_event(at=NOW))
    link(desk, ANN, eve)
    answer = desk.at(BY_DAY + timedelta(minutes=1)).check_one(desk.a_check())
    link(desk.at(BY_DAY + timedelta(minutes=2)), eve, parted=True)
    _erase(desk.at(BY_DAY + timedelta(minutes=3)), eve)
    later = desk.at(BY_DAY + timedelta(minutes=4)).check_one(desk.a_check())
    gone, kept = replay_all(desk, answer, later)
    assert isinstance(gone, SubjectErasedError)
    assert_same(kept)


def test_people_of_a_batch_do_not_hold_places_for_each_other(desk: Desk) -> None:
    others = [f"+1212555010{digit}" for digit in range(5)]
    for other in others:
        desk.recorder.record_one(parse_address(other), an_event())
    answers = [desk.check_one(desk.a_check(other)) for other in others]
    for again in replay_all(desk, *answers):
        assert_same(again)


def test_a_stranger_whose_alias_is_gone_is_nobody_s(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check(EVE))
    desk.connection.execute(sa.delete(decision_alias))
    (again,) = replay_all(desk, answer)
    assert isinstance(again, SubjectErasedError)


def test_mail_is_replayed_like_a_message(desk: Desk) -> None:
    grant = an_event(channel=Channel.EMAIL, purpose=Purpose.MARKETING, level=Level.EXPRESS_WRITTEN)
    desk.recorder.record_one(BOB, grant)
    asked = desk.a_check(
        "bob@example.com", channel=Channel.EMAIL, region="US-NY", sender_id="news@example.com"
    )
    assert_same(replayed(desk, desk.check_one(asked)))


def test_every_version_that_decides_can_be_named() -> None:
    assert set(versions()) <= set(Cause)


def _erase(desk: Desk, address: Address) -> None:
    wanted = ErasureRequest(
        organisation=desk.organisation, actor="key_1", address=address, why="asked"
    )
    EraseSubjects(desk.gate.keys, None).run_many(desk.connection, [wanted], now=BY_DAY)


def _without_guards(desk: Desk) -> None:
    connection = desk.connection
    if connection.dialect.name == "sqlite":
        names = connection.execute(
            sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).scalars()
        for name in list(names):
            connection.execute(sa.text(f'DROP TRIGGER "{name}"'))
    else:
        connection.execute(sa.text("ALTER TABLE log_entry DISABLE TRIGGER ALL"))
