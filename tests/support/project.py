"""The project's own files, for the tests that read them."""

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
PACKAGES = ("api", "audit", "consent", "jurisdictions", "rules")

_NOT_OURS = frozenset({"__pycache__", "build", "dist", "node_modules"})


def project_files(*suffixes: str) -> Iterator[Path]:
    """Give every file of the project with one of ``suffixes``, or all: what a clone has."""
    for folder, folders, names in os.walk(PROJECT):
        at_root = Path(folder) == PROJECT
        folders[:] = sorted(name for name in folders if not _is_foreign(name, at_root=at_root))
        for name in sorted(names):
            path = Path(folder, name)
            # In a second work tree .git is a file.
            if name == ".git":
                continue
            if not suffixes or path.suffix in suffixes:
                yield path


def _is_foreign(folder: str, *, at_root: bool) -> bool:
    if folder in _NOT_OURS or folder.endswith(".egg-info"):
        return True
    # ./data is what ./dev serve keeps; a package's data is ours.
    if at_root and folder == "data":
        return True
    return folder.startswith(".") and folder != ".ci"


def name_of(path: Path) -> str:
    """Name a file as a developer would, from the project's folder."""
    return path.relative_to(PROJECT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
