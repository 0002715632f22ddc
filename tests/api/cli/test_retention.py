"""``retention``, with a service running and without."""

from pathlib import Path

import pytest

from tests.support.commands import command


def test_it_is_set_shown_and_tried(folder: Path) -> None:
    ran = command("retention", "set", "--decisions", "36", "--data", folder)
    assert (ran.code, ran.record["decision_months"]) == (0, 36)
    setting, *months = command("retention", "show", "--data", folder).records
    assert setting["decision_months"] == 36
    assert setting["longest_duty"].startswith("120 ")
    assert [month["due"] for month in months] == [False] * len(months)
    for more in ((), ("--yes",)):
        ran = command("retention", "apply", *more, "--data", folder)
        assert ran.code == 0
        assert all(month["expired_at"] is None for month in ran.records[1:])
    shown = command("retention", "show", "--data", folder, on_terminal=True)
    assert "decision months" in shown.out
    ran = command("retention", "set", "--decisions", "for-good", "--data", folder)
    assert ran.record["decision_months"] is None


@pytest.mark.parametrize("months", ["0", "-1", "1201", "three", "3.5", ""])
def test_wrong_months_are_2(folder: Path, months: str) -> None:
    assert command("retention", "set", "--decisions", months, "--data", folder).code == 2


def test_what_is_not_there_is_3(tmp_path: Path) -> None:
    for act in (("show",), ("apply",), ("set", "--decisions", "12")):
        assert command("retention", *act, "--data", tmp_path / "none").code == 3
