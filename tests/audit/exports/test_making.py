"""What an export holds, of whom, and that its verifier finds it genuine; on both databases."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audit.jobs import ScopeKind
from consent.erasure import ErasureInput, erase
from consent.ledger.identifiers import uuid7
from jurisdictions.addresses import parse_address
from tests.support.bundles import damage, members_of, verified
from tests.support.consents import ANN, BOB, DAY, an_event
from tests.support.exports import SHOWN, export_of, live_through, public_keys
from tests.support.gates import BY_DAY, Desk, desk

CAROL = parse_address("+12125550177")


@pytest.fixture
def one(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with desk(engine, tmp_path) as made:
        yield live_through(made.at(BY_DAY))


def story(bundle: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in members_of(bundle)["trail.jsonl"].splitlines()]


def rows(bundle: bytes) -> list[dict[str, str]]:
    text = members_of(bundle)["trail.csv"].decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_persons_trail_is_whole_and_genuine(one: Desk, tmp_path: Path) -> None:
    bundle = export_of(one, tmp_path, whose=ANN)
    summary = verified(bundle, tmp_path, *public_keys(one))
    assert summary["damage"] == []
    assert [(log["log"], log["scope"], log["end_is_proved"]) for log in summary["logs"]] == [
        ("consent", "trail", True),
        ("decisions", "trail", True),
    ]
    told = [(row["leaf"]["log"], row["index"], row["leaf"]["type"]) for row in story(bundle)]
    assert told == [
        ("decisions", 0, "check"),
        ("consent", 0, "grant"),
        ("decisions", 1, "check"),
        ("consent", 2, "revoke"),
        ("decisions", 3, "check"),
    ]
    assert [row["verdict"] for row in rows(bundle)] == ["deny", "", "allow", "", "deny"]


def test_the_spreadsheet_names_what_it_rests_on_and_runs_nothing(one: Desk, tmp_path: Path) -> None:
    first, grant, _, stop, last = rows(export_of(one, tmp_path, whose=ANN))
    assert (grant["disclosure_text"], grant["method"]) == (SHOWN, "web_form")
    assert (grant["address"], grant["level"]) == ("'+12125550123", "express_written")
    assert stop["text"] == "'=STOP it, “you”"
    assert (first["reasons"], first["provisions"]) == ("consent_missing", "US: Test Act, s 1")
    assert last["reasons"].startswith("consent_revoked")
    assert grant["index"] == "0"
    assert first["release"].startswith("sha256:")


def test_the_text_can_be_read_without_training(one: Desk, tmp_path: Path) -> None:
    text = members_of(export_of(one, tmp_path, whose=ANN))["trail.txt"].decode()
    assert "Under the address +12125550123." in text
    assert "5 entries" in text
    assert (
        "Consent was given expressly and in writing by sms for marketing concerning acme." in text
    )
    assert SHOWN in text
    assert "Their words: “=STOP it, “you””" in text
    assert "It was not allowed." in text
    assert "(Test Act, s 1, US)" in text


def test_nothing_of_another_person_is_in_any_byte(one: Desk, tmp_path: Path) -> None:
    later = one.at(one.now + DAY)
    whole = export_of(later, tmp_path)
    ours = {row["leaf"]["subject"] for row in story(export_of(later, tmp_path, whose=ANN))}
    others = {row["leaf"]["subject"] for row in story(whole)} - ours
    assert len(others) == 1
    everything = b"".join(members_of(export_of(later, tmp_path, whose=ANN)).values())
    assert ANN.normalised.encode() in everything
    # Of who stands beside a person in the index only the head is told; here both stand alone.
    for of_bob in (BOB.normalised, "example.com", "beta"):
        assert of_bob.encode() not in everything


def test_who_was_erased_leaves_that_they_were(one: Desk, tmp_path: Path) -> None:
    later = one.at(one.now + DAY)
    given = ErasureInput(address=ANN, event_id=uuid7(later.now), why="asked")
    erase(later.connection, later.organisation, given, keys=one.recorder.keys, now=later.now)
    bundle = export_of(later, tmp_path, whose=ANN)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    told = story(bundle)
    assert [row["leaf"]["type"] for row in told if row["leaf"]["log"] == "consent"] == [
        "grant",
        "revoke",
        "erase",
    ]
    assert {row.get("withheld") for row in told if row["leaf"]["subject"]} == {
        "erased",
        "confidential",
    }
    everything = b"".join(members_of(bundle).values())
    assert SHOWN.encode() not in everything
    assert b"STOP it" not in everything
    assert "erased on 2026-11-22" in members_of(bundle)["trail.txt"].decode()


def test_of_who_is_not_on_record_there_is_an_honest_nothing(one: Desk, tmp_path: Path) -> None:
    bundle = export_of(one, tmp_path, whose=CAROL)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    assert story(bundle) == rows(bundle) == []
    assert "Nobody is on record under it." in members_of(bundle)["README.txt"].decode()
    assert CAROL.normalised in members_of(bundle)["README.txt"].decode()
    assert "Nothing is on record." in members_of(bundle)["trail.txt"].decode()
    sizes = [log["size"] for log in verified(bundle, tmp_path)["logs"]]
    assert sizes == [4, 5]


def test_who_has_no_decisions_is_proved_to_have_none(one: Desk, tmp_path: Path) -> None:
    one.recorder.record_one(CAROL, an_event())
    bundle = export_of(one, tmp_path, whose=CAROL)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    (absent,) = members_of(bundle)["logs/decisions/heads.jsonl"].splitlines()
    assert json.loads(absent)["absent"] == story(bundle)[0]["leaf"]["subject"]


def test_a_period_holds_what_was_recorded_in_it(one: Desk, tmp_path: Path) -> None:
    minute = (one.now - BY_DAY) / 4
    since, until = BY_DAY + minute, BY_DAY + 3 * minute
    bundle = export_of(one, tmp_path, since=since, until=until)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    assert [(row["leaf"]["log"], row["index"]) for row in story(bundle)] == [
        ("consent", 0),
        ("consent", 1),
        ("decisions", 1),
        ("decisions", 2),
    ]
    assert all(log["period_is_proved"] for log in verified(bundle, tmp_path)["logs"])
    # Those beside it prove that it is whole, and nothing of what they say is told.
    withheld = [
        json.loads(row) for row in members_of(bundle)["disclosed/consent.jsonl"].splitlines()
    ]
    assert [row.get("withheld") for row in withheld] == [None, None, "not_asked"]


def test_a_period_beyond_the_log_is_empty_and_says_how_long_the_log_is(
    one: Desk, tmp_path: Path
) -> None:
    bundle = export_of(one, tmp_path, since=one.now + DAY)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    assert story(bundle) == []
    assert "entries 2 until 4 of 4" in members_of(bundle)["README.txt"].decode()
    assert all(log["period_is_proved"] for log in verified(bundle, tmp_path)["logs"])


def test_a_senders_story_withholds_what_concerns_another(one: Desk, tmp_path: Path) -> None:
    bundle = export_of(one, tmp_path, scope=ScopeKind.SENDER, sender="beta")
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    told = [(row["leaf"]["log"], row["index"], row["leaf"]["type"]) for row in story(bundle)]
    # The opt-out names nobody, so it concerns this sender as well.
    assert told == [("consent", 1, "grant"), ("decisions", 2, "check"), ("consent", 2, "revoke")]
    assert SHOWN.encode() not in b"".join(members_of(bundle).values())
    assert b"not_asked" in members_of(bundle)["disclosed/consent.jsonl"]


def test_what_is_erased_between_two_handfuls_is_in_none_of_the_files(
    one: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.exports.telling.AT_ONCE", 2)

    def erase_ann(done: int) -> None:
        if done == 2:
            given = ErasureInput(address=ANN, event_id=uuid7(one.now))
            erase(one.connection, one.organisation, given, keys=one.recorder.keys, now=one.now)

    bundle = export_of(one, tmp_path, step=erase_ann)
    assert damage(bundle, tmp_path, *public_keys(one)) == []
    assert b"STOP it" not in b"".join(members_of(bundle).values())


def test_the_spool_goes_with_what_it_was_for(one: Desk, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(_: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        export_of(one, tmp_path, whose=ANN, step=stop)
    assert not (tmp_path / "spool").exists()
