"""Every code of a record has words, and a code that somebody adds must have them, too."""

from datetime import UTC, datetime
from enum import Enum
from zoneinfo import ZoneInfo

import pytest

from audit.exports.report import words
from audit.exports.report.picture import MEANINGS
from audit.exports.report.story import Mark
from audit.opened import Withheld
from consent.events import RecordedKind
from rules.rule import ANYWHERE
from rules.vocabulary import (
    Certainty,
    Channel,
    Force,
    Level,
    Purpose,
    Quality,
    Verdict,
    Via,
)


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (Certainty, words.CERTAINTIES),
        (Channel, words.CHANNELS),
        (Force, words.FORCES),
        (Level, words.LEVELS),
        (Mark, MEANINGS),
        (Purpose, words.PURPOSES),
        (Quality, words.QUALITIES),
        (RecordedKind, words.EVENTS),
        (Verdict, words.VERDICTS),
        (Via, words.VIAS),
        (Withheld, words.WITHHELD),
    ],
)
def test_every_code_has_words(codes: type[Enum], said: dict[object, str]) -> None:
    assert not set(codes) - set(said)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("FR", "France (FR)"),
        ("US-NY", "New York, United States (US-NY)"),
        ("EU", "European Union (EU)"),
        (ANYWHERE, "everywhere"),
        ("ZZ", "ZZ"),
    ],
)
def test_a_place_has_its_name(code: str, name: str) -> None:
    assert words.place(code) == name


def test_a_moment_names_its_zone() -> None:
    at = datetime(2026, 11, 21, 16, 0, 5, tzinfo=UTC)
    assert words.moment(at) == "21 November 2026, 16:00:05 UTC"
    local = words.moment(at, ZoneInfo("America/New_York"))
    assert local == "21 November 2026, 11:00:05 America/New York"
