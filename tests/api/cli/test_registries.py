"""``registries``, with a service running and without."""

from pathlib import Path

from tests.support.commands import command


def test_a_copy_is_loaded_and_listed(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address\n+12125550123\n+12125550124\n")
    load = ("registries", "load", "us-national-dnc", file, "--as-of", "2026-01-05")
    loaded = command(*load, "--covers", "+1212", "--covers", "+1646", "--data", folder).record
    assert (loaded["registry"], loaded["as_of"], loaded["size"]) == (
        "us-national-dnc",
        "2026-01-05",
        2,
    )
    assert loaded["covers"] == ["+1212", "+1646"]
    again = command(*load, "--covers", "+1212", "--covers", "+1646", "--data", folder).record
    assert again == loaded
    (listed,) = command("registries", "list", "--data", folder).records
    assert listed["digest"] == loaded["digest"]
    file.write_text("address\n+12125550199\n")
    other = command(*load, "--data", folder)
    assert (other.code, other.out) == (3, "")


def test_a_file_that_cannot_be_read_whole_is_3_and_names_the_line(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address\n+12125550123\nnobody\n")
    ran = command("registries", "load", "us-rnd", file, "--as-of", "2026-01-05", "--data", folder)
    assert ran.code == 3
    assert "line 3" in ran.err
    assert "nobody" not in ran.err


def test_a_wrong_question_is_2(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("address\n")
    for wrong in (
        ("us-rnd", tmp_path / "none.csv", "--as-of", "2026-01-05"),
        ("us-rnd", file),
        ("us-rnd", file, "--as-of", "soon"),
        ("NO LIST", file, "--as-of", "2026-01-05"),
    ):
        assert command("registries", "load", *wrong, "--data", folder).code == 2, wrong
