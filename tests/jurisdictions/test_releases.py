"""A release is named by all that it says, and knows whose law was read."""

import shutil
from pathlib import Path

from jurisdictions.loader import DATA
from jurisdictions.releases import bundled_release, digest_of


def test_the_same_files_are_the_same_release_wherever_they_lie(tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(DATA, copy)
    assert digest_of(copy) == digest_of(DATA)
    assert bundled_release().digest == f"sha256:{digest_of(copy)}"


def test_any_byte_of_any_file_makes_another_release(tmp_path: Path) -> None:
    copy = tmp_path / "edited"
    shutil.copytree(DATA, copy)
    edited = copy / "us" / "tcpa.yaml"
    edited.write_bytes(edited.read_bytes().replace(b'"08:00-21:00"', b'"08:00-20:00"'))
    assert digest_of(copy) != digest_of(DATA)
    edited.write_bytes((DATA / "us" / "tcpa.yaml").read_bytes())
    assert digest_of(copy) == digest_of(DATA)
    edited.rename(edited.with_name("tcpb.yaml"))
    assert digest_of(copy) != digest_of(DATA)


def test_a_state_of_the_union_without_a_sheet_is_researched_through_its_union() -> None:
    release = bundled_release()
    assert "LU" in release.researched - release.with_sheet
    assert "DE" in release.with_sheet
    assert "AQ" not in release.researched
