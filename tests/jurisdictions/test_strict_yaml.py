"""A file means what it says, and a mistake in it is found by line."""

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jurisdictions.errors import RegulationFileError, ScenarioFileError
from jurisdictions.strict_yaml import decode, load


class Value(msgspec.Struct, forbid_unknown_fields=True):
    opens: str
    read_on: date = date(2026, 1, 1)


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    values: list[Value]
    hours: dict[str, int] = {}
    force: Literal["law", "code"] = "law"


class Law(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]


def decoded(text: str) -> Law:
    return decode(load(text, name="xa.yaml"), Law)


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("0", 0),
        ("-7", -7),
        ("0.5", 0.5),
        # YAML 1.1 makes something else of each of these.
        ("NO", "NO"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("True", "True"),
        ("~", "~"),
        ("08:00", "08:00"),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("0800", "0800"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("+49", "+49"),
        ("'7'", "7"),
        ('"true"', "true"),
    ],
)
def test_a_plain_word_is_what_it_looks_like(plain: str, value: object) -> None:
    read = load(f"key: {plain}").data
    assert read == {"key": value}
    assert isinstance(read, dict)
    assert type(read["key"]) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3", 3, "stands twice, first on line 1"),
        ("a: &x 1\nb: 2", 1, "anchor"),
        ("a: &x {c: 1}\nb: *x", 1, "anchor"),
        ("b: *x", 1, "alias"),
        ("a: 1\nb: !!str 2", 2, "tag"),
        ("a: 1\nb: !!python/name:os.system x", 2, "tag"),
        ("a: {d: 1}\nb:\n  <<: {c: 1}", 3, "merge key"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("a: 1\nb:\nc: 2", 2, "the value is missing"),
        ("a: 1\n2: b", 2, "the key 2 is no text"),
        ("a: 1\n[b]: 2", 2, "a key is one word"),
        ("%YAML 1.1\n---\na: 1", 1, "directives"),
        ("a: 1\nb: {c: 1}}\nd: 2", 2, "this is not YAML"),
        ("a: 1\n\tb: 2", 2, "this is not YAML"),
        ("a: \x07", 1, "this is not YAML"),
        ("", 1, "the file is empty"),
        ("# nothing but a comment", 1, "the file is empty"),
        ("[" * 60 + "]" * 60, 1, "deeper than"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(text: str, line: int, says: str) -> None:
    with pytest.raises(RegulationFileError) as caught:
        load(text, name="xa.yaml")
    assert caught.value.detail.startswith(f"xa.yaml:{line}: ")
    assert says in caught.value.detail


GOOD = """\
rules:
  - id: xa-hours
    values:
      - opens: "08:00"
        read_on: 2026-11-21
  - id: xa-days
    values: [{opens: "09:00"}]
    hours: {monday: 8}
"""


def test_a_file_that_fits_is_decoded() -> None:
    law = decoded(GOOD)
    assert law.rules[0].values[0].read_on == date(2026, 11, 21)
    assert law.rules[1].hours == {"monday": 8}


@pytest.mark.parametrize(
    ("old", "new", "line", "where"),
    [
        ('opens: "08:00"', "opens: 8", 4, "rules.0.values.0.opens"),
        ("2026-11-21", "21.11.2026", 5, "rules.0.values.0.read_on"),
        ("        read_on: ", "        red_on: ", 5, "rules.0.values.0.red_on"),
        ("  - id: xa-days\n    values", "  - name: xa-days\n    values", 6, "rules.1.name"),
        ("monday: 8", "monday: early", 8, "rules.1.hours"),
        ("hours: {monday: 8}", "force: custom", 8, "rules.1.force"),
        ("rules:", "rule:", 1, "rule"),
    ],
)
def test_a_mistake_of_shape_names_its_line(old: str, new: str, line: int, where: str) -> None:
    assert old in GOOD
    with pytest.raises(RegulationFileError) as caught:
        decoded(GOOD.replace(old, new))
    assert caught.value.detail.startswith(f"xa.yaml:{line}: {where}: ")


def test_a_part_of_a_file_can_be_decoded_alone() -> None:
    document = load(GOOD.replace('opens: "09:00"', "opens: 9"), name="xa.yaml")
    assert decode(document, Rule, path=("rules", 0)).id == "xa-hours"
    with pytest.raises(RegulationFileError, match=r"^xa.yaml:7: rules.1.values.0.opens: "):
        decode(document, Rule, path=("rules", 1))


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    document = load(GOOD)
    assert document.line_of(("rules", 1, "hours", "monday")) == 8
    assert document.line_of(("rules", 1, "hours", "friday")) == 8
    assert document.line_of(("rules", 7)) == 1
    assert document.line_of(()) == 1


def test_the_caller_says_whose_error_it_is(tmp_path: Path) -> None:
    path = tmp_path / "xa.yaml"
    path.write_text("- id: NO\n- id: NO\n", encoding="utf-8")
    document = load(path, name="scenarios/xa.yaml", raises=ScenarioFileError)
    error = document.error((1, "id"), "this id is taken")
    assert isinstance(error, ScenarioFileError)
    assert error.detail == "scenarios/xa.yaml:2: this id is taken"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "xa.yaml"
    path.write_bytes("a: 1\nb: désabonner\n".encode("latin-1"))
    with pytest.raises(RegulationFileError, match=r"xa.yaml:2: this is not UTF-8"):
        load(path, name="xa.yaml")


Plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(Plain)
def test_quoted_yaml_is_read_as_it_was_written(value: object) -> None:
    # Every text in quotes, so that nothing hangs on how a plain word is read.
    text = yaml.dump(value, Dumper=Quoted, allow_unicode=True)
    assert load(text).data == value


class Quoted(yaml.SafeDumper):
    """Writes every text in quotes, and nothing as an alias."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Quoted.add_representer(str, _quoted)
