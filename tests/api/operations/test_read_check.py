"""Reading a decision again: everything that it rested on, for as long as its key is kept."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from api.operations.read_check import read_check
from audit import decisions
from audit.errors import DecisionSealedError, UnknownDecisionError
from audit.tables import decision_alias
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import MalformedIdError
from consent.ledger.identifiers import id_of
from tests.support import gates
from tests.support.consents import ANN, an_event
from tests.support.gates import BY_DAY, TEXT, Desk


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.recorder.record_one(ANN, an_event())
        yield made.at(BY_DAY)


def test_it_says_what_was_decided_and_on_what(desk: Desk) -> None:
    desk.load_registry("us-test", "2026-11-01")
    answer = desk.check_one(desk.a_check(reference="row-12", send_at=BY_DAY))
    read = read_check(desk.connection, desk.organisation, str(answer.id), keys=desk.gate.keys)
    assert (read.id, read.index, read.verdict) == (answer.id, answer.index, answer.verdict)
    assert (read.valid_until, read.decided_at) == (answer.valid_until, answer.decided_at)
    assert (read.reference, read.sender, read.forecast) == ("row-12", "acme", False)
    assert read.release == {"id": answer.release.id, "digest": answer.release.digest}
    assert read.evidence == [{"log": "consent", "index": 0}]
    assert read.read == {"consent": 1}
    assert set(read.versions) == {"engine", "tzdata", "phonenumbers", "holidays"}
    facts = bytes(read.facts)
    assert read.facts_digest == f"sha256:{sha256(facts).hexdigest()}"
    told = msgspec.json.decode(facts)
    assert told["message"]["text"] == TEXT
    assert told["history"][0]["level"] == "express_written"
    assert msgspec.json.encode(read)


def test_reasons_come_with_their_provisions_and_their_words(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check("+13055550123"))
    read = read_check(desk.connection, desk.organisation, str(answer.id), keys=desk.gate.keys)
    (reason,) = read.reasons
    assert (reason["code"], reason["cite"]) == ("consent_missing", "Test Act, s 1")
    assert reason["detail"] == answer.reasons[0].detail


def test_what_is_not_there_is_unknown_and_what_is_no_id_is_none(desk: Desk) -> None:
    keys = desk.gate.keys
    with pytest.raises(UnknownDecisionError):
        read_check(desk.connection, desk.organisation, "chk_" + "0" * 32, keys=keys)
    with pytest.raises(MalformedIdError):
        read_check(desk.connection, desk.organisation, "row-12", keys=keys)
    answer = desk.check_one(desk.a_check())
    with pytest.raises(UnknownDecisionError):
        read_check(desk.connection, "org_other", str(answer.id), keys=keys)


def test_a_consent_event_is_no_decision(desk: Desk) -> None:
    recorded = desk.recorder.record_one(ANN, an_event())
    with pytest.raises(UnknownDecisionError):
        decisions.find(
            desk.connection, desk.organisation, recorded.receipt.event_id, keys=desk.gate.keys
        )


def test_a_destroyed_month_tells_nothing_more_and_the_log_stays(desk: Desk, tmp_path: Path) -> None:
    answer = desk.check_one(desk.a_check())
    id_ = id_of("chk", str(answer.id))
    desk.gate.keys._keys.change(
        lambda keys: {name: key for name, key in keys.items() if name.kind != "decision"}
    )
    without = KeyRing.open(tmp_path / "keys")
    with pytest.raises(DecisionSealedError):
        decisions.find(desk.connection, desk.organisation, id_, keys=without)
    entry = decisions.find(desk.connection, desk.organisation, id_, keys=desk.gate.keys).entry
    assert entry.index == answer.index


def test_a_stranger_has_one_token_a_month(desk: Desk) -> None:
    for days in (0, 1, 30):
        later = desk.at(BY_DAY + timedelta(days=days))
        later.check_one(later.a_check("+13055550123"))
    columns = decision_alias.c.key_version, decision_alias.c.token
    rows = desk.connection.execute(sa.select(*columns).order_by(decision_alias.c.decision)).all()
    assert [version for version, _ in rows] == [202611, 202611, 202612]
    assert rows[0].token == rows[1].token
    assert rows[1].token != rows[2].token


def test_without_its_alias_a_stranger_s_decision_is_nobody_s(desk: Desk) -> None:
    answer = desk.check_one(desk.a_check("+13055550123"))
    desk.connection.execute(sa.delete(decision_alias))
    found = decisions.find(
        desk.connection, desk.organisation, id_of("chk", str(answer.id)), keys=desk.gate.keys
    )
    assert (found.subject, found.blind_index) == (None, None)
