"""The tree keeps its shape: small folders, small files, and names that say what is inside."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import PACKAGES, PROJECT, name_of, parsed, project_files

FILE_COUNT_MAX = 25
MODULE_LINES_MAX = 500
ALONE = frozenset({"audit/verify.py"})
"""Files that have to be one: an auditor takes this along, without anything else of ours."""

FUNCTION_LINES_MAX = 60

NAMELESS = frozenset(
    {"base", "common", "core", "helper", "helpers", "manager", "misc", "util", "utils"}
)
EMPTY_ENDINGS = ("Helper", "Info", "Manager", "Utils", "V2")
OF_ONE_MACHINE = re.compile(r"(?<![A-Za-z0-9.~])/(?:root|home|Users|work|tmp)/[\w.]")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_a_folder_holds_few_files() -> None:
    counts = Counter(
        name_of(path.parent)
        for path in project_files()
        if not {"data", "docs", "scenarios", "tests", "versions"} & set(folders_of(path))
    )
    crowded = {folder: count for folder, count in counts.items() if count > FILE_COUNT_MAX}
    assert not crowded


def test_a_module_is_short() -> None:
    long = {
        name_of(path): count
        for path in project_files(".py")
        if name_of(path) not in ALONE
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > MODULE_LINES_MAX
    }
    assert not long


def test_a_function_fits_a_page() -> None:
    long = {
        f"{name_of(path)}: {function.name}": count
        for path, function in functions()
        # A migration says one statement after the other.
        if "versions" not in folders_of(path)
        and (count := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


def test_a_file_is_named_after_its_subject() -> None:
    for path in project_files(".py"):
        assert path.stem not in NAMELESS, f"{name_of(path)}: its subject has not been named yet"
        folder = path.parent.name
        if not path.is_relative_to(PROJECT / "tests"):
            assert not path.stem.startswith(f"{folder}_"), f"{name_of(path)} repeats its folder"


def test_a_class_is_named_after_its_subject() -> None:
    for path in project_files(".py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                assert not node.name.endswith(EMPTY_ENDINGS), f"{name_of(path)}: {node.name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_error_is_ours_and_named_once(package: str) -> None:
    """An exception ends in Error; no two modules mean two things by one name."""
    seen: dict[str, str] = {}
    for path in project_files(".py"):
        if not path.is_relative_to(PROJECT / package):
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef) and any(is_error(base) for base in node.bases):
                assert node.name.endswith("Error"), f"{name_of(path)}: {node.name}"
                assert node.name not in seen, f"{node.name}: {name_of(path)}, {seen[node.name]}"
                seen[node.name] = name_of(path)


def test_what_is_left_for_later_has_a_number() -> None:
    for path in project_files(".py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found = re.search(r"#\s*(TODO|FIXME|XXX|HACK)\b(?! ?\(?#\d+)", line)
            assert found is None, f"{name_of(path)}:{number} carries no issue's number"


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        assert not OF_ONE_MACHINE.findall(text), name_of(path)


def functions() -> Iterator[tuple[Path, Function]]:
    for path in project_files(".py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, Function):
                yield path, node


def folders_of(path: Path) -> tuple[str, ...]:
    return path.relative_to(PROJECT).parts[:-1]


def is_error(base: ast.expr) -> bool:
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return name.endswith(("Error", "Exception"))
