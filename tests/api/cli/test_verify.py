"""``verify``: the same file and the same exit codes as alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from audit.exports.parts import LogRange, WholeLog
from consent.ledger.leaf import Log
from tests.support.bundles import Ledger, a_ledger, altered
from tests.support.commands import command
from tests.support.consents import a_key_ring


@pytest.fixture
def ledger(engine: sa.Engine, tmp_path: Path) -> Iterator[Ledger]:
    with a_ledger(engine, a_key_ring(tmp_path / "keys")) as one:
        yield one


def test_a_bundle_is_verified_without_a_service(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(ledger.bundle(WholeLog(Log.CONSENT)))
    genuine = command("verify", path, "--key", ledger.keys())
    assert (genuine.code, genuine.record["verdict"]) == (0, "genuine")
    people = command("verify", path, "--key", ledger.keys(), on_terminal=True)
    assert people.out.startswith("GENUINE  bundle.zip\n")
    assert command("verify", path, "--json", on_terminal=True).record["verdict"] == "genuine"


def test_damage_is_exit_code_1_and_what_cannot_be_read_is_3(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    bundle = ledger.bundle(LogRange(Log.CONSENT, 3, 11))
    path.write_bytes(
        altered(bundle, "logs/consent/entries.txt", lambda raw: raw.partition(b"\n")[2])
    )
    damaged = command("verify", path)
    assert damaged.code == 1
    (named,) = damaged.record["damage"]
    assert (named["kind"], named["log"], named["index"]) == ("missing_entry", "consent", 3)
    path.write_text("no bundle")
    for arguments in ([path], [tmp_path / "nowhere.zip"], [path, "--key", "no key"]):
        unreadable = command("verify", *arguments)
        assert (unreadable.code, unreadable.out) == (3, "")
        assert unreadable.err.startswith("verify: ")
