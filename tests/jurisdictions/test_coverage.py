"""The matrix of what the law asks, and that nothing is left out of it."""

from dataclasses import replace
from datetime import date

from jurisdictions.coverage import Need, coverage, document, table
from jurisdictions.releases import bundled_release, release_of
from jurisdictions.static_checks import faults
from rules.vocabulary import Channel, Purpose
from tests.support.project import PROJECT

ON = date(2026, 11, 21)


def test_every_message_to_a_researched_country_meets_a_consent_rule() -> None:
    cells = list(coverage(bundled_release(), ON))
    assert len(cells) > 60 * len(Channel) * len(Purpose)
    assert [cell for cell in cells if cell.most is Need.GAP] == []


def test_the_matrix_tells_written_from_express_and_from_nothing() -> None:
    cells = {(c.country, c.channel, c.purpose): c for c in coverage(bundled_release(), ON)}
    assert cells["US", Channel.SMS, Purpose.MARKETING].most is Need.WRITTEN
    assert cells["US", Channel.EMAIL, Purpose.MARKETING].most is Need.NOTHING
    assert cells["DE", Channel.EMAIL, Purpose.MARKETING].least is Need.EXPRESS
    assert not cells["LU", Channel.SMS, Purpose.MARKETING].national_law_read


def test_the_table_marks_states_whose_national_law_nobody_read() -> None:
    written = table(coverage(bundled_release(), ON))
    assert "| LU (union only) | sms | express |" in written
    assert "| DE | sms | express |" in written


def test_the_bundled_law_is_without_fault() -> None:
    assert faults(bundled_release(), ON) == []


def test_a_consent_rule_taken_away_leaves_a_gap_that_is_found() -> None:
    whole = bundled_release()
    left = [
        replace(r, rules=tuple(rule for rule in r.rules if rule.id != "kr-ad-consent"))
        for r in whole.regulations
    ]
    found = faults(release_of("less", "0" * 64, left), ON)
    assert {fault.place for fault in found} == {"KR"}
    assert len(found) == 6  # One for each channel that the rule answered for.


def test_a_rule_said_twice_is_found() -> None:
    whole = bundled_release()
    twice = [
        replace(r, rules=(*r.rules, replace(r.rules[0], id="kr-again")))
        if r.head.id == "kr-network-act"
        else r
        for r in whole.regulations
    ]
    (fault,) = faults(release_of("more", "0" * 64, twice), ON)
    assert "kr-again says the same" in fault.detail


def test_the_page_in_the_documents_is_the_matrix_of_the_bundled_law() -> None:
    page = (PROJECT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert page == document(bundled_release(), ON)
