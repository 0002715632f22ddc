"""Regulation files become rules, or are refused with file, line and what to write instead."""

import re
from datetime import date
from pathlib import Path

import pytest

from jurisdictions.errors import RegulationFileError
from jurisdictions.loader import DATA, Regulation, load_regulations, regulations_of
from jurisdictions.strict_yaml import load
from rules.vocabulary import Certainty, Force

HEAD = """\
regulation:
  id: xa-messaging-act
  title: Messaging Act 2019
  jurisdiction: XA
  authority: Messaging Office
rules:
"""
SOURCE = (
    'source: {citation: "s 14(2)", url: "https://law.example/s14", read_on: 2026-11-21, '
    "force: law, certainty: likely}"
)
HOURS = f"""\
  - id: xa-hours
    kind: sending_hours
    summary: Advertising waits for the recipient's day.
    binds: {{recipient: XA, channels: [sms], purposes: [marketing]}}
    values:
      - in_force_from: 2019-07-01
        hours: {{daily: "08:00-21:00"}}
        {SOURCE}
      - in_force_from: 2027-01-01
        hours: {{daily: "08:00-20:00"}}
        {SOURCE}
"""


def regulation(rules: str = HOURS) -> Regulation:
    (read,) = regulations_of([load(HEAD + rules, name="xa/act.yaml")])
    return read


def test_a_rule_carries_its_provision_and_its_dates() -> None:
    (rule,) = regulation().rules
    first, second = rule.values
    assert rule.waits
    assert first.provision.citation == "s 14(2)"
    assert first.provision.url == "https://law.example/s14"
    assert first.provision.jurisdiction == "XA"
    assert (first.provision.force, first.provision.certainty) == (Force.LAW, Certainty.LIKELY)
    assert (first.provision.in_force_from, first.until) == (date(2019, 7, 1), date(2027, 1, 1))
    assert second.until is None


def test_the_last_day_of_a_value_is_its_last() -> None:
    text = HOURS.replace('"08:00-20:00"}', '"08:00-20:00"}\n        in_force_until: 2028-02-29')
    _, second = regulation(text).rules[0].values
    assert second.in_force(date(2028, 2, 29))
    assert not second.in_force(date(2028, 3, 1))


@pytest.mark.parametrize(
    ("was", "now", "line", "says"),
    [
        ("summary:", "sumary:", 9, "sumary"),
        ("kind: sending_hours", "kind: quiet_time", 8, "quiet_time"),
        ("in_force_from: 2019-07-01", "in_force_from: 2019-02-30", 12, "in_force_from"),
        ("in_force_from: 2027-01-01", "in_force_from: 2019-07-01", 15, "order of date"),
        ("in_force_from: 2027-01-01", "in_force_from: 2018-01-01", 15, "order of date"),
        ('citation: "s 14(2)", ', "", 14, "citation"),
        ("read_on: 2026-11-21", "read_on: yesterday", 14, "read_on"),
        ("force: law", "force: habit", 14, "force"),
        ("recipient: XA, ", "", 10, "recipient, sender or either"),
        ("recipient: XA", "recipient: Xanadu", 10, "recipient"),
        ("channels: [sms]", "channels: [pigeon]", 10, "channels"),
        ('"08:00-21:00"', '"21:00-08:00"', 13, "crosses midnight"),
        ('"08:00-21:00"', '"08:00-25:00"', 13, "no time of day"),
        ('daily: "08:00-21:00"', 'mon-fri: "08:00-21:00"', 13, "sat, sun have no hours"),
        ('daily: "08:00-21:00"', 'daily: "08:00-21:00", sun: closed', 13, "sun stands twice"),
        ('daily: "08:00-21:00"', 'weekly: "08:00-21:00"', 13, "weekly is no day"),
        ('daily: "08:00-21:00"', 'daily: "08:00-21:00", holidays: closed', None, "write both"),
        (
            '{daily: "08:00-21:00"}',
            '{daily: "08:00-21:00", holidays: closed}\n        holidays: {country: XA}',
            14,
            "the holiday data has no country XA",
        ),
        ("id: xa-hours", "id: XA Hours", 7, "id"),
        ("id: xa-hours", "id: xa-messaging-act", 7, "is taken by xa/act.yaml:2"),
    ],
)
def test_a_mistake_is_named_with_its_line(was: str, now: str, line: int | None, says: str) -> None:
    assert was in HOURS
    with pytest.raises(RegulationFileError) as refused:
        regulation(HOURS.replace(was, now, 1))
    assert says in refused.value.detail
    place = re.match(r"xa/act\.yaml:(\d+): ", refused.value.detail)
    assert place is not None
    assert line is None or int(place[1]) == line


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = HOURS.replace(
        "    kind: sending_hours\n", "    kind: sending_hours\n    kind: label\n", 1
    )
    with pytest.raises(RegulationFileError, match=r"xa/act\.yaml:9: .*kind.*twice"):
        regulation(twice)


def test_an_id_is_unique_over_all_files() -> None:
    first, second = load(HEAD + HOURS, name="xa/a.yaml"), load(HEAD + HOURS, name="xa/b.yaml")
    with pytest.raises(RegulationFileError, match=r"xa/b\.yaml:2: .*taken by xa/a\.yaml:2"):
        regulations_of([first, second])


def test_a_value_that_ends_after_the_next_began_is_refused() -> None:
    text = HOURS.replace('"08:00-21:00"}', '"08:00-21:00"}\n        in_force_until: 2027-01-01', 1)
    with pytest.raises(RegulationFileError, match="next value begins on 2027-01-01 already"):
        regulation(text)


def test_a_value_that_ends_before_it_begins_is_refused() -> None:
    text = HOURS.replace('"08:00-21:00"}', '"08:00-21:00"}\n        in_force_until: 2019-06-30', 1)
    with pytest.raises(RegulationFileError, match="lies before"):
        regulation(text)


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ("{grant: express, open: true}", "exactly one of grant, relation, open and confirmation"),
        ("{registry: {id: xa-dnc}}", "exactly one of grant, relation, open and confirmation"),
        ("{grant: express, within: 2 years}", "within says nothing on a route of the kind grant"),
        ("{open: true, qualities: [separate]}", "qualities says nothing"),
        ("{relation: [grant]}", "a relation is one or more of"),
        ("{open: true, registry: {id: xa-dnc, max_age: 3 working days}}", "working_days_of"),
        ("{open: true, registry: {id: xa-dnc, max_age: a week}}", "max_age"),
        ("{grant: certain}", "grant"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused(route: str, says: str) -> None:
    rule = f"""\
  - id: xa-consent
    kind: consent
    summary: Advertising needs consent.
    binds: {{recipient: XA}}
    values:
      - in_force_from: 2019-07-01
        routes:
          - {route}
        {SOURCE}
"""
    with pytest.raises(RegulationFileError) as refused:
        regulation(rule)
    assert says in refused.value.detail


def test_the_bundled_law_loads_and_every_value_has_its_citation() -> None:
    regulations = load_regulations()
    values = [value for r in regulations for rule in r.rules for value in rule.values]
    assert len(values) > 700
    assert all(value.provision.citation.strip() for value in values)


def test_no_bundled_file_lies_outside_a_folder_of_its_country() -> None:
    for regulation_ in load_regulations():
        folder, jurisdiction = Path(regulation_.file).parts[0], regulation_.head.jurisdiction
        union = {"EEA": "eu", "EU-BASE": "eu", "EU": "eu"}.get(jurisdiction)
        assert folder == (union or jurisdiction.split("-")[0].lower())
    assert DATA.is_dir()
