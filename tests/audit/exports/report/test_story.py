"""What a report says of a trail: all of it, of nobody else, in words; on screen and on paper."""

from pathlib import Path

import pytest

from audit.exports.report import guide
from consent.erasure import ErasureInput, erase
from consent.events import Disclosure, Evidence
from consent.ledger.identifiers import uuid7
from jurisdictions.addresses import Address, parse_address
from tests.support.bundles import altered, damage, verified
from tests.support.consents import ANN, BOB, DAY, an_event
from tests.support.exports import SHOWN, export_of, live_through, public_keys
from tests.support.gates import Desk
from tests.support.lives import COUNTRIES, WORDS, Lived, packed_words

CAROL = parse_address("+12125550177")


def test_thirty_events_and_every_decision_stand_in_it_with_their_places(lived: Lived) -> None:
    places = [f"{row['leaf']['log']} log, entry {row['index']}" for row in lived.story]
    assert sum("consent log" in place for place in places) == 30
    assert sum("decisions log" in place for place in places) == 20
    for number, place in enumerate(places, 1):
        assert f"UTC — {place} " in " ".join(lived.screen.split())
        assert packed_words(f"UTC—{place}") in lived.paper
        leaf = lived.story[number - 1]["leaf"]
        assert leaf["event_id"] in lived.screen
        assert leaf["event_id"] in lived.paper


def test_evidence_and_words_stand_in_it_as_they_were(lived: Lived) -> None:
    for text in (*COUNTRIES.values(), *WORDS):
        assert text in lived.screen
        assert packed_words(text) in lived.paper
    for country in ("France (FR)", "Germany (DE)", "Japan (JP)", "United States (US)"):
        assert country in lived.screen


def test_each_reason_stands_in_it_with_its_citation(lived: Lived) -> None:
    findings = [
        finding
        for row in lived.story
        for finding in row.get("payload", {}).get("decision", {}).get("findings", ())
    ]
    assert len({finding["code"] for finding in findings}) >= 3
    for finding in findings:
        for said in (finding["provision"]["citation"], f"(code: {finding['code']})"):
            assert said in lived.screen
            assert packed_words(said) in lived.paper


def test_its_verdict_is_that_of_the_verifier(lived: Lived, tmp_path: Path) -> None:
    summary = verified(lived.bundle, tmp_path, *lived.keys)
    assert summary["damage"] == []
    assert guide.GENUINE in lived.screen
    assert packed_words(guide.GENUINE) in lived.paper
    for log in summary["logs"]:
        assert f"{log['entries']}, {log['disclosed']} with what was sealed" in lived.screen
        root = lived.members[f"logs/{log['log']}/checkpoint"].decode().split("\n")[2]
        assert root in lived.screen
        assert packed_words(root) in lived.paper
    for key in summary["keys"]:
        assert key in lived.screen


@pytest.mark.parametrize("name", ["report.pdf", "report.html", "consent-records.jsonld"])
def test_a_changed_byte_in_it_is_found(lived: Lived, tmp_path: Path, name: str) -> None:
    def flip(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    changed = altered(lived.bundle, name, flip)
    assert damage(changed, tmp_path, *lived.keys) == [("changed_file", None, None)]


def test_a_report_of_another_bundle_is_found(lived: Lived, one: Desk, tmp_path: Path) -> None:
    other = export_of(live_through(one), tmp_path, whose=ANN)
    swapped = altered(other, "report.html", lambda _: lived.members["report.html"])
    assert damage(swapped, tmp_path, *public_keys(one)) == [("changed_file", None, None)]


def test_nothing_of_another_person_is_in_it(one: Desk, tmp_path: Path) -> None:
    evidence = Evidence(disclosure=Disclosure(text="shown to Bob only"))
    one.recorder.record_one(BOB, an_event(sender="beta", evidence=evidence))
    told = told_of(live_through(one), tmp_path, ANN)
    for text in (told.screen, told.paper, told.members["consent-records.jsonld"].decode()):
        for of_bob in (BOB.normalised, "example.com", "beta", "shown to Bob", "showntoBob"):
            assert of_bob not in text


def test_of_who_is_not_on_record_it_says_so(one: Desk, tmp_path: Path) -> None:
    told = told_of(live_through(one), tmp_path, CAROL)
    assert told.story == []
    assert guide.NOTHING in told.screen
    assert packed_words(guide.NOTHING) in told.paper
    assert b"<svg" not in told.members["report.html"]
    assert "It can be no address" not in told.screen
    assert guide.GENUINE in told.screen
    assert damage(told.bundle, tmp_path, *told.keys) == []


@pytest.mark.parametrize("written", ["12125550123", "+1212555012", "ann.example.com"])
def test_of_what_can_be_no_address_it_says_so_first(
    one: Desk, tmp_path: Path, written: str
) -> None:
    """Else a slip of the pen reads as proof that nothing is on record."""
    told = told_of(live_through(one), tmp_path, parse_address(written))
    for text in (told.screen, told.members["trail.txt"].decode(), told.paper):
        assert packed_words("It can be no address: ") in packed_words(text)


def test_who_was_erased_is_told_of_and_nothing_that_was_said(one: Desk, tmp_path: Path) -> None:
    later = live_through(one).at(one.now + DAY)
    given = ErasureInput(address=ANN, event_id=uuid7(later.now), why="asked")
    erase(later.connection, later.organisation, given, keys=one.recorder.keys, now=later.now)
    told = told_of(later, tmp_path, ANN)
    for text in (packed_words(told.screen), told.paper):
        assert packed_words("erased on 22 November 2026, 16:00:00 UTC") in text
        assert packed_words("The data was destroyed when the person was erased.") in text
        assert packed_words("consent log, entry 0") in text
        assert packed_words(SHOWN) not in text
        assert packed_words("STOP it") not in text
    assert damage(told.bundle, tmp_path, *told.keys) == []


def told_of(one: Desk, folder: Path, whose: Address) -> Lived:
    return Lived(export_of(one, folder, whose=whose), public_keys(one))
