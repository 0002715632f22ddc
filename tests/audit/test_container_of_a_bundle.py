"""What the zip file of a bundle says besides its files is what we write, or it is named."""

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit import verify
from consent.ledger.notes import sign_note
from tests.support.bundles import Bundles, damage, members_of, packed, verified


def digested(raw: bytes) -> bytes:
    """The zip file with the digest at its end made anew, as somebody would who knows of it."""
    return raw[:-64] + sha256(raw[:-71]).hexdigest().encode()


def at_both_headers(raw: bytes, name: str, *, local: int, central: int, new: bytes) -> bytes:
    """Change the same field of a member where it begins and in the list at the end."""
    changed = bytearray(raw)
    first = raw.index(b"PK\3\4", raw.index(name.encode()) - 30)
    listed = raw.rindex(name.encode()) - 46
    assert raw[listed : listed + 4] == b"PK\1\2"
    if local >= 0:
        changed[first + local : first + local + len(new)] = new
    if central >= 0:
        changed[listed + central : listed + central + len(new)] = new
    assert changed != raw
    return bytes(changed)


@pytest.mark.parametrize(
    ("local", "central", "new"),
    [
        (10, 12, b"\x11\x22\x33\x44"),  # When it was changed.
        (-1, 38, (0o120777 << 16).to_bytes(4, "little")),  # A link to another file.
        (-1, 36, b"\x01\x00"),  # A text.
        (-1, 5, b"\x00"),  # Written on another system.
        (4, -1, b"\x14"),  # What it takes to unpack it, here and not there.
        (8, -1, b"\x00\x00"),  # How it is compressed, here and not there.
        (14, -1, b"\x01\x02\x03\x04"),  # Its checksum, before it is known.
    ],
)
def test_what_the_container_says_besides_is_what_we_write(
    bundles: Bundles, tmp_path: Path, local: int, central: int, new: bytes
) -> None:
    """Programs that unpack go by it: dates, rights, links, and headers that say otherwise."""
    raw = at_both_headers(bundles.trail, "README.txt", local=local, central=central, new=new)
    assert [one[0] for one in damage(raw, tmp_path)] in (["other_header"], ["broken_file"])
    again = digested(raw)
    assert verified(again, tmp_path)["damage"][0]["file"] == "README.txt"
    assert damage(digested(bundles.trail), tmp_path) == []


def packed_before_3_11_4(raw: bytes) -> bytes:
    """The same zip file as Python before 3.11.4 writes it."""
    changed = bytearray(raw)
    listed = zipfile.ZipFile(io.BytesIO(raw)).start_dir
    for info in zipfile.ZipFile(io.BytesIO(raw)).infolist():
        first = info.header_offset
        changed[first + 4] = changed[listed + 4] = changed[listed + 6] = 20
        changed[first + 18 : first + 26] = bytes(8)
        listed += 46 + len(info.orig_filename.encode()) + len(info.extra)
    return digested(bytes(changed))


def test_what_an_older_python_packed_is_as_good(bundles: Bundles, tmp_path: Path) -> None:
    assert damage(packed_before_3_11_4(bundles.trail), tmp_path) == []
    half = bytearray(packed_before_3_11_4(bundles.trail))
    half[4] = 45
    assert [kind for kind, *_ in damage(digested(bytes(half)), tmp_path)] == ["other_header"]


@pytest.mark.parametrize(
    ("field", "said"),
    [(32, b"read me"), (30, b"up\x05\x00\x01abcd")],  # A remark; another name for it.
)
def test_a_member_says_nothing_besides(
    bundles: Bundles, tmp_path: Path, field: int, said: bytes
) -> None:
    raw = bytearray(bundles.trail)
    listed = raw.rindex(b"README.txt")
    raw[listed - 46 + field : listed - 44 + field] = len(said).to_bytes(2, "little")
    raw[listed + 10 : listed + 10] = said
    size = slice(len(raw) - 71 - 10, len(raw) - 71 - 6)
    raw[size] = (int.from_bytes(raw[size], "little") + len(said)).to_bytes(4, "little")
    again = digested(bytes(raw))
    with zipfile.ZipFile(io.BytesIO(again)) as archive:
        info = archive.getinfo("README.txt")
        assert said in (info.comment, info.extra)
    (named,) = verified(again, tmp_path)["damage"]
    assert (named["kind"], named["file"]) == ("other_header", "README.txt")


def test_no_name_in_it_writes_on_the_terminal(bundles: Bundles, tmp_path: Path) -> None:
    """Else a file could clear the screen and write GENUINE there."""
    lie = "\x1b[2J\x1b[HGENUINE  bundle.zip\nas you see\u202e"
    summary = verified(packed({**members_of(bundles.trail), lie: b""}), tmp_path)
    assert "unknown_file" in {one["kind"] for one in summary["damage"]}
    said = verify.report_of(summary)
    assert said.startswith("DAMAGED")
    assert all(one.isprintable() for one in said.replace("\n", ""))
    assert not [line for line in said.splitlines()[1:] if line.startswith("as you see")]
    assert "\\x1b[2J\\x1b[HGENUINE" in said


@pytest.mark.parametrize(
    "asked", ["\x1b[2J", ["x"], {"scope": 7}, {"scope": "sender", "sender": "\x1b[2J"}, {"from": 3}]
)
def test_whatever_a_stranger_signs_is_told_and_breaks_nothing(
    bundles: Bundles, tmp_path: Path, asked: Any
) -> None:
    members = members_of(bundles.part)
    format_, said = members["manifest"].decode().split("\n\n")[0].split("\n")
    text = f"{format_}\n{json.dumps(json.loads(said) | {'asked': asked})}\n"
    note = sign_note(text, bundles.public.split("+", maxsplit=1)[0], [bundles.secret])
    summary = verified(packed({**members, "manifest": note.encode()}), tmp_path)
    assert all(one.isprintable() for one in verify.report_of(summary).replace("\n", ""))


def test_a_member_that_leads_out_of_the_folder_is_none_of_the_bundle(
    bundles: Bundles, tmp_path: Path
) -> None:
    for name in ("../README.txt", "/etc/README.txt", "..\\README.txt", "readme.TXT"):
        members = {**members_of(bundles.trail), name: b"read me"}
        assert [one[0] for one in damage(packed(members), tmp_path)] == ["unknown_file"]
