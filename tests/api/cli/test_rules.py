"""``rules``: the law read, checked and compared."""

import shutil
from pathlib import Path

import pytest

from jurisdictions.loader import DATA
from tests.support.commands import command


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The law of one country, which is quick to compare."""
    folder = tmp_path_factory.mktemp("law")
    shutil.copytree(DATA / "tr", folder / "tr")
    return folder


def test_a_regulation_is_shown_as_on_a_day() -> None:
    shown = command("rules", "show", "us-tcpa", "--at", "2026-11-20").record
    assert (shown["regulation"], shown["at"]) == ("us-tcpa", "2026-11-20")
    assert "As in force on 2026-11-20." in shown["text"]
    before = command("rules", "show", "us-tcpa", "--at", "1990-01-01").record
    assert "Nothing is in force on this day" in before["text"]
    people = command("rules", "show", "us-tcpa", on_terminal=True)
    assert "Telephone Consumer Protection Act" in people.out
    assert not people.out.startswith("#")


def test_an_unknown_regulation_is_2_and_names_those_there_are() -> None:
    ran = command("rules", "show", "us-nothing")
    assert ran.code == 2
    assert "us-can-spam" in ran.err


def test_the_bundled_law_is_whole_and_its_coverage_can_be_written(tmp_path: Path) -> None:
    ran = command("rules", "check", "--coverage", tmp_path / "coverage.md")
    assert (ran.code, ran.out) == (0, "")
    table = (tmp_path / "coverage.md").read_text(encoding="utf-8")
    assert table.startswith("# What the law asks\n")
    assert "| country | channel | marketing |" in table
    assert "| US | sms |" in table


def test_what_is_wrong_is_1(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "law"
    shutil.copytree(small, folder)
    (file,) = (folder / "tr").glob("*.yaml")
    file.write_text(file.read_text(encoding="utf-8").replace("recipient: TR", "recipient: QQ", 1))
    ran = command("rules", "check", folder)
    assert ran.code == 1
    assert {record["record"] for record in ran.records} == {"fault"}
    assert any("QQ" in record["detail"] for record in ran.records)
    file.write_text("regulation: 1\n")
    broken = command("rules", "check", folder)
    assert broken.code == 1
    assert broken.record["place"] == f"tr/{file.name}:1"


@pytest.mark.slow
def test_mutants_are_counted_against_what_is_asked(small: Path) -> None:
    ran = command("rules", "check", small, "--mutants", "--at-least", "0")
    assert ran.code == 0
    *survivors, score = ran.records
    assert score["record"] == "score"
    assert score["total"] == score["caught"] + len(survivors) > 0
    asked = "1" if survivors else "0"
    assert command("rules", "check", small, "--mutants", "--at-least", asked).code == (
        1 if survivors else 0
    )


def test_a_difference_is_told_by_rules_and_by_messages(small: Path, tmp_path: Path) -> None:
    assert command("rules", "diff", small, small).out == ""
    folder = tmp_path / "law"
    shutil.copytree(small, folder)
    (file,) = (folder / "tr").glob("*.yaml")
    text = file.read_text(encoding="utf-8")
    assert "level: express" in text or "grant: express" in text
    file.write_text(text.replace("grant: express", "open: true"))
    ran = command("rules", "diff", small, folder)
    kinds = {record["record"] for record in ran.records}
    assert kinds == {"rule", "change"}
    looser = [r for r in ran.records if r["record"] == "change" and r["direction"] == "looser"]
    assert looser
    assert {(r["before"], r["after"]) for r in looser} <= {
        ("deny", "allow"),
        ("deny", "defer"),
        ("defer", "allow"),
    }
    shown = command("rules", "diff", small, folder, on_terminal=True).out
    assert shown.index("stricter: nothing") < shown.index("looser: ")


def test_the_schema_is_one_of_a_regulation_file() -> None:
    schema = command("rules", "schema").record
    assert schema["$ref"] == "#/$defs/RegulationFile"
