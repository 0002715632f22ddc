"""What a person can set, call or be told is documented, and the documents hold together."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from api.cli.main import cleartosend
from rules.vocabulary import (
    Certainty,
    Channel,
    Force,
    Level,
    ObligationCode,
    Purpose,
    ReasonCode,
    Verdict,
)
from tests.support.project import PROJECT, name_of, project_files

DOCUMENTS = tuple(project_files(".md"))
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DECISION = re.compile(r"^(?P<number>\d{4})-[a-z0-9-]+\.md$")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    for found in LINK.finditer(FENCE.sub("", text_of(document))):
        target, _, anchor = found["target"].partition("#")
        if "://" in target:
            continue
        place = (document.parent / target).resolve() if target else document
        assert place.exists(), f"{name_of(document)} links to {target}"
        if anchor:
            assert anchor in anchors_of(place), f"{name_of(document)} links to {target}#{anchor}"


@pytest.mark.parametrize("code", [*ReasonCode, *ObligationCode])
def test_every_code_has_its_line_in_the_glossary(code: str) -> None:
    assert f"| `{code}` |" in text_of(PROJECT / "docs/glossary.md")


def test_the_glossary_knows_no_other_codes() -> None:
    codes = re.findall(r"^\| `([a-z_]+)` \|", text_of(PROJECT / "docs/glossary.md"), re.MULTILINE)
    assert sorted(codes) == sorted([*ReasonCode, *ObligationCode])


@pytest.mark.parametrize(
    "word",
    [*Channel, *Purpose, *Verdict, *Force, *Certainty, *(level.word for level in Level)],
)
def test_every_word_of_a_message_is_in_the_glossary(word: str) -> None:
    assert f"`{word}`" in text_of(PROJECT / "docs/glossary.md")


def test_every_dev_command_is_explained() -> None:
    script = text_of(PROJECT / "dev")
    cases = script.partition("case $command in\n")[2]
    commands = re.findall(r"^    ([a-z]+)(?: \| -h \| --help)?\)", cases, re.MULTILINE)
    assert {"install", "serve", "test", "lint", "check", "scenarios", "bench"} <= set(commands)
    usage = script.partition("TEXT'\n")[2].partition("\nTEXT\n")[0]
    for command in commands:
        assert f"| `./dev {command}` |" in text_of(PROJECT / "CONTRIBUTING.md"), command
        assert f"./dev {command} " in usage, command


def test_every_command_is_explained() -> None:
    table = text_of(PROJECT / "docs/operating.md")
    for name in commands_of(cleartosend, "cleartosend"):
        assert f"| `{name}" in table, name


def test_no_document_names_a_command_that_does_not_exist() -> None:
    known = set(commands_of(cleartosend, "cleartosend"))
    table = text_of(PROJECT / "docs/operating.md")
    for named in re.findall(r"^\| `(cleartosend(?: [a-z]+(?:-[a-z]+)*)+)", table, re.MULTILINE):
        assert named in known, named


def test_no_document_names_a_dev_command_that_does_not_exist() -> None:
    cases = text_of(PROJECT / "dev").partition("case $command in\n")[2]
    for document in DOCUMENTS:
        for command in re.findall(r"\./dev ([a-z]+)", text_of(document)):
            known = re.search(rf"^    {command}(?: \||\))", cases, re.MULTILINE)
            assert known, f"{name_of(document)} names ./dev {command}"


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (PROJECT / "docs/decisions").iterdir())
    for number, name in enumerate(names):
        found = DECISION.match(name)
        assert found is not None, name
        assert int(found["number"]) == number, f"{name}: {number:04} is free, or taken twice"
        title = text_of(PROJECT / "docs/decisions" / name).partition("\n")[0]
        assert title.startswith(f"# {number:04} "), name


@pytest.mark.parametrize("heading", ["Context", "Choice", "What it costs", "When to look again"])
def test_every_decision_says_what_it_cost(heading: str) -> None:
    for path in (PROJECT / "docs/decisions").iterdir():
        assert f"\n## {heading}\n" in text_of(path), f"{path.name} has no part {heading}"


def test_the_readme_says_what_it_is_on_one_screen() -> None:
    before_the_first_heading = text_of(PROJECT / "README.md").partition("\n## ")[0]
    assert len(before_the_first_heading.splitlines()) <= 50
    for command in ("./dev serve", "./dev test"):
        assert command in before_the_first_heading


def commands_of(command: click.Command, name: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield name
        return
    for child, below in command.commands.items():
        yield from commands_of(below, f"{name} {child}")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def anchors_of(document: Path) -> set[str]:
    titles = HEADING.finditer(FENCE.sub("", text_of(document)))
    return {re.sub(r"[^\w\- ]", "", title["title"].lower()).replace(" ", "-") for title in titles}
