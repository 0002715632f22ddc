"""``export``, ``verify --checkpoint`` and ``access``, with a service running and without."""

from pathlib import Path

from tests.support.bundles import members_of
from tests.support.commands import command

ANN = "+12125550123"


def test_a_trail_is_exported_verified_and_on_record(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "ann.zip"
    job = command("export", "--address", ANN, "--out", target, "--data", folder).record
    assert (job["state"], job["file"], job["file_size"]) == (
        "done",
        str(target),
        target.stat().st_size,
    )
    assert command("verify", target).record["verdict"] == "genuine"
    assert "Nothing is on record." in members_of(target.read_bytes())["trail.txt"].decode()
    assert [path.name for path in tmp_path.iterdir()] == ["ann.zip"]
    download, asked, *_ = command("access", "--data", folder).records
    assert (download["kind"], asked["kind"], asked["key"]) == ("download", "export", "operator")
    assert download["statement"]["export"] == job["id"]
    of_ann = command("access", "--address", ANN, "--data", folder)
    assert (of_ann.code, of_ann.out) == (0, "")  # She has no id that anybody could have read.


def test_a_bundle_can_be_compared_with_the_checkpoint_that_was_named(
    folder: Path, tmp_path: Path
) -> None:
    first, later = tmp_path / "first.zip", tmp_path / "later.zip"
    command("export", "--from", "2026-01-01T00:00:00Z", "--out", first, "--data", folder)
    note = tmp_path / "consent.note"
    note.write_bytes(members_of(first.read_bytes())["logs/consent/checkpoint"])
    asked = ("export", "--address", ANN, "--checkpoint", note, "--out", later, "--data", folder)
    assert command(*asked).code == 0
    held = command("verify", later, "--checkpoint", note)
    assert (held.code, held.record["verdict"]) == (0, "genuine")
    assert command("verify", first, "--checkpoint", tmp_path / "nowhere").code == 3


def test_wrong_use_is_told(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    nothing = command("export", "--out", target, "--data", folder)
    assert (nothing.code, nothing.out) == (2, "")
    assert "name an address, a sender, or from and to" in nothing.err
    (tmp_path / "note").write_text("no checkpoint")
    asked = ("export", "--address", ANN, "--checkpoint", tmp_path / "note")
    assert command(*asked, "--out", target, "--data", folder).code == 2
    assert not target.exists()


def test_people_see_what_became_of_it(folder: Path, tmp_path: Path) -> None:
    asked = ("export", "--address", ANN, "--out", tmp_path / "a.zip", "--data", folder)
    shown = command(*asked, on_terminal=True)
    assert shown.code == 0
    assert "a.zip" in shown.out
    assert "done" in shown.out
    assert "download" in command("access", "--data", folder, on_terminal=True).out
