"""``keys`` and ``organisations``, with a service running and without."""

from pathlib import Path

from tests.support.commands import command


def test_a_key_is_made_listed_and_revoked(folder: Path) -> None:
    roles = ("--role", "sender", "--role", "collector")
    made = command("keys", "create", *roles, "--person", "Grace", "--data", folder).record
    assert set(made) == {"id", "token", "person", "roles", "prefix", "recorded_at"}
    assert made["roles"] == ["sender", "collector"]
    listed = {k["id"]: k for k in command("keys", "list", "--data", folder).records}
    assert listed[made["id"]]["revoked_at"] is None
    assert "token" not in listed[made["id"]]
    revoked = command("keys", "revoke", made["id"], "--data", folder).record
    assert revoked["revoked_at"] is not None


def test_a_person_sees_a_table(folder: Path) -> None:
    shown = command("keys", "list", "--data", folder, on_terminal=True).out
    for word in ("person", "roles", "prefix", "Admin", "admin"):
        assert word in shown
    assert "{" not in shown
    forced = command("keys", "list", "--data", folder, "--json", on_terminal=True)
    assert "Admin" in {record["person"] for record in forced.records}


def test_what_is_wrong_with_the_question_is_2(folder: Path) -> None:
    for wrong in (
        ("keys", "create", "--role", "sender"),
        ("keys", "create", "--role", "king", "--person", "Ada"),
        ("keys", "create", "--role", "sender", "--person", "ada@example.com"),
        ("keys", "revoke", "key_0000000000000000"),
        ("keys", "list", "--organisation", "org_nobody"),
    ):
        ran = command(*wrong, "--data", folder)
        assert (ran.code, ran.out) == (2, ""), wrong
        assert ran.err


def test_one_of_several_organisations_has_to_be_named(tmp_path: Path) -> None:
    first = command("init", "--data", tmp_path / "data").record["organisation"]
    second = command("organisations", "create", "Beta", "--data", tmp_path / "data").record
    assert set(second) == {"id", "name", "recorded_at"}
    unnamed = command("keys", "list", "--data", tmp_path / "data")
    assert unnamed.code == 2
    assert first in unnamed.err
    assert second["id"] in unnamed.err
    named = command("keys", "list", "--data", tmp_path / "data", "--organisation", second["id"])
    assert (named.code, named.out) == (0, "")
