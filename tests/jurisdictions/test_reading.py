"""A regulation as a person reads it, on a date."""

from datetime import date

from jurisdictions.reading import text_of
from jurisdictions.releases import bundled_release


def read(regulation: str, on: date) -> str:
    (found,) = (r for r in bundled_release().regulations if r.head.id == regulation)
    return text_of(found, on)


def test_it_shows_what_is_in_force_on_the_day_and_what_changes_later() -> None:
    before = read("in-tcccpr", date(2025, 10, 12))
    after = read("in-tcccpr", date(2025, 10, 13))
    assert "changes on 2025-10-13" in before
    assert "changes on 2025-10-13" not in after
    assert "lifted by: grant express" in before
    assert "lifted by: grant express" not in after


def test_it_shows_citation_force_certainty_and_the_day_of_reading() -> None:
    text = read("us-tcpa", date(2026, 11, 21))
    assert "# Telephone Consumer Protection Act" in text
    assert "hours: daily 08:00-21:00" in text
    assert "47 CFR 64.1200(c)(1)" in text
    assert "law, verified, read on 2026-11-21" in text


def test_a_rule_that_is_not_yet_law_says_when_it_will_be() -> None:
    assert "Nothing is in force on this day; it begins on 2027-05-14." in read(
        "in-tcccpr", date(2026, 11, 21)
    )
