"""What changes between two releases, told as stricter and as looser."""

from datetime import date

from jurisdictions.comparison import changes
from jurisdictions.loader import regulations_of
from jurisdictions.releases import Release, release_of
from jurisdictions.strict_yaml import load
from rules.vocabulary import Channel, Purpose, Verdict

ON = date(2026, 11, 21)


def release(level: str, hours: str) -> Release:
    source = 'source: {citation: "s 1", read_on: 2026-11-21, force: law, certainty: verified}'
    text = f"""\
regulation: {{id: no-act, title: Act, jurisdiction: NO, authority: Office}}
rules:
  - id: no-consent
    kind: consent
    summary: Consent.
    binds: {{recipient: NO}}
    values:
      - in_force_from: 2019-07-01
        routes: [{{grant: {level}}}]
        {source}
  - id: no-hours
    kind: sending_hours
    summary: Hours.
    binds: {{recipient: NO, channels: [sms], purposes: [marketing]}}
    values:
      - in_force_from: 2019-07-01
        hours: {{daily: "{hours}"}}
        {source}
"""
    return release_of(level, "0" * 64, regulations_of([load(text, name="no/act.yaml")]))


def test_a_release_changes_nothing_against_itself() -> None:
    one = release("express", "08:00-21:00")
    assert list(changes(one, one, ON)) == []


def test_a_lower_level_is_looser_and_shorter_hours_are_stricter() -> None:
    found = list(changes(release("express", "08:00-23:00"), release("implied", "08:00-21:00"), ON))
    looser = [change for change in found if change.is_looser]
    stricter = [change for change in found if not change.is_looser]
    assert {c.country for c in found} == {"NO"}
    assert {"implied consent" in c.situation for c in looser} == {True}
    assert {c.channel for c in stricter} == {Channel.SMS}
    assert {c.purpose for c in stricter} == {Purpose.MARKETING}
    assert all(c.after.verdict is Verdict.DEFER and "22:00" in c.situation for c in stricter)
