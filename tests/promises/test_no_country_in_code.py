"""Law is data: no logic branches on a country, a brand, a text or a scenario."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pycountry
import pytest

from tests.support.project import PACKAGES, PROJECT, name_of

COUNTRIES = {country.alpha_2 for country in pycountry.countries} | {"EU", "EEA", "UK"}
REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,4}\Z")
OF_A_COUNTRY = re.compile(r"[a-z]{2}-[a-z0-9-]+\Z")
BRANDS = {"acme"}
ASKING = ("startswith", "endswith", "get", "removeprefix", "isdisjoint")


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))


def is_about_a_country(text: str) -> bool:
    if text in COUNTRIES or REGION.match(text) or text.casefold() in BRANDS:
        return True
    return OF_A_COUNTRY.match(text) is not None and text[:2].upper() in COUNTRIES


def branches(tree: ast.AST) -> Iterator[ast.expr]:
    """What code compares with, matches, looks up or tests the beginning of."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield from (node.left, *node.comparators)
        elif isinstance(node, ast.MatchValue):
            yield node.value
        elif isinstance(node, ast.Subscript):
            yield node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from node.args if node.func.attr in ASKING else ()


def constants(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def countries_in(source: str) -> list[str]:
    tree = ast.parse(source)
    found = (text for expression in branches(tree) for text in constants(expression))
    return [text for text in found if is_about_a_country(text)]


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_no_logic_branches_on_a_country(path: Path) -> None:
    assert countries_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'if country == "US": pass',
        'if country in ("DE", "FR"): pass',
        'x = hours["US-FL"]',
        'if rule.startswith("us-tcpa"): pass',
        'match country:\n    case "KR":\n        pass',
        'if sender.name == "Acme": pass',
        'if registry == "tr-iys": pass',
    ],
)
def test_the_search_finds_a_branch_on_a_country(source: str) -> None:
    assert countries_in(source) != []
