"""What an operator could leave out of a bundle that it signs itself: the verifier says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit import verify
from audit.exports.parts import LogRange, Trail
from consent import linking
from consent.events import RecordedKind
from consent.ledger import subject_index
from consent.ledger.leaf import Log
from consent.linking import LinkInput
from jurisdictions.addresses import parse_address
from tests.support.bundles import Ledger, damage, members_of, packed, sign, signed_anew, verified
from tests.support.consents import ANN, DAY, NOW, an_event

MAIL = parse_address("ann@example.net")
DISCLOSED = "disclosed/consent.jsonl"


def signed_by_operator(
    bundle: bytes, ledger: Ledger, name: str, change: Callable[[Any], Any]
) -> bytes:
    """The same bundle with one file of lines changed, and signed anew."""
    one = ledger.recorder
    secret = one.keys.log_key(one.organisation, Log.CONSENT)
    members = members_of(bundle)
    rows = [change(json.loads(row)) for row in members[name].splitlines()]
    members[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return signed_anew(packed(members), secret, ledger.keys())


def linked(ledger: Ledger) -> bytes:
    """Ann is given a second address; the id of that."""
    one = ledger.recorder
    given = LinkInput(addresses=(ANN, MAIL))
    told = linking.link(one.connection, one.organisation, given, keys=one.keys, now=one.now)
    second = told.members[1].subject
    assert second is not None
    return second


def test_an_address_of_the_person_that_was_left_out_is_missed(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The link itself names who else the person is."""
    second = linked(ledger)
    assert damage(ledger.bundle(ledger.trail(ledger.ann, second)), tmp_path, ledger.keys()) == []
    part = ledger.bundle(ledger.trail(ledger.ann))
    assert [kind for kind, *_ in damage(part, tmp_path, ledger.keys())] == ["missing_person"]
    assert second.hex() in verified(part, tmp_path)["damage"][0]["detail"]


def test_who_was_parted_since_is_not_missed(ledger: Ledger, tmp_path: Path) -> None:
    linked(ledger)
    one = ledger.recorder
    given = LinkInput(addresses=(MAIL,))
    linking.unlink(one.connection, one.organisation, given, keys=one.keys, now=one.now)
    assert damage(ledger.bundle(ledger.trail(ledger.ann)), tmp_path, ledger.keys()) == []


def test_the_logs_of_a_bundle_tell_of_the_same_persons(ledger: Ledger, tmp_path: Path) -> None:
    one = ledger.recorder
    consent = ledger.trail(ledger.ann)
    for people, named in (((ledger.ann,), []), ((), ["missing_person"])):
        index = subject_index.compute(
            one.connection, one.organisation, Log.DECISIONS, wanted=people
        )
        stated = subject_index.append(one.connection, one.organisation, index, recorded_at=one.now)
        sign(one, Log.DECISIONS, at=one.now)
        decisions = Trail(Log.DECISIONS, people, index, stated.index)
        found = damage(ledger.bundle(consent, decisions), tmp_path)
        assert [kind for kind, *_ in found] == named


def test_how_far_the_end_of_a_trail_is_proved_is_said(ledger: Ledger, tmp_path: Path) -> None:
    """An old index would else let everything since it be left out."""
    old = ledger.trail(ledger.ann)
    (log,) = verified(ledger.bundle(old), tmp_path, ledger.keys())["logs"]
    assert (log["end_is_proved"], log["proved_until"], log["size"]) == (True, 16, 17)
    later = ledger.recorder
    later.record_one(ANN, an_event(RecordedKind.REVOKE))
    sign(later, Log.CONSENT, at=later.now)
    summary = verified(ledger.bundle(old), tmp_path, ledger.keys())
    (log,) = summary["logs"]
    assert (summary["verdict"], log["proved_until"], log["size"]) == ("genuine", 16, 18)
    assert log["proved_at"] == later.now.isoformat().replace("+00:00", "Z")
    said = verify.report_of(summary)
    assert f"as of {log['proved_at']}, when the log had 16 entries" in said


def test_an_index_that_the_bundle_does_not_go_by_proves_no_end(
    ledger: Ledger, tmp_path: Path
) -> None:
    one = ledger.recorder
    members = members_of(ledger.bundle(ledger.trail(ledger.ann)))
    format_, said = members["manifest"].decode().split("\n\n")[0].split("\n")
    manifest = json.loads(said)
    assert manifest["logs"][0]["index"] == 16
    manifest["logs"][0]["index"] = None
    for told in (members, manifest["files"]):
        del told["logs/consent/heads.jsonl"]
    members["manifest"] = f"{format_}\n{json.dumps(manifest)}\n\n".encode()
    secret = one.keys.log_key(one.organisation, Log.CONSENT)
    again = signed_anew(packed(members), secret, ledger.keys())
    summary = verified(again, tmp_path, ledger.keys())
    assert (summary["damage"], summary["logs"][0]["end_is_proved"]) == ([], False)
    assert "not proved: that this trail has no later entries" in verify.report_of(summary)


def asked(ledger: Ledger, tmp_path: Path, start: int, end: int, **period: str) -> dict[str, Any]:
    """What is said of a range that is given out for what was recorded in a period."""
    said = {"scope": "period", "sender": None, "from": None, "to": None} | period
    bundle = ledger.bundle(LogRange(Log.CONSENT, start, end), asked=said)
    summary = verified(bundle, tmp_path, ledger.keys())
    assert {one["kind"] for one in summary["damage"]} <= {"missing_file", "changed_story"}
    return summary


def test_a_period_is_proved_by_who_stands_beside_it(ledger: Ledger, tmp_path: Path) -> None:
    """Four entries were recorded three days ago, four two days ago, eight yesterday."""
    day = {"from": (NOW - 2 * DAY).isoformat(), "to": (NOW - DAY).isoformat()}
    for start, end, is_proved in ((3, 9, True), (4, 9, False), (3, 8, False), (5, 7, False)):
        summary = asked(ledger, tmp_path, start, end, **day)
        assert summary["logs"][0]["period_is_proved"] is is_proved
        said = "not proved: that nothing else was recorded in the period"
        report = verify.report_of(summary)
        assert (said in report) is not is_proved
        assert f"asked for: everything, recorded from {day['from']} until {day['to']}" in report
    since = {"from": day["from"]}
    assert asked(ledger, tmp_path, 3, 16, **since)["logs"][0]["period_is_proved"]
    until = {"to": day["to"]}
    assert asked(ledger, tmp_path, 0, 9, **until)["logs"][0]["period_is_proved"]
    assert not asked(ledger, tmp_path, 1, 9, **until)["logs"][0]["period_is_proved"]


def test_an_open_period_reaches_to_the_end_of_the_log(ledger: Ledger, tmp_path: Path) -> None:
    since = {"from": (NOW - 9 * DAY).isoformat()}
    for end, is_proved in ((0, False), (2, False), (15, False), (16, True)):
        (log,) = asked(ledger, tmp_path, 0, end, **since)["logs"]
        assert (log["size"], log["period_is_proved"]) == (16, is_proved)


def test_of_nobody_no_end_is_proved(ledger: Ledger, tmp_path: Path) -> None:
    (log,) = verified(ledger.bundle(ledger.trail()), tmp_path, ledger.keys())["logs"]
    assert log["end_is_proved"] is False


def test_what_is_withheld_as_erased_needs_an_erasure(ledger: Ledger, tmp_path: Path) -> None:
    def hide(row: dict[str, Any]) -> dict[str, Any]:
        return {"index": 4, "withheld": "erased"} if row["index"] == 4 else row

    bundle = ledger.bundle(ledger.trail(ledger.ann))
    again = signed_by_operator(bundle, ledger, DISCLOSED, hide)
    assert damage(again, tmp_path, ledger.keys()) == [("unfounded", "consent", 4)]


@pytest.mark.parametrize("why", ["not_asked", "secret"])
def test_of_a_trail_nothing_is_withheld_for_another_reason(
    ledger: Ledger, tmp_path: Path, why: str
) -> None:
    def hide(row: dict[str, Any]) -> dict[str, Any]:
        return {"index": 4, "withheld": why} if row["index"] == 4 else row

    bundle = ledger.bundle(ledger.trail(ledger.ann))
    again = signed_by_operator(bundle, ledger, DISCLOSED, hide)
    assert damage(again, tmp_path, ledger.keys()) == [("unfounded", "consent", 4)]


def test_a_link_is_withheld_for_an_erasure_alone(ledger: Ledger, tmp_path: Path) -> None:
    """Who else the person is would go with it."""
    linked(ledger)
    bundle = ledger.bundle(ledger.trail(ledger.ann))
    rows = map(json.loads, members_of(bundle)[DISCLOSED].splitlines())
    (link,) = (row["index"] for row in rows if '"event":"link"' in row.get("payload", ""))

    def hide(row: dict[str, Any]) -> dict[str, Any]:
        return {"index": link, "withheld": "damaged"} if row["index"] == link else row

    again = signed_by_operator(bundle, ledger, DISCLOSED, hide)
    assert damage(again, tmp_path, ledger.keys()) == [("unfounded", "consent", link)]


def test_only_an_erasure_is_confidential(ledger: Ledger, tmp_path: Path) -> None:
    def hide(row: dict[str, Any]) -> dict[str, Any]:
        return {"index": 4, "withheld": "confidential"} if row["index"] == 4 else row

    bundle = ledger.bundle(LogRange(Log.CONSENT, 3, 11, discloses=True))
    again = signed_by_operator(bundle, ledger, DISCLOSED, hide)
    assert damage(again, tmp_path, ledger.keys()) == [("unfounded", "consent", 4)]


def test_what_is_withheld_is_counted_by_its_reason(ledger: Ledger, tmp_path: Path) -> None:
    def hide(row: dict[str, Any]) -> dict[str, Any]:
        return {"index": 4, "withheld": "damaged"} if row["index"] == 4 else row

    bundle = ledger.bundle(ledger.trail(ledger.ann))
    again = signed_by_operator(bundle, ledger, DISCLOSED, hide)
    summary = verified(again, tmp_path, ledger.keys())
    assert summary["logs"][0]["withheld"] == {"damaged": 1}
    assert "1 withheld: 1 damaged" in verify.report_of(summary)


def test_whose_trail_it_is_and_whose_keys_are_believed_is_said(
    ledger: Ledger, tmp_path: Path
) -> None:
    bundle = ledger.bundle(ledger.trail(ledger.ann))
    said = verify.report_of(verified(bundle, tmp_path))
    assert "asked for" not in said, "the manifest does not say"
    assert said.startswith("GENUINE by the keys that came with it  bundle.zip\n")
    assert f"person {ledger.ann.hex()}" in said
    given = verify.report_of(verified(bundle, tmp_path, ledger.keys()))
    assert given.startswith("GENUINE  bundle.zip\n")
