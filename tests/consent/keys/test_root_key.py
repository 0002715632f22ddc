"""A private file is new, its owner's only, and nobody else's file in between."""

import os
from pathlib import Path
from typing import Any

import pytest

from consent.keys.errors import KeyStoreError
from consent.keys.key_store import replace_file
from consent.keys.root_key import read_private, write_private


def test_nothing_that_lies_beside_gives_its_mode_or_its_place(tmp_path: Path) -> None:
    path, beside, other = tmp_path / "root.key", tmp_path / "root.key.new", tmp_path / "other"
    other.write_text("another's")
    beside.symlink_to(other)
    write_private(path, b"secret")
    assert read_private(path) == b"secret"
    assert not path.is_symlink()
    assert other.read_text() == "another's"
    path.unlink()
    beside.unlink()
    beside.touch(mode=0o644)
    write_private(path, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other", "root.key", "root.key.new"]


def test_a_file_is_replaced_whatever_was_left_beside_it(tmp_path: Path) -> None:
    path, beside, other = tmp_path / "keys", tmp_path / "keys.new", tmp_path / "other"
    other.write_text("another's")
    beside.symlink_to(other)
    replace_file(path, b"secret")
    assert read_private(path) == b"secret"
    assert not path.is_symlink()
    assert other.read_text() == "another's"


@pytest.mark.parametrize("has_links", [True, False])
def test_nothing_is_written_over_and_nothing_is_left_beside(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not has_links:
        monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "root.key"
    write_private(path, b"first")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyStoreError, match="is there already"):
        write_private(path, b"second")
    assert read_private(path) == b"first"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyStoreError, match="is there already"):
        write_private(path, b"third")
    assert [one.name for one in tmp_path.iterdir()] == ["root.key"]
