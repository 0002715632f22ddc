"""A person's bundle that was altered is not genuine, and what was done to its story is named."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import verify
from consent.ledger.leaf import Log
from consent.ledger.notes import sign_note
from tests.support import databases
from tests.support.bundles import altered, damage, members_of, packed, verified
from tests.support.consents import ANN
from tests.support.exports import SHOWN, export_of, live_through, public_keys
from tests.support.gates import BY_DAY, desk

STORY, ROWS = "trail.jsonl", "trail.csv"
DISCLOSED = "disclosed/{}.jsonl"
ENTRIES = "logs/{}/entries.txt"


@dataclass(frozen=True)
class Signed:
    """A genuine bundle of Ann, its keys, and what signs it."""

    bundle: bytes
    keys: tuple[str, ...]
    secrets: dict[str, Ed25519PrivateKey]

    def again(self, members: dict[str, bytes]) -> bytes:
        """Sign the manifest anew for the files as they are now: the operator itself lies."""
        text = members["manifest"].decode().split("\n\n")[0]
        format_, said = text.split("\n")
        manifest = json.loads(said)
        manifest["files"] = {
            name: sha256(members[name]).hexdigest() for name in manifest["files"] if name in members
        }
        said = json.dumps(manifest, separators=(",", ":"), sort_keys=True)
        text = f"{format_}\n{said}\n"
        notes = [sign_note(text, origin, [secret]) for origin, secret in self.secrets.items()]
        signed = notes[0] + "".join(note.removeprefix(f"{text}\n") for note in notes[1:])
        return packed({**members, "manifest": signed.encode()})


@pytest.fixture(scope="module")
def signed(
    migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Signed]:
    folder = tmp_path_factory.mktemp("story")
    shutil.copyfile(migrated_sqlite_file, folder / "ledger.sqlite")
    engine = databases.open_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    with desk(engine, folder) as made:
        one = live_through(made.at(BY_DAY))
        bundle = export_of(one, folder, whose=ANN)
        keys = tuple(public_keys(one))
        ring, organisation = one.recorder.keys, one.organisation
        secrets = {
            key.split("+", maxsplit=1)[0]: ring.log_key(organisation, log)
            for key, log in zip(keys, (Log.CONSENT, Log.DECISIONS), strict=True)
        }
        yield Signed(bundle, keys, secrets)
    engine.dispose()


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(change(content.splitlines(keepends=True)))


def retold(place: int, old: str, new: str) -> Callable[[bytes], bytes]:
    def change(rows: list[bytes]) -> list[bytes]:
        assert old.encode() in rows[place]
        rows[place] = rows[place].replace(old.encode(), new.encode())
        return rows

    return lines(change)


def without(place: int) -> Callable[[bytes], bytes]:
    return lines(lambda rows: rows[:place] + rows[place + 1 :])


def swapped(a: int, b: int) -> Callable[[bytes], bytes]:
    def change(rows: list[bytes]) -> list[bytes]:
        rows[a], rows[b] = rows[b], rows[a]
        return rows

    return lines(change)


def doubled(place: int) -> Callable[[bytes], bytes]:
    return lines(lambda rows: rows[: place + 1] + rows[place:])


Named = list[tuple[str, str | None, int | None]]
ALTERED: dict[str, tuple[str, Callable[[bytes], bytes], Named]] = {
    "a swapped disclosure text": (
        STORY,
        retold(1, SHOWN, "By ticking nothing you agree to all."),
        [("changed_story", "consent", 0)],
    ),
    "the disclosure text swapped where it is disclosed": (
        DISCLOSED.format("consent"),
        retold(0, SHOWN, "By ticking nothing you agree to all."),
        [("changed_payload", "consent", 0)],
    ),
    "a changed time": (
        STORY,
        retold(3, '"occurred_at":"2026-11-20', '"occurred_at":"2026-11-19'),
        [("changed_story", "consent", 2)],
    ),
    "a changed time of recording": (
        STORY,
        retold(1, '"recorded_at":"2026', '"recorded_at":"2025'),
        [("changed_story", "consent", 0), ("changed_story", "consent", 0)],
    ),
    "a changed time in the leaf": (
        ENTRIES.format("consent"),
        retold(1, '"occurred_at":"2026-11-20', '"occurred_at":"2026-11-19'),
        [("changed_leaf", "consent", 2)],
    ),
    "a decision whose reasons were edited": (
        STORY,
        retold(4, "consent_revoked", "consent_expired"),
        [("changed_story", "decisions", 3)],
    ),
    "a decision whose reasons were edited where they are disclosed": (
        DISCLOSED.format("decisions"),
        retold(2, "consent_revoked", "consent_expired"),
        [("changed_payload", "decisions", 3)],
    ),
    "one event left out of the story": (STORY, without(3), [("changed_story", "consent", 2)]),
    "the last decision left out of the story": (
        STORY,
        without(4),
        [("changed_story", "decisions", 3)],
    ),
    "two in the other order": (
        STORY,
        swapped(1, 2),
        [("changed_story", "consent", 0), ("changed_story", "consent", 2)],
    ),
    "one told twice": (STORY, doubled(1), [("changed_story", "decisions", 1)]),
    "a line that is none": (
        STORY,
        lines(lambda rows: [*rows[:1], b"{\n", *rows[2:]]),
        [("changed_story", "consent", 0)],
    ),
    "a line more at the end": (
        STORY,
        lines(lambda rows: [*rows, rows[-1]]),
        [("changed_story", None, None)],
    ),
    "a row left out": (ROWS, without(2), [("changed_story", "consent", 0)]),
    "a row changed": (ROWS, retold(2, "web_form", "paper"), [("changed_story", "consent", 0)]),
    "the verdict of a row": (ROWS, retold(5, "deny", "allow"), [("changed_story", "decisions", 3)]),
    "a row more": (ROWS, lines(lambda rows: [*rows, rows[-1]]), [("changed_story", None, None)]),
    "another column": (ROWS, retold(0, "verdict", "result"), [("changed_story", None, None)]),
}


def test_it_is_genuine_as_it_is(signed: Signed, tmp_path: Path) -> None:
    assert damage(signed.bundle, tmp_path, *signed.keys) == []
    assert damage(signed.again(members_of(signed.bundle)), tmp_path, *signed.keys) == []


@pytest.mark.parametrize("how", ALTERED)
def test_what_was_altered_is_named(signed: Signed, tmp_path: Path, how: str) -> None:
    name, change, named = ALTERED[how]
    bundle = altered(signed.bundle, name, change)
    found = damage(bundle, tmp_path, *signed.keys)
    assert [one for one in found if one in named] == named
    assert {kind for kind, *_ in found} <= {named[0][0], "changed_story"}
    # Nor does it help to have the manifest signed anew by the very operator.
    again = signed.again(members_of(bundle))
    assert [one for one in damage(again, tmp_path, *signed.keys) if one in named] == named


@pytest.mark.parametrize("log", ["consent", "decisions"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_entry_left_out_of_everything_is_missed(
    signed: Signed, tmp_path: Path, log: str, place: int
) -> None:
    """With its disclosure, its line and its row, and the manifest signed anew by the operator."""
    members = members_of(signed.bundle)
    label, leaf = members[ENTRIES.format(log)].splitlines(keepends=True)[place].split(b" ", 1)
    is_index, is_stranger = b'"type":"index"' in leaf, b'"subject":null' in leaf
    kept = b'{"index":%b,"leaf":%b' % (label, leaf.rstrip(b"\n"))
    rows = members[STORY].splitlines(keepends=True)
    at = [place for place, row in enumerate(rows) if row.startswith(kept)]
    members[ENTRIES.format(log)] = without(place)(members[ENTRIES.format(log)])
    if at:
        members[DISCLOSED.format(log)] = without(place)(members[DISCLOSED.format(log)])
        members[STORY] = without(at[0])(members[STORY])
        members[ROWS] = without(at[0] + 1)(members[ROWS])
    found = damage(signed.again(members), tmp_path, *signed.keys)
    if is_stranger and not is_index:
        # What README.txt says is not proved: it names nobody, so that no chain misses it.
        assert found == []
        return
    assert [one[:2] for one in found] != []
    assert {one[1] for one in found} == {log}
    assert {one[0] for one in found} <= {"broken_chain", "cut_trail", "missing_entry"}


def test_that_somebody_has_no_decisions_cannot_be_made_up(signed: Signed, tmp_path: Path) -> None:
    members = members_of(signed.bundle)
    name = "logs/decisions/heads.jsonl"
    row = json.loads(members[name])
    claim = {"absent": row["head"]["subject"], "beside": []}
    found = damage_without_decisions(signed, members | {name: json.dumps(claim).encode()}, tmp_path)
    assert ("unproved_end", "decisions", None) in found
    claim["beside"] = [row]
    found = damage_without_decisions(signed, members | {name: json.dumps(claim).encode()}, tmp_path)
    assert ("unproved_end", "decisions", None) in found


def damage_without_decisions(
    signed: Signed, members: dict[str, bytes], folder: Path
) -> list[tuple[str, str | None, int | None]]:
    """Leave all decisions of the person out, and sign that."""
    raw = members[ENTRIES.format("decisions")].splitlines(keepends=True)
    left = [line for line in raw if b'"subject":null' in line]
    members = members | {ENTRIES.format("decisions"): b"".join(left)}
    disclosed = members[DISCLOSED.format("decisions")].splitlines(keepends=True)
    members[DISCLOSED.format("decisions")] = disclosed[0]
    return damage(signed.again(members), folder, *signed.keys)


@pytest.mark.parametrize("name", ["README.txt", "trail.txt", "verify.py", "keys.txt"])
def test_a_document_that_was_edited_is_named(signed: Signed, tmp_path: Path, name: str) -> None:
    bundle = altered(signed.bundle, name, lambda raw: raw[:-2] + b"!" + raw[-1:])
    found = verified(bundle, tmp_path, *signed.keys)["damage"]
    assert any(one.get("file") == name for one in found)


@pytest.mark.slow
def test_no_byte_of_any_file_can_change_unseen(signed: Signed, tmp_path: Path) -> None:
    """One bit of each byte in turn, in all files but the two that only the manifest knows."""
    members = members_of(signed.bundle)
    keys = [verify.PublicKey.parse(key) for key in signed.keys]
    path = tmp_path / "bundle.zip"
    for name, content in members.items():
        step = 199 if name in {"verify.py", "README.txt"} or "/tile/" in name else 11
        for place in range(0, len(content), step):
            changed = bytearray(content)
            changed[place] ^= 1 << place % 8
            path.write_bytes(packed({**members, name: bytes(changed)}))
            found = verify.verify(path, keys).found
            assert found.count, f"{name}: the byte at {place} changed unseen"
            assert all(one.kind != "altered" for one in found.named), (name, place)


def kept(signed: Signed, folder: Path, log: str, **changed: Any) -> verify.KeptNote:
    """A checkpoint as an auditor kept it, genuine or with a line of it changed and signed."""
    note = members_of(signed.bundle)[f"logs/{log}/checkpoint"].decode()
    origin, size, root = note.split("\n")[:3]
    told = {"origin": origin, "size": size, "root": root} | changed
    if changed:
        text = "{origin}\n{size}\n{root}\n".format(**told)
        note = sign_note(text, origin, [signed.secrets[origin]])
    path = folder / f"{log}.note"
    path.write_text(note)
    return verify.KeptNote.read(path)


def held_against(signed: Signed, folder: Path, note: verify.KeptNote) -> list[tuple[str, str]]:
    path = folder / "bundle.zip"
    path.write_bytes(signed.bundle)
    keys = [verify.PublicKey.parse(key) for key in signed.keys]
    return [(one.kind, one.file or "") for one in verify.verify(path, keys, [note]).found.named]


def test_a_bundle_is_held_against_a_checkpoint_that_was_kept(
    signed: Signed, tmp_path: Path
) -> None:
    assert held_against(signed, tmp_path, kept(signed, tmp_path, "consent")) == []
    other = kept(signed, tmp_path, "consent", root="A" * 43 + "=")
    assert held_against(signed, tmp_path, other) == [("rewritten", "consent.note")]


def test_what_cannot_be_compared_is_not_genuine(signed: Signed, tmp_path: Path) -> None:
    later = kept(signed, tmp_path, "consent", size="99")
    assert held_against(signed, tmp_path, later) == [("not_compared", "consent.note")]
    shorter = kept(signed, tmp_path, "consent", size="2")
    # All entries of so short a log lie in one tile, whose root of two is not that of four.
    assert held_against(signed, tmp_path, shorter) == [("rewritten", "consent.note")]


def test_a_checkpoint_of_another_log_or_key_is_named(signed: Signed, tmp_path: Path) -> None:
    path = tmp_path / "other.note"
    secret = Ed25519PrivateKey.generate()
    path.write_text(
        sign_note(f"ledger.example/other\n4\n{'A' * 43}=\n", "ledger.example/other", [secret])
    )
    note = verify.KeptNote.read(path)
    assert held_against(signed, tmp_path, note) == [("other_key", "other.note")]
    path.write_text("no note")
    with pytest.raises(verify.UnreadableError, match="no checkpoint"):
        verify.KeptNote.read(path)
