"""A bundle that was altered is not genuine, and what was done to it is named exactly."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import verify
from consent.ledger.notes import Verifier, sign_note
from tests.support.bundles import (
    Bundles,
    altered,
    damage,
    members_of,
    packed,
    signed_anew,
    verified,
)

LOG = "logs/consent/"
ENTRIES = f"{LOG}entries.txt"
DISCLOSED = "disclosed/consent.jsonl"
Change = Callable[[list[bytes]], list[bytes]]


def lines(change: Change) -> Callable[[bytes], bytes]:
    """Change a file line by line."""
    return lambda content: b"".join(change(content.splitlines(keepends=True)))


def swapped(rows: list[bytes], a: int, b: int) -> list[bytes]:
    rows[a], rows[b] = rows[b], rows[a]
    return rows


def relabelled(rows: list[bytes], a: int, b: int) -> list[bytes]:
    """Swap two leaves and leave the indexes in order."""
    (ia, la), (ib, lb) = rows[a].split(b" ", 1), rows[b].split(b" ", 1)
    rows[a], rows[b] = ia + b" " + lb, ib + b" " + la
    return rows


def without(rows: list[bytes], *places: int) -> list[bytes]:
    return [row for place, row in enumerate(rows) if place not in places]


def retold(rows: list[bytes], place: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in rows[place]
    rows[place] = rows[place].replace(old, new)
    return rows


def test_they_are_genuine_as_they_are(bundles: Bundles, tmp_path: Path) -> None:
    for bundle in (bundles.whole, bundles.part, bundles.trail):
        assert damage(bundle, tmp_path, bundles.public) == []
        assert damage(packed(members_of(bundle)), tmp_path) == []


PART: dict[str, tuple[Change, list[tuple[str, int | None]]]] = {
    "one left out at the start": (lambda r: without(r, 0), [("missing_entry", 3)]),
    "one left out in the middle": (lambda r: without(r, 4), [("missing_entry", 7)]),
    "one left out at the end": (lambda r: without(r, 7), [("missing_entry", 10)]),
    "several left out": (lambda r: without(r, 1, 2), [("missing_entry", 4), ("missing_entry", 5)]),
    "all left out": (lambda r: [], [("missing_entry", index) for index in range(3, 11)]),
    "one changed": (lambda r: retold(r, 2, b'"sms"', b'"mms"'), [("changed_leaf", 5)]),
    "a time changed": (
        lambda r: retold(r, 2, b'"recorded_at":"2026', b'"recorded_at":"2025'),
        [("changed_leaf", 5)],
    ),
    "two in the other order": (lambda r: swapped(r, 2, 3), [("reordered", 5)]),
    "two under each other's index": (
        lambda r: relabelled(r, 2, 3),
        [("reordered", 5), ("reordered", 6)],
    ),
    "one twice": (lambda r: [*r, r[-1]], [("reordered", 10)]),
    "one made up": (
        lambda r: [*r, b'11 {"actor":null}\n'],
        [("added_entry", 11)],
    ),
    "one beyond the log": (lambda r: [*r, b"99 {}\n"], [("broken_file", None)]),
}


@pytest.mark.parametrize("how", PART)
def test_entries_of_a_range(bundles: Bundles, tmp_path: Path, how: str) -> None:
    change, named = PART[how]
    found = damage(altered(bundles.part, ENTRIES, lines(change)), tmp_path)
    assert sorted(found, key=lambda one: (one[0], one[2] or 0)) == [
        (kind, "consent", index) for kind, index in named
    ]


TRAIL: dict[str, tuple[str, Change, list[tuple[str, int | None]]]] = {
    "one left out in the middle": (ENTRIES, lambda r: without(r, 3), [("unknown_disclosure", 6)]),
    "the last left out": (ENTRIES, lambda r: without(r, 7), [("unknown_disclosure", 14)]),
    "the index left out": (ENTRIES, lambda r: without(r, 8), [("missing_entry", 16)]),
    "one changed": (ENTRIES, lambda r: retold(r, 2, b'"sms"', b'"mms"'), [("changed_leaf", 4)]),
    "a payload changed": (
        DISCLOSED,
        lambda r: retold(r, 2, b"event", b"Event"),
        [("changed_payload", 4)],
    ),
    "a disclosure left out": (DISCLOSED, lambda r: without(r, 2), [("missing_disclosure", 4)]),
    "a disclosure of nothing here": (
        DISCLOSED,
        lambda r: [*r, b'{"index":15,"payload":"{}","salt":"00"}\n'],
        [("unknown_disclosure", 15)],
    ),
    "a payload withheld that was not": (
        DISCLOSED,
        lambda r: [b'{"index":0,"withheld":"damaged"}\n', *r[1:]],
        [("changed_file", None)],
    ),
    "a payload withheld as erased, of somebody who was not": (
        DISCLOSED,
        lambda r: [b'{"index":0,"withheld":"erased"}\n', *r[1:]],
        [("unfounded", 0)],
    ),
    "a disclosure cut": (DISCLOSED, lambda r: [r[0][:40] + b"\n", *r[1:]], [("broken_file", None)]),
}


@pytest.mark.parametrize("how", TRAIL)
def test_a_trail(bundles: Bundles, tmp_path: Path, how: str) -> None:
    name, change, named = TRAIL[how]
    found = damage(altered(bundles.trail, name, lines(change)), tmp_path)
    assert found[: len(named)] == [
        (kind, None if kind == "changed_file" else "consent", index) for kind, index in named
    ]
    assert len(found) == len(named)


def without_an_entry(bundles: Bundles, place: int) -> bytes:
    """Leave an entry of the trail out, with all that belongs to it."""
    members = members_of(bundles.trail)
    for name in (ENTRIES, DISCLOSED):
        members[name] = b"".join(without(members[name].splitlines(keepends=True), place))
    return packed(members)


@pytest.mark.parametrize(
    ("place", "kind", "index"),
    # The next entry of the person does not follow; after the last, the index knows another.
    [(0, "broken_chain", 2), (3, "broken_chain", 8), (7, "cut_trail", 16)],
)
def test_an_entry_left_out_of_a_trail_with_all_that_belongs_to_it(
    bundles: Bundles, tmp_path: Path, place: int, kind: str, index: int
) -> None:
    bundle = without_an_entry(bundles, place)
    assert damage(bundle, tmp_path) == [(kind, "consent", index)]
    # Nor does it help to have the manifest signed anew by the very operator.
    again = signed_anew(bundle, bundles.secret, bundles.public)
    assert damage(again, tmp_path, bundles.public) == [(kind, "consent", index)]
    assert str(place + 1) in verified(again, tmp_path)["damage"][0]["detail"]


def test_a_swapped_disclosure_is_told_from_a_changed_one(bundles: Bundles, tmp_path: Path) -> None:
    def swap(rows: list[bytes]) -> list[bytes]:
        first, second = json.loads(rows[1]), json.loads(rows[2])
        first["index"], second["index"] = second["index"], first["index"]
        return [rows[0], *(json.dumps(row).encode() + b"\n" for row in (second, first)), *rows[3:]]

    bundle = altered(bundles.trail, DISCLOSED, lines(swap))
    named = [("swapped_payload", "consent", 2), ("swapped_payload", "consent", 4)]
    assert damage(bundle, tmp_path) == named
    assert damage(signed_anew(bundle, bundles.secret, bundles.public), tmp_path) == named


def test_the_proof_of_a_trails_end_is_held_against_the_index(
    bundles: Bundles, tmp_path: Path
) -> None:
    def shorten(content: bytes) -> bytes:
        return content.replace(b'"head_seq":8', b'"head_seq":7')

    bundle = altered(bundles.trail, f"{LOG}heads.jsonl", shorten)
    again = signed_anew(bundle, bundles.secret, bundles.public)
    assert damage(again, tmp_path) == [("unproved_end", "consent", None)]
    members = members_of(bundles.trail)
    members[f"{LOG}heads.jsonl"] = b""
    again = signed_anew(packed(members), bundles.secret, bundles.public)
    assert damage(again, tmp_path) == [("unproved_end", "consent", None)]


def split_bundle(raw: bytes) -> list[bytes]:
    found = []
    while raw:
        end = 2 + int.from_bytes(raw[:2], "big")
        found.append(raw[:end])
        raw = raw[end:]
    return found


WHOLE: dict[str, tuple[Change, list[tuple[str, int | None]]]] = {
    "one left out at the start": (lambda r: without(r, 0), [("missing_entry", 256)]),
    "one left out in the middle": (lambda r: without(r, 100), [("missing_entry", 356)]),
    "one left out at the end": (lambda r: without(r, 255), [("missing_entry", 511)]),
    "one changed": (lambda r: retold(r, 7, b'"sms"', b'"mms"'), [("changed_leaf", 263)]),
    "two swapped": (lambda r: swapped(r, 7, 8), [("reordered", 263)]),
    "one twice": (lambda r: [*r, r[-1]], [("reordered", 511)]),
    "one made up": (lambda r: [*r, b"\0\2{}"], [("added_entry", 512)]),
    "cut within one": (
        lambda r: [*r[:-1], r[-1][:-1]],
        [("broken_file", None), ("missing_entry", 511)],
    ),
}


@pytest.mark.parametrize("how", WHOLE)
def test_entries_of_a_whole_log(bundles: Bundles, tmp_path: Path, how: str) -> None:
    change, named = WHOLE[how]
    bundle = altered(
        bundles.large, f"{LOG}tile/entries/001", lambda raw: b"".join(change(split_bundle(raw)))
    )
    found = damage(bundle, tmp_path)
    assert found == [(kind, "consent", index) for kind, index in named]


@pytest.mark.parametrize("tile", ["0/000", "0/001", "0/002.p/88", "1/000.p/2"])
def test_a_changed_tile_is_named_and_its_entries_are_not(
    bundles: Bundles, tmp_path: Path, tile: str
) -> None:
    name = f"{LOG}tile/{tile}"
    bundle = altered(bundles.large, name, lambda raw: bytes([raw[0] ^ 1]) + raw[1:])
    named = [(one["kind"], one["file"]) for one in verified(bundle, tmp_path)["damage"]]
    assert named == [("changed_tile", name)]


@pytest.mark.parametrize("tile", ["0/000", "0/002.p/88", "1/000.p/2", "entries/001"])
def test_a_missing_tile_is_named(bundles: Bundles, tmp_path: Path, tile: str) -> None:
    members = members_of(bundles.large)
    del members[f"{LOG}tile/{tile}"]
    found = verified(packed(members), tmp_path)["damage"]
    assert (found[0]["kind"], found[0]["file"]) == ("missing_file", f"{LOG}tile/{tile}")


def test_a_log_written_anew_with_all_its_tiles_is_not_the_one_signed(
    bundles: Bundles, tmp_path: Path
) -> None:
    """Somebody changes a leaf, its tile and whatever is above, but cannot sign the root."""
    members = members_of(bundles.whole)
    name = f"{LOG}tile/entries/000.p/17"
    leaves = split_bundle(members[name])
    leaves[5] = leaves[5].replace(b'"sms"', b'"mms"')
    hashes = [sha256(b"\0" + leaf[2:]).digest() for leaf in leaves]
    members |= {name: b"".join(leaves), f"{LOG}tile/0/000.p/17": b"".join(hashes)}
    found = damage(packed(members), tmp_path)
    assert set(found) == {("wrong_root", "consent", None)}


def another_key(bundles: Bundles) -> tuple[Ed25519PrivateKey, str]:
    secret = Ed25519PrivateKey.generate()
    return secret, str(Verifier(bundles.public.split("+")[0], secret.public_key()))


@pytest.mark.parametrize("name", ["manifest", f"{LOG}checkpoint", f"{LOG}checkpoints/8"])
def test_a_note_signed_by_another_key_is_named(bundles: Bundles, tmp_path: Path, name: str) -> None:
    secret, public = another_key(bundles)

    def sign_again(note: bytes) -> bytes:
        text = note.decode().rpartition("\n\n")[0]
        return sign_note(f"{text}\n", public.split("+")[0], [secret]).encode()

    bundle = altered(bundles.whole, name, sign_again)
    found = verified(bundle, tmp_path)["damage"]
    assert [(one["kind"], one["file"]) for one in found] == [("other_key", name)]


def test_a_bundle_signed_throughout_by_another_key_needs_the_operators_to_be_told(
    bundles: Bundles, tmp_path: Path
) -> None:
    secret, public = another_key(bundles)
    members = members_of(bundles.whole) | {"keys.txt": public.encode() + b"\n"}
    for name in members:
        if "/checkpoint" in name:
            text = members[name].decode().rpartition("\n\n")[0]
            members[name] = sign_note(f"{text}\n", public.split("+")[0], [secret]).encode()
    bundle = signed_anew(packed(members), secret, public)
    alone = verified(bundle, tmp_path)
    assert (alone["verdict"], alone["keys_are_given"], alone["keys"]) == (
        "genuine",
        False,
        [public],
    )
    assert {kind for kind, *_ in damage(bundle, tmp_path, bundles.public)} == {"other_key"}


def test_two_histories_are_not_consistent(bundles: Bundles, tmp_path: Path) -> None:
    """The operator signs, for a size that it had, a root that the log never had."""

    def sign_other(note: bytes) -> bytes:
        origin, size, _ = note.decode().split("\n")[:3]
        root = base64.b64encode(bytes(32)).decode()
        return sign_note(f"{origin}\n{size}\n{root}\n", origin, [bundles.secret]).encode()

    for name, kind in ((f"{LOG}checkpoints/8", "wrong_root"), (f"{LOG}checkpoint", "wrong_root")):
        found = verified(altered(bundles.whole, name, sign_other), tmp_path)["damage"]
        assert (found[-1]["kind"], found[-1]["file"]) == (kind, name)


@pytest.mark.parametrize("name", ["README.txt", "verify.py", "keys.txt"])
def test_a_changed_file_is_named(bundles: Bundles, tmp_path: Path, name: str) -> None:
    bundle = altered(bundles.whole, name, lambda raw: raw.replace(b"e", b"a", 1) or raw)
    found = verified(bundle, tmp_path, bundles.public)["damage"]
    assert found[-1]["file"] == name or "description" in found[-1]["detail"]


def test_unknown_files_are_named(bundles: Bundles, tmp_path: Path) -> None:
    for name in ("extra.txt", f"{LOG}tile/0/001", f"{LOG}checkpoints/9", "__MACOSX/x"):
        bundle = packed({**members_of(bundles.whole), name: b"something"})
        found = verified(bundle, tmp_path)["damage"]
        assert [(one["kind"], one["file"]) for one in found] == [("unknown_file", name)]


def test_a_missing_file_is_named(bundles: Bundles, tmp_path: Path) -> None:
    for name in members_of(bundles.trail):
        members = members_of(bundles.trail)
        del members[name]
        found = verified(packed(members), tmp_path)["damage"]
        assert ("missing_file", name) in [(one["kind"], one.get("file")) for one in found], name


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_named(bundles: Bundles, tmp_path: Path) -> None:
    sink = io.BytesIO(bundles.whole)
    with zipfile.ZipFile(sink, "a") as archive:
        archive.writestr("README.txt", "another")
    found = verified(sink.getvalue(), tmp_path)["damage"]
    assert ("duplicate_name", "README.txt") in [(one["kind"], one.get("file")) for one in found]


@pytest.mark.parametrize("name", ["README.txt", f"{LOG}checkpoint", f"{LOG}tile/0/000.p/17"])
def test_a_zip_bomb_is_named_and_not_unpacked(bundles: Bundles, tmp_path: Path, name: str) -> None:
    bundle = packed({**members_of(bundles.whole)} | {name: b""})
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle)) as old,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(
                info.filename, bytes(20 << 20) if info.filename == name else old.read(info)
            )
    found = verified(sink.getvalue(), tmp_path)["damage"]
    assert ("bomb", name) in [(one["kind"], one.get("file")) for one in found]


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97, 0.999])
def test_a_bundle_that_was_cut_is_named(bundles: Bundles, tmp_path: Path, kept: float) -> None:
    cut = bundles.whole[: int(len(bundles.whole) * kept)]
    assert damage(cut, tmp_path)[0][0] in {"cut", "padded"}


@pytest.mark.parametrize("where", ["before", "between", "after"])
def test_a_bundle_that_was_padded_is_named(bundles: Bundles, tmp_path: Path, where: str) -> None:
    whole = bundles.whole
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.start_dir
    padded = {
        "before": b"\0" * 9 + whole,
        "between": whole[:start] + b"\0" * 9 + whole[start:],
        "after": whole + b"\0" * 9,
    }[where]
    assert "padded" in {kind for kind, *_ in damage(padded, tmp_path)}


def test_what_is_no_bundle_cannot_be_read(
    bundles: Bundles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("This is no bundle.")
    (tmp_path / "bundle.zip").write_bytes(bundles.whole)
    for arguments in (
        ["nowhere.zip"],
        ["empty"],
        ["text"],
        ["."],
        ["bundle.zip", "--key", "nowhere"],
        ["bundle.zip", "--key", "a+b+c"],
    ):
        path, *rest = arguments
        assert verify.main([str(tmp_path / path), *rest]) == verify.UNREADABLE
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("verify: ")
        assert "Traceback" not in said.err


def test_the_answer_is_an_exit_code_and_a_report(
    bundles: Bundles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundles.trail)
    assert verify.main([str(path), "--key", bundles.public]) == verify.GENUINE
    assert json.loads(capsys.readouterr().out)["verdict"] == "genuine"
    path.write_bytes(altered(bundles.part, ENTRIES, lines(lambda rows: without(rows, 4))))
    assert verify.main([str(path)]) == verify.DAMAGED
    summary = json.loads(capsys.readouterr().out)
    report = verify.report_of(summary)
    assert report.startswith("DAMAGED  bundle.zip\n  missing_entry: consent 7: ")
    assert "Compare them" in report


def test_a_manifest_that_makes_no_sense_is_damage(bundles: Bundles, tmp_path: Path) -> None:
    no_sense: list[Any] = [{}, {"logs": 1}, {"logs": [{}]}, {"logs": [], "files": []}, []]
    for nonsense in no_sense:
        text = f"{verify.FORMAT}\n{json.dumps(nonsense)}\n"
        note = sign_note(text, bundles.public.split("+")[0], [bundles.secret]).encode()
        bundle = packed({**members_of(bundles.whole), "manifest": note})
        assert damage(bundle, tmp_path) != []


def test_a_person_whose_chain_breaks_in_a_whole_log_is_named(tmp_path: Path) -> None:
    """A ledger that signs a log in which an entry of a person is missing from the chain."""
    chains = verify.Chains()
    found = verify.Findings()
    leaf = verify.Leaf(None, "consent", "org", None, None, "ab" * 16, 1, "grant")
    for seq, index, prev in ((1, 0, None), (3, 5, "11" * 32)):
        chains.add(leaf._replace(subject_seq=seq, prev=prev), bytes([seq]) * 32, index)
    heads = list(chains.heads(found, "consent", whole=True, until=9))
    assert [(one.kind, one.index) for one in found.named] == [("broken_chain", 5)]
    assert heads == [verify.Head(b"\xab" * 16, 3, b"\3" * 32)]


def test_nothing_of_what_was_read_is_kept_but_what_is_needed(bundles: Bundles) -> None:
    """Leaves are read in their canonical form only, by the fast way and by the strict one."""
    content = members_of(bundles.part)[ENTRIES]
    for line in content.splitlines():
        raw = line.partition(b" ")[2]
        fast = verify.read_leaf(raw)
        fields: dict[str, Any] = json.loads(raw)
        assert fast == verify.Leaf(*[fields[name] for name in verify.Leaf._fields])
        assert verify.read_leaf(raw.replace(b'"v":1', b'"v":2')) is None
        assert verify.read_leaf(raw.replace(b'"commit":', b'"commit": ', 1)) is None
        assert verify.read_leaf(raw.replace(b'"actor"', b'"Actor"')) is None
