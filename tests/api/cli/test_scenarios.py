"""``scenarios``: what they come to, in the shape that was promised."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from api.database import migrate
from tests.support.commands import command
from tests.support.databases import PostgresServer

MAIL = """
- id: us-mail
  why: Mail in the United States needs no consent.
  source: "15 USC 7704"
  sender: {name: Acme, country: US}
  recipient: {address: ada@example.com, region: US-NY}
  message: {channel: email, purpose: marketing, send_at: 2026-11-20T14:00:00-05:00}
  expect: {verdict: allow, obligations: [include_opt_out]}
"""
TEXT = """
- id: us-text
  why: A text needs consent; this one says that it does not.
  source: "47 CFR 64.1200"
  sender: {name: Acme, country: US}
  recipient: {address: "+12125550123", time_zone: America/New_York}
  message: {channel: sms, purpose: marketing, send_at: 2026-11-20T14:00:00-05:00}
  expect: {verdict: allow}
"""


def test_a_scenario_that_passes(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(MAIL)
    ran = command("scenarios", file)
    assert ran.code == 0
    assert set(ran.record) == {"id", "pass", "verdict", "not_before", "reasons", "obligations"}
    assert (ran.record["id"], ran.record["pass"], ran.record["verdict"]) == (
        "us-mail",
        True,
        "allow",
    )
    assert "include_opt_out" in ran.record["obligations"]


def test_one_that_falls_short_is_1_and_says_of_what(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MAIL)
    (tmp_path / "b.yaml").write_text(TEXT)
    ran = command("scenarios", tmp_path, "--json", on_terminal=True)
    assert ran.code == 1
    assert [(record["id"], record["pass"]) for record in ran.records] == [
        ("us-mail", True),
        ("us-text", False),
    ]
    assert ran.err == "us-text: verdict deny, not allow\n"
    shown = command("scenarios", tmp_path, on_terminal=True)
    assert shown.code == 1
    assert "verdict deny, not allow" in shown.out
    assert "1 of 2 scenarios pass" in shown.out


def test_one_that_cannot_be_run_falls_short_and_stops_no_other(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    later = "  registries: [{registry: us-national-dnc, listed: false, as_of: 2027-01-01}]\n"
    file.write_text(TEXT.replace("  message:", later + "  message:") + MAIL)
    ran = command("scenarios", file)
    assert ran.code == 1
    assert [record["pass"] for record in ran.records] == [False, True]
    assert ran.err == "us-text: it could not be run: as_of lies in the future\n"


def test_a_file_that_cannot_be_read_is_3_and_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(MAIL.replace("channel: email", "channel: telex"))
    ran = command("scenarios", file)
    assert (ran.code, ran.out) == (3, "")
    assert f"{file}:7: " in ran.err
    assert ran.err.count("\n") == 1


def test_a_path_that_is_not_there_is_2(tmp_path: Path) -> None:
    assert command("scenarios", tmp_path / "none.yaml").code == 2


@pytest.mark.slow
def test_on_postgresql_nothing_of_them_stays(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(MAIL + TEXT)
    with postgres_server.database("template0") as url:
        ran = command("scenarios", file, "--database-url", url)
        assert [record["pass"] for record in ran.records] == [True, False]
        migrate(url)
        engine = sa.create_engine(url)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM organisation").scalar() == 0
        engine.dispose()
