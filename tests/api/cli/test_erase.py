"""``erase`` and ``keys rotate|renew|destroy``, with a service running and without."""

import shutil
from pathlib import Path

from tests.support.commands import command

ANN = "+12125550123"


def test_a_person_is_erased_and_the_certificate_is_printed(folder: Path) -> None:
    asked = ("erase", "--address", ANN, "--why", "request 7", "--data", folder)
    certificate = command(*asked).record
    assert certificate["log"] == "consent"
    assert certificate["suppressed"] == 1
    shown = command(*asked, on_terminal=True).out
    assert "it is suppressed" in shown
    assert ANN not in shown


def test_keys_are_rotated(folder: Path) -> None:
    done = command("keys", "rotate", "--data", folder).record
    assert set(done) == {"version", "persons", "unreadable", "destroyed", "kept"}
    assert done["destroyed"] == [f"organisation {done['version'] - 1}"]
    index = command("keys", "rotate", "--index", "--data", folder).record
    assert index["kept"] == [f"index {index['version'] - 1}"]


def test_a_person_nobody_knows_has_no_key_to_renew(folder: Path) -> None:
    ran = command("keys", "renew", "--address", "+12125550199", "--data", folder)
    assert (ran.code, ran.out) == (2, "")


def test_a_month_that_may_still_be_needed_is_not_destroyed(folder: Path) -> None:
    ran = command("keys", "destroy", "--decisions", "2999-01", "--data", folder)
    assert ran.code == 3
    assert "months before the last" in ran.err


def test_the_root_key_is_not_changed_under_a_running_service(folder: Path, tmp_path: Path) -> None:
    if (folder / "service.sock").exists():
        ran = command("keys", "rotate", "--root", "--data", folder)
        assert ran.code == 3
        assert "held by a running service" in ran.err
        return
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = (copy / "root.key").read_bytes()
    assert command("keys", "rotate", "--root", "--data", copy).code == 0
    assert (copy / "root.key").read_bytes() != before
    assert command("keys", "list", "--data", copy).code == 0


def test_what_excludes_each_other_is_wrong_use(folder: Path) -> None:
    for wrong in (("--index", "--root"), ("--to", "env:ROOT")):
        assert command("keys", "rotate", *wrong, "--data", folder).code == 2
