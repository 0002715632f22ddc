"""Packages import downwards only, and rules asks nothing but facts."""

import ast
import subprocess
import sys
import tomllib

import pytest

from tests.support.project import PACKAGES, PROJECT, name_of, parsed, project_files

# What pure functions may use of Python's own library. `zoneinfo` reads time-zone data and
# nothing else.
ALLOWED_IN_RULES = frozenset(
    {
        "__future__", "abc", "bisect", "calendar", "collections", "dataclasses", "datetime",
        "decimal", "enum", "fractions", "functools", "heapq", "itertools", "math", "operator",
        "re", "string", "types", "typing", "unicodedata", "zoneinfo",
    }
)  # fmt: skip


def test_the_import_contracts_are_kept() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 broken" in ran.stdout, ran.stdout


def test_the_layers_are_all_packages_from_the_top_down() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert layers == list(PACKAGES)


def test_rules_imports_itself_and_what_is_pure() -> None:
    foreign = {
        f"{name_of(path)}: {module}"
        for path in project_files(".py")
        if path.is_relative_to(PROJECT / "rules")
        for module in imported_modules(parsed(path))
        if module.split(".")[0] not in ALLOWED_IN_RULES | {"rules"}
    }
    assert not foreign


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_opens_with_what_is_in_it(package: str) -> None:
    for path in (PROJECT / package).rglob("__init__.py"):
        assert ast.get_docstring(parsed(path)), f"{name_of(path)} says nothing"


def test_the_migrations_do_not_hide_the_library_they_need() -> None:
    assert not (PROJECT / "alembic" / "__init__.py").exists()
    ran = subprocess.run(
        [sys.executable, "-c", "import alembic.command; print(alembic.__version__)"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def imported_modules(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole way"
            assert node.module is not None
            found.add(node.module)
    return found
