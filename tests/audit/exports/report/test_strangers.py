"""Where a report quotes words that may name somebody else, its first page says so."""

from pathlib import Path

import pytest

from audit.exports.report.strangers import may_name_others
from consent.events import Disclosure, Evidence, RecordedKind
from rules.vocabulary import Via
from tests.support.consents import ANN, an_event
from tests.support.exports import export_of, public_keys
from tests.support.gates import Desk
from tests.support.lives import Lived, packed_words

OWN = ("+12125550123", "ann@example.com")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("STOP", False),
        ("I am ann@example.com, or Ann@Example.com.", False),
        ("call me at (212) 555-0123 or +1 212 555 0123", False),
        ("order 12345678, of 2026-01-05 10:00", False),
        ("my neighbour is bob@example.net", True),
        ("https://acme.example/join?ref=bob@example.net&x=1", True),
        ("and my wife's 212-555-0177 too", True),
        ("and +49 1512 3456 789", True),
        ("ruf 0049 30 1234 5678 an", True),
    ],
)
def test_an_address_that_is_not_the_persons_is_seen(text: str, named: bool) -> None:
    assert may_name_others(text, OWN) is named


def test_the_first_page_says_where_to_look(one: Desk, tmp_path: Path) -> None:
    evidence = Evidence(disclosure=Disclosure(text="Write to bob@example.net to end it."))
    one.recorder.record_one(ANN, an_event(evidence=evidence))
    one.recorder.record_one(ANN, an_event())
    stop = {"sender": None, "via": Via.KEYWORD, "text": "STOP, also for 212 555 0177"}
    one.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, **stop))
    told = Lived(export_of(one, tmp_path, whose=ANN), public_keys(one))
    said = packed_words("In entries 1 and 3 of this report words are quoted")
    assert said in packed_words(told.screen)
    assert said in told.paper
