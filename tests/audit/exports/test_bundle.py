"""What a bundle holds, on both databases; whether it is right is for other code to say."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from subprocess import run

import pytest
import sqlalchemy as sa

from audit import verify
from audit.errors import ExportError
from audit.exports.container import Container
from audit.exports.parts import LogRange, WholeLog
from consent import linking
from consent.events import RecordedKind
from consent.ledger import tables
from consent.ledger.entries import read_entries
from consent.ledger.leaf import Log
from consent.ledger.log import append_many
from consent.linking import LinkInput
from tests.support.bundles import Ledger, a_ledger, damage, members_of, sign, verified
from tests.support.consents import ANN, BOB, DAY, NOW, a_key_ring, an_event
from tests.support.ledgers import an_entry

WHOLE = WholeLog(Log.CONSENT)


def test_a_whole_log_is_genuine(ledger: Ledger, tmp_path: Path) -> None:
    summary = verified(ledger.bundle(WHOLE), tmp_path, ledger.keys())
    assert summary["verdict"] == "genuine"
    assert [(log["log"], log["entries"], log["size"]) for log in summary["logs"]] == [
        ("consent", 16, 16)
    ]
    assert summary["keys_are_given"]


@pytest.mark.parametrize(("start", "end"), [(0, 16), (0, 1), (3, 11), (15, 16), (5, 5)])
def test_a_range_is_genuine(ledger: Ledger, tmp_path: Path, start: int, end: int) -> None:
    bundle = ledger.bundle(LogRange(Log.CONSENT, start, end))
    (log,) = verified(bundle, tmp_path, ledger.keys())["logs"]
    assert (log["entries"], log["from"], log["to"]) == (end - start, start, end)
    assert damage(bundle, tmp_path) == []


def test_the_trail_of_linked_addresses_is_whole_and_each_end_is_proved(
    ledger: Ledger, tmp_path: Path
) -> None:
    one = ledger.recorder
    linking.link(
        one.connection,
        one.organisation,
        LinkInput(addresses=(ANN, BOB)),
        keys=one.keys,
        now=one.now,
    )
    person = one.load_one(ANN)
    assert person.subject is not None
    assert (person.subject, *person.linked) == (ledger.ann, ledger.bob)
    bundle = ledger.bundle(ledger.trail(person.subject, *person.linked))
    summary = verified(bundle, tmp_path, ledger.keys())
    assert summary["verdict"] == "genuine"
    (log,) = summary["logs"]
    assert (log["entries"], log["disclosed"], log["end_is_proved"]) == (19, 18, True)
    # Of one of them alone it tells whose trail is missing, and no address of theirs.
    alone = b"".join(members_of(ledger.bundle(ledger.trail(ledger.ann))).values())
    assert ledger.bob.hex().encode() in alone
    assert b"bob@example.com" not in alone


def test_a_trail_holds_all_of_one_person_and_nothing_of_another(
    ledger: Ledger, tmp_path: Path
) -> None:
    bundle = ledger.bundle(ledger.trail(ledger.ann))
    summary = verified(bundle, tmp_path, ledger.keys())
    assert summary["verdict"] == "genuine"
    (log,) = summary["logs"]
    assert (log["entries"], log["disclosed"], log["end_is_proved"]) == (9, 8, True)
    everything = b"".join(members_of(bundle).values())
    assert b"+12125550123" in everything
    assert b"bob@example.com" not in everything
    assert ledger.bob.hex().encode() not in everything


def test_leaves_stand_as_they_are_stored(ledger: Ledger) -> None:
    one = ledger.recorder
    stored = read_entries(one.connection, one.organisation, Log.CONSENT, 3, 11)
    members = members_of(ledger.bundle(LogRange(Log.CONSENT, 3, 11)))
    lines = members["logs/consent/entries.txt"].splitlines()
    assert lines == [b"%d %b" % (entry.index, entry.leaf) for entry in stored]


def test_the_same_state_gives_the_same_bytes(ledger: Ledger) -> None:
    trail = ledger.trail(ledger.ann)
    for part in (WHOLE, LogRange(Log.CONSENT, 2, 9), trail):
        assert ledger.bundle(part) == ledger.bundle(part)


def test_a_trail_that_grew_after_its_index_is_genuine(ledger: Ledger, tmp_path: Path) -> None:
    trail = ledger.trail(ledger.ann)
    ledger.recorder.record_one(ANN, an_event(RecordedKind.REVOKE))
    sign(ledger.recorder, Log.CONSENT, at=NOW)
    assert damage(ledger.bundle(trail), tmp_path, ledger.keys()) == []


def test_what_is_erased_is_withheld_and_the_trail_is_genuine(
    ledger: Ledger, tmp_path: Path
) -> None:
    trail = ledger.trail(ledger.ann)
    connection = ledger.recorder.connection
    connection.execute(
        sa.delete(tables.subject_key).where(tables.subject_key.c.subject == ledger.ann)
    )
    bundle = ledger.bundle(trail)
    assert b"5550123" not in b"".join(members_of(bundle).values())
    rows = [json.loads(row) for row in members_of(bundle)["disclosed/consent.jsonl"].splitlines()]
    assert {row.get("withheld") for row in rows} == {"key_destroyed"}
    assert damage(bundle, tmp_path, ledger.keys()) == []


def test_several_logs_stand_in_one_bundle(ledger: Ledger, tmp_path: Path) -> None:
    one = ledger.recorder
    trail = ledger.trail(ledger.ann)
    append_many(one.connection, one.organisation, Log.RULES, [an_entry()] * 1, recorded_at=one.now)
    sign(one, Log.RULES, at=one.now)
    bundle = ledger.bundle(trail, WholeLog(Log.RULES))
    summary = verified(bundle, tmp_path, ledger.keys(), ledger.keys(Log.RULES))
    assert summary["verdict"] == "genuine"
    assert [log["log"] for log in summary["logs"]] == ["consent", "rules"]
    # Whoever trusts the key of one log only is told that the other is not theirs to trust.
    assert "other_key" in {kind for kind, *_ in damage(bundle, tmp_path, ledger.keys())}


def test_what_is_added_is_vouched_for(ledger: Ledger, tmp_path: Path) -> None:
    bundle = ledger.bundle(WHOLE, extras=[("report.html", [b"<p>one", b" two</p>"])])
    assert members_of(bundle)["report.html"] == b"<p>one two</p>"
    assert damage(bundle, tmp_path) == []


def test_nothing_is_exported_beyond_what_was_signed(ledger: Ledger) -> None:
    with pytest.raises(ExportError, match="not until 17 yet"):
        ledger.bundle(LogRange(Log.CONSENT, 0, 17))
    with pytest.raises(ExportError, match="has not been signed"):
        ledger.bundle(WholeLog(Log.ACCESS))


def test_a_checkpoint_of_each_day_is_kept(ledger: Ledger, tmp_path: Path) -> None:
    later = ledger.recorder.at(NOW - DAY / 2)
    later.record_one(ANN, an_event(RecordedKind.REVOKE))
    sign(later, Log.CONSENT, at=later.now)
    names = {name for name in members_of(ledger.bundle(WHOLE)) if "/checkpoint" in name}
    # Of the last day, which ended at noon of this one, the one of size 16 is not the last.
    assert {name.removeprefix("logs/consent/") for name in names} == {
        "checkpoint",
        "checkpoints/4",
        "checkpoints/8",
        "checkpoints/16",
    }


@pytest.mark.slow
def test_it_verifies_on_a_machine_without_the_product(ledger: Ledger, tmp_path: Path) -> None:
    """The copy in the bundle, in an empty folder, where nothing of ours can be imported."""
    bundle = ledger.bundle(ledger.trail(ledger.ann))
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "verify.py").write_bytes(members_of(bundle)["verify.py"])
    (tmp_path / "alone" / "bundle.zip").write_bytes(bundle)
    (tmp_path / "alone" / "keys.txt").write_text(ledger.keys() + "\n")
    command = [sys.executable, "-I", "verify.py", "bundle.zip", "--key", "keys.txt"]
    done = run(command, cwd=tmp_path / "alone", capture_output=True, check=False, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "genuine"


@pytest.mark.slow
def test_a_log_of_several_tiles_is_genuine(engine: sa.Engine, tmp_path: Path) -> None:
    with a_ledger(engine, a_key_ring(tmp_path / "keys"), events=600) as ledger:
        for part in (WHOLE, LogRange(Log.CONSENT, 255, 513), ledger.trail(ledger.bob)):
            assert damage(ledger.bundle(part), tmp_path, ledger.keys()) == []


def test_a_container_is_a_plain_zip_file_that_ends_with_its_digest() -> None:
    sink = io.BytesIO()
    with Container(sink) as container:
        digest = container.add("a.txt", [b"one ", b"two"])
        container.add("b", [b"\0" * 64], is_random=True)
    assert digest == hashlib.sha256(b"one two").hexdigest()
    with zipfile.ZipFile(io.BytesIO(sink.getvalue())) as archive:
        assert archive.testzip() is None
        assert archive.read("a.txt") == b"one two"
        comment = archive.comment
    before = sink.getvalue().removesuffix(comment)
    assert comment == b"sha256:" + hashlib.sha256(before).hexdigest().encode()


def test_verify_imports_nothing_of_ours() -> None:
    source = Path(verify.__file__).read_text(encoding="utf-8")
    imported = {
        line.split()[1].partition(".")[0]
        for line in source.splitlines()
        if line.lstrip().startswith(("import ", "from ")) and " import " in f"{line} import "
    }
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
