"""Scenarios through the whole path of a check come to what the pure path comes to."""

from pathlib import Path

import pytest

from api.operations.run_scenarios import SCENARIOS_A_DATABASE, run_scenarios
from jurisdictions import scenario_runs
from jurisdictions.scenario_files import Scenario, read_scenarios
from rules.vocabulary import Verdict
from tests.support.gates import RELEASE

TEMPLATE = """
- id: us-test-{name}
  why: A test.
  source: Test Act, s 1
  sender: {{name: Acme, country: US}}
  recipient: {{address: "+12125550123"}}
  history: [{history}]
  registries: [{registries}]
  message: {{channel: {channel}, purpose: marketing, send_at: "2026-11-20T{time}-05:00"}}
  expect: {{verdict: {expect}}}
"""
GRANT = (
    '{event: grant, at: "2026-01-05T10:00:00-05:00", channel: sms, purpose: marketing,'
    " level: express_written}"
)
REVOKE = '{event: revoke, at: "2026-02-05T10:00:00-05:00"}'
ERASE = '{event: erase, at: "2026-03-05T10:00:00-05:00"}'
SENT = '{event: sent, at: "2026-11-20T09:00:00-05:00", channel: sms, purpose: marketing}'
LATE = '{event: revoke, at: "2026-11-20T13:00:00-05:00"}'
LISTED = "{registry: us-test, listed: true, as_of: 2026-11-20}"
CLEAR = "{registry: us-test, listed: false, as_of: 2026-11-20}"


def a_scenario(
    name: str,
    expect: str,
    *history: str,
    registries: str = "",
    channel: str = "sms",
    time: str = "12:00:00",
) -> Scenario:
    written = TEMPLATE.format(
        name=name,
        expect=expect,
        history=", ".join(history),
        registries=registries,
        channel=channel,
        time=time,
    )
    (scenario,) = read_scenarios(written, name="test.yaml")
    return scenario


DENY_MISSING = "deny, reasons: [consent_missing]"
SCENARIOS = [
    a_scenario("none", DENY_MISSING),
    a_scenario("grant", "allow", GRANT),
    a_scenario("revoked", "deny, reasons: [consent_revoked]", GRANT, REVOKE),
    a_scenario("erased", "deny, reasons: [erased]", GRANT, ERASE),
    a_scenario("anew", "allow", GRANT, ERASE, GRANT.replace("01-05", "04-05")),
    a_scenario("not-yet", "allow", GRANT, LATE),
    a_scenario("late", 'defer, not_before: "2026-11-21T08:00:00-05:00", reasons: [quiet_hours]',
               GRANT, time="22:00:00"),
    a_scenario("cap", 'defer, not_before: "2026-11-21T09:00:00-05:00", reasons: [frequency_cap]',
               GRANT, SENT, SENT),
    a_scenario("stale", "deny, reasons: [registry_stale]", channel="voice"),
    a_scenario("listed", "deny, reasons: [registry_listed]", registries=LISTED, channel="voice"),
    a_scenario("clear", "allow", registries=CLEAR, channel="voice"),
]  # fmt: skip


def test_a_scenario_is_played_from_its_first_event_to_its_check() -> None:
    outcomes = list(run_scenarios(SCENARIOS, release=RELEASE))
    assert [outcome.shortfalls for outcome in outcomes] == [()] * len(SCENARIOS)
    assert [outcome.scenario for outcome in outcomes] == SCENARIOS


def test_the_whole_path_and_the_pure_path_agree() -> None:
    pure = scenario_runs.run(SCENARIOS, RELEASE.decide_many, with_sheet=RELEASE.with_sheet)
    assert list(run_scenarios(SCENARIOS, release=RELEASE)) == pure


def test_what_falls_short_says_so() -> None:
    wrong = a_scenario("wrong", "allow")
    (outcome,) = run_scenarios([wrong], release=RELEASE)
    assert not outcome.passed
    assert outcome.verdict is Verdict.DENY


def test_one_scenario_knows_nothing_of_another() -> None:
    count = SCENARIOS_A_DATABASE + 3
    pairs = [SCENARIOS[i % 2] for i in range(count)]
    verdicts = [outcome.verdict for outcome in run_scenarios(pairs, release=RELEASE)]
    assert verdicts == [("deny", "allow")[i % 2] for i in range(count)]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    list(run_scenarios(SCENARIOS[:2], release=RELEASE))
    abandoned = run_scenarios(SCENARIOS[:2], release=RELEASE)
    next(abandoned)
    abandoned.close()
    assert list(tmp_path.iterdir()) == []
