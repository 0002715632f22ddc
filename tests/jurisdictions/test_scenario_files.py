"""Scenario files are read strictly: what does not fit the format is named by line."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from jurisdictions.errors import ScenarioFileError
from jurisdictions.scenario_files import read_folder, read_scenarios
from rules.history import Event
from rules.vocabulary import (
    Channel,
    EventKind,
    Level,
    ObligationCode,
    Purpose,
    Quality,
    ReasonCode,
    Verdict,
    Via,
)

GOOD = """\
- id: us-sms-marketing-evening
  why: A marketing text after 9 pm recipient time waits until 8 am.
  source: 47 CFR 64.1200(c)(1)
  sender:
    name: Acme
    country: US
    registrations:
      - {scheme: us-10dlc, id: C1A2B3}
  recipient:
    address: "+12125550123"
    region: US-NY
    time_zone: America/New_York
    age: 34
  history:
    - {event: grant, at: "2026-01-05T10:00:00-05:00", channel: sms, purpose: marketing,
       level: express_written, night: true}
    - {event: revoke, at: "2026-01-06T10:00:00-05:00", via: keyword, text: "STOP"}
  registries:
    - {registry: us-national-dnc, listed: false, as_of: "2026-11-01"}
  message:
    channel: sms
    purpose: marketing
    from: "+18885550100"
    send_at: "2026-11-20T21:30:00-05:00"
  expect:
    verdict: defer
    not_before: "2026-11-21T08:00:00-05:00"
    reasons: [quiet_hours]
    obligations: [include_opt_out]
"""


def test_a_scenario_is_read_whole() -> None:
    (scenario,) = read_scenarios(GOOD)
    assert scenario.sender.registrations[0].scheme == "us-10dlc"
    assert scenario.recipient.age == 34
    assert scenario.registries[0].as_of == date(2026, 11, 1)
    assert scenario.message.sender_id == "+18885550100"
    assert scenario.message.automated is True
    assert scenario.message.send_at.utcoffset() == timedelta(hours=-5)
    assert scenario.expect.verdict is Verdict.DEFER
    assert scenario.expect.reasons == {ReasonCode.QUIET_HOURS}
    assert scenario.expect.obligations == {ObligationCode.INCLUDE_OPT_OUT}


def test_its_history_is_what_the_law_looks_at() -> None:
    (scenario,) = read_scenarios(GOOD)
    grant, revoke = (entry.to_event() for entry in scenario.history)
    assert grant == Event(
        event=EventKind.GRANT,
        at=datetime.fromisoformat("2026-01-05T10:00:00-05:00"),
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        level=Level.EXPRESS_WRITTEN,
        qualities=frozenset({Quality.NIGHT}),
    )
    assert revoke.via is Via.KEYWORD
    assert revoke.channel is None


@pytest.mark.parametrize("quality", list(Quality))
def test_every_quality_can_be_written(quality: Quality) -> None:
    (scenario,) = read_scenarios(GOOD.replace("night: true", f"{quality.value}: true"))
    assert scenario.history[0].to_event().qualities == {quality}


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("  why: ", "  because: ", 2, "unknown field `because`"),
        ("  source: 47 CFR 64.1200(c)(1)\n", "", 1, "missing required field `source`"),
        ("id: us-sms-marketing-evening", "id: Evening", 1, "kebab-case"),
        ("    country: US\n", "    country: USA\n", 6, "this is no country"),
        ("    country: US\n", "    country: US-NY\n", 6, "this is no country"),
        ("region: US-NY", "region: US-XX", 11, "neither ISO 3166-2 nor"),
        ("America/New_York", "America/Old_York", 12, "not in the IANA database"),
        ("age: 34", "age: old", 13, "Expected `int"),
        ("event: grant", "event: opt_in", 15, "Invalid enum value"),
        (
            "10:00:00-05:00, channel".replace(", channel", '", channel'),
            '10:00:00", channel',
            15,
            "timezone",
        ),
        ("level: express_written, ", "", 15, "a grant has a level"),
        ("night: true", "nightly: true", 16, "unknown field `nightly`"),
        ("night: true", "night: yes", 16, "Expected `bool`"),
        ("night: true", 'ends_at: "2027-01-01T00:00:00Z"', 15, "only a relation"),
        ("night: true", "via: link", 15, "only a revoke"),
        ("via: keyword", "level: express", 17, "only a grant"),
        ("via: keyword", "guardian: true", 17, "only a grant or a relation"),
        ("2026-01-06", "2026-01-04", 17, "write oldest first"),
        ('as_of: "2026-11-01"', 'as_of: "1.11.2026"', 19, "Invalid RFC3339"),
        ("listed: false", "listed: no", 19, "Expected `bool`"),
        ("    channel: sms\n", "    channel: text\n", 21, "Invalid enum value"),
        ('21:30:00-05:00"', '21:30:00"', 24, "timezone"),
        ("verdict: defer", "verdict: wait", 26, "Invalid enum value"),
        ("verdict: defer", "verdict: deny", 27, "only a defer has a not_before"),
        ('    not_before: "2026-11-21T08:00:00-05:00"\n', "", 25, "a defer has a not_before"),
        ("reasons: [quiet_hours]", "reasons: []", 25, "has reasons"),
        ("reasons: [quiet_hours]", "reasons: [late]", 28, "Invalid enum value"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, says: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(ScenarioFileError) as caught:
        read_scenarios(GOOD.replace(old, new, 1), name="us.yaml")
    assert caught.value.detail.startswith(f"us.yaml:{line}: 0"), caught.value.detail
    assert says in caught.value.detail


def test_an_allow_has_no_reasons() -> None:
    allow = GOOD.replace("verdict: defer", "verdict: allow")
    allow = allow.replace('    not_before: "2026-11-21T08:00:00-05:00"\n', "")
    with pytest.raises(ScenarioFileError, match=r"^us.yaml:27: 0.expect.reasons: "):
        read_scenarios(allow, name="us.yaml")
    (scenario,) = read_scenarios(allow.replace("    reasons: [quiet_hours]\n", ""))
    assert scenario.expect.verdict is Verdict.ALLOW


def test_an_id_stands_once() -> None:
    with pytest.raises(ScenarioFileError, match=r"^us.yaml:30: .* first on line 1"):
        read_scenarios(GOOD + GOOD, name="us.yaml")


def test_a_register_stands_once() -> None:
    entry = '    - {registry: us-national-dnc, listed: false, as_of: "2026-11-01"}\n'
    with pytest.raises(ScenarioFileError, match=r"^us.yaml:20: .*stands twice"):
        read_scenarios(GOOD.replace(entry, entry + entry), name="us.yaml")


def test_a_file_is_a_list() -> None:
    with pytest.raises(ScenarioFileError, match=r"^us.yaml:1: a scenario file is a list"):
        read_scenarios("id: us-sms", name="us.yaml")


def test_an_id_stands_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "us").mkdir()
    (tmp_path / "us" / "evening.yaml").write_text(GOOD, encoding="utf-8")
    read = read_folder(tmp_path)
    assert [scenario.id for scenario in read["us/evening.yaml"]] == ["us-sms-marketing-evening"]
    (tmp_path / "us" / "night.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(ScenarioFileError, match=r"^us/night.yaml:1: .* us/evening.yaml"):
        read_folder(tmp_path)
