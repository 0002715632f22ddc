"""Read the files that registers hand out, and our own CSV. Every line is read, or none is.

A line that nobody can read may be a number that must not be called, so a file with one is
refused whole, and the error names the line but not what stands in it.

How each register writes its numbers is data, in ``formats.json``: the calling code, the trunk
prefix before a national number, the lengths of a number without it, and the length of an area
code that may be split off with a comma.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.resources import files
from typing import IO, Final, NamedTuple, cast

import msgspec
from pyroaring import BitMap64

from consent.errors import RegistryFileError
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel

_CHUNK: Final = 1 << 22
_MEMBER_COUNT_MAX: Final = 2_000
_UNPACKED_MAX: Final = 16 << 30
_RATIO_MAX: Final = 100
_SMALL: Final = 1 << 20
"""Numbers in order pack to a tenth, XML around them to a fiftieth; a megabyte may be any."""

_COLUMNS: Final = ("address", "listed", "sender", "channel", "date")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LISTED: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "true", "yes", "y", "1", "listed"), True),
    **dict.fromkeys(("false", "no", "n", "0", "not_listed"), False),
    **dict.fromkeys(("unknown", "no data", "no_data", "nodata", "i"), None),
}
_TAG: Final = re.compile(rb"<\s*+(/?[A-Za-z]++)([^<>]*+)>")
_VAL: Final = re.compile(rb"""\bval\s*=\s*['"]([0-9]*)['"]""")


class Row(NamedTuple):
    """A row that says more than "listed". ``listed`` None: the register does not know.

    ``sender`` and ``channel`` None mean any; ``on`` is the day of the register's answer.
    """

    address: str
    listed: bool | None
    sender: str | None
    channel: Channel | None
    on: date | None


class Parsed:
    """What a file says: ``numbers`` (E.164 digits) and ``emails`` are listed for everybody.

    Of a list of changes, ``numbers`` were added and ``removed`` taken out.
    """

    def __init__(self) -> None:
        self.numbers = BitMap64()
        self.removed = BitMap64()
        self.emails: list[str] = []
        self.rows: list[Row] = []
        self.is_change: bool | None = None

    def mark(self, *, is_change: bool) -> None:
        """Say whether a file of the archive is a list of changes: all are, or none is."""
        if self.is_change not in (None, is_change):
            raise RegistryFileError("the archive mixes full lists and lists of changes")
        self.is_change = is_change


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How a register writes its telephone numbers."""

    calling_code: str
    trunk_prefix: str
    lengths: tuple[int, ...]
    area_length: int

    @cached_property
    def number(self) -> str:
        """A pattern of one number as the register writes it."""
        if self.area_length:
            (length,) = self.lengths
            return rf"[0-9]{{{self.area_length}}},?[0-9]{{{length - self.area_length}}}"
        return rf"{self.trunk_prefix}[0-9]{{{min(self.lengths)},{max(self.lengths)}}}"

    @cached_property
    def lines(self) -> re.Pattern[bytes]:
        """A pattern of any number of whole lines."""
        return re.compile(rf"(?:(?:{self.number})?[ \t]*\r?\n)*+".encode())

    def to_numbers(self, text: bytes) -> list[int]:
        """The E.164 digits of every number in ``text``, which ``lines`` has matched."""
        code, skipped = self.calling_code.encode(), len(self.trunk_prefix)
        return [int(code + word[skipped:]) for word in text.replace(b",", b"").split()]


def _read_layouts() -> dict[str, Layout]:
    text = files("consent.registries").joinpath("formats.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, Layout])


def layout_of(registry: str) -> Layout | None:
    """How ``registry`` writes its own files; None where only our CSV is known for it."""
    layouts = _read_layouts()
    return next((found for name, found in layouts.items() if fnmatchcase(registry, name)), None)


def parse(source: IO[bytes], layout: Layout | None) -> Parsed:
    """Read a file in our format or, with a ``layout``, in the register's own; zipped or not."""
    parsed = Parsed()
    start = source.read(4)
    source.seek(0)
    if start == b"PK\x03\x04":
        _parse_zip(source, layout, parsed)
    else:
        _parse_one(source, layout, parsed)
    return parsed


def _parse_zip(source: IO[bytes], layout: Layout | None, parsed: Parsed) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if not members or len(members) > _MEMBER_COUNT_MAX:
                raise RegistryFileError(f"the archive holds {len(members)} files")
            unpacked = sum(member.file_size for member in members)
            packed = sum(member.compress_size for member in members)
            if unpacked > _UNPACKED_MAX or unpacked > _SMALL + _RATIO_MAX * packed:
                raise RegistryFileError("the archive unpacks to more than any register's file")
            for member in members:
                with archive.open(member) as file:
                    _parse_one(file, layout, parsed)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError) as problem:
        raise RegistryFileError(f"the archive cannot be read: {type(problem).__name__}") from None


def _parse_one(source: IO[bytes], layout: Layout | None, parsed: Parsed) -> None:
    buffered = io.BufferedReader(cast(io.RawIOBase, source), _CHUNK)
    start = buffered.peek(512)[:512].removeprefix(b"\xef\xbb\xbf")
    first_line = next((line for line in start.split(b"\n") if line.strip()), b"").strip()
    is_changes = layout and re.match(layout.number.encode() + rb",.*[AD]", first_line)
    parsed.mark(is_change=bool(is_changes))
    if first_line.startswith(b"<"):
        _parse_xml(buffered, _wanted(layout), parsed)
    elif layout and re.fullmatch(layout.number.encode(), first_line):
        _parse_lines(buffered, layout, parsed)
    elif layout and is_changes:
        _parse_changes(buffered, layout, parsed)
    else:
        _parse_csv(buffered, parsed)
    buffered.detach()


def _wanted(layout: Layout | None) -> Layout:
    if layout is None:
        raise RegistryFileError("this register has no XML format that we know; load it as CSV")
    return layout


def _whole_lines(source: IO[bytes]) -> Iterator[bytes]:
    """The file in pieces of a few megabytes that each end with a line's end."""
    rest = b""
    while chunk := source.read(_CHUNK):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield rest + head + newline
            rest = tail
        else:
            rest += chunk
        if len(rest) > _CHUNK:
            raise RegistryFileError("a line is longer than any number or address")
    if rest:
        yield rest + b"\n"


def _parse_lines(source: IO[bytes], layout: Layout, parsed: Parsed) -> None:
    read_count = 0
    for piece in _whole_lines(source):
        text = piece.removeprefix(b"\xef\xbb\xbf") if read_count == 0 else piece
        matched = layout.lines.match(text)
        assert matched is not None, "the pattern matches the empty text too"
        if matched.end() != len(text):
            line = read_count + text.count(b"\n", 0, matched.end()) + 1
            raise RegistryFileError(f"line {line} is no number of this register")
        parsed.numbers.update(layout.to_numbers(text))
        read_count += text.count(b"\n")


def _parse_changes(source: IO[bytes], layout: Layout, parsed: Parsed) -> None:
    """Number, instant and ``A`` (added) or ``D`` (deleted), in whatever order after the number."""
    number = re.compile(rf"({layout.number}),(.*)".encode())
    line_count = 0
    for piece in _whole_lines(source):
        for line in piece.removeprefix(b"\xef\xbb\xbf").splitlines():
            line_count += 1
            if not line.strip():
                continue
            matched = number.fullmatch(line.strip())
            fields = [field.strip() for field in matched[2].split(b",")] if matched else []
            actions = [field for field in fields if field in (b"A", b"D")]
            if matched is None or len(actions) != 1:
                raise RegistryFileError(f"line {line_count} of a list of changes has no A or D")
            (changed,) = layout.to_numbers(matched[1])
            added, removed = parsed.numbers, parsed.removed
            if actions == [b"D"]:
                added, removed = removed, added
            added.add(changed)
            removed.discard(changed)


def _parse_xml(source: IO[bytes], layout: Layout, parsed: Parsed) -> None:
    """``<ac val='416'><ph val='1234567'/>``, tag by tag: published samples are no valid XML."""
    area, rest, last_tag = b"", b"", b""
    code = layout.calling_code.encode()
    while chunk := source.read(_CHUNK):
        text = rest + chunk
        end = text.rfind(b">") + 1
        text, rest = text[:end], text[end:]
        numbers = []
        for tag in _TAG.finditer(text):
            last_tag = tag[1].lower()
            if last_tag not in (b"ac", b"ph"):
                continue
            found = _VAL.search(tag[2])
            word = found[1] if found else b""
            if last_tag == b"ac":
                area = word
            elif len(area) + len(word) in layout.lengths and word:
                numbers.append(int(code + area + word))
            else:
                raise RegistryFileError("a telephone number in the XML is too short or too long")
        parsed.numbers.update(numbers)
        if len(rest) > _CHUNK:
            break
    if rest.strip() or last_tag != b"/list":
        raise RegistryFileError("the XML ends before its list does")


def _parse_csv(source: IO[bytes], parsed: Parsed) -> None:
    text = io.TextIOWrapper(cast(io.BufferedReader, source), "utf-8-sig", newline="")
    try:
        lines = csv.reader(text, strict=True)
        columns: tuple[str, ...] | None = None
        for fields in lines:
            if not any(field.strip() for field in fields):
                continue
            if columns is None:
                columns = _columns_of(fields)
                if columns is not _COLUMNS:
                    continue
            _parse_row(fields, columns, parsed, lines.line_num)
    except (csv.Error, UnicodeDecodeError):
        raise RegistryFileError("the file is no CSV in UTF-8") from None
    finally:
        text.detach()


def _columns_of(fields: list[str]) -> tuple[str, ...]:
    """The columns that a first line names; a first line of data stands for all, in our order."""
    words = tuple(field.strip().lower() for field in fields)
    if "address" not in words:
        return _COLUMNS
    unknown = set(words) - set(_COLUMNS)
    if unknown or len(set(words)) != len(words):
        raise RegistryFileError(f"line 1 must name columns out of {', '.join(_COLUMNS)}, once each")
    return words


def _parse_row(fields: list[str], columns: tuple[str, ...], parsed: Parsed, line: int) -> None:
    if len(fields) > len(columns):
        raise RegistryFileError(f"line {line} has {len(fields)} fields, {len(columns)} are known")
    given = {column: field.strip() for column, field in zip(columns, fields, strict=False)}
    address = _normalised(given.get("address", ""), line)
    try:
        listed = _LISTED[given.get("listed", "").lower()]
        channel = Channel(given["channel"].lower()) if given.get("channel") else None
        on = date.fromisoformat(given["date"]) if given.get("date") else None
    except (KeyError, ValueError):
        raise RegistryFileError(
            f"line {line}: listed is true, false or unknown, channel one of ours, "
            "date is written YYYY-MM-DD"
        ) from None
    sender = given.get("sender") or None
    if listed is not True or sender or channel or on:
        parsed.rows.append(Row(address, listed, sender, channel, on))
    elif address.startswith("+"):
        parsed.numbers.add(int(address[1:]))
    else:
        parsed.emails.append(address)


def _normalised(text: str, line: int) -> str:
    if _NUMBER.fullmatch(text):
        return text
    if "@" in text:
        address = parse_address(text)
        if address.problem is None:
            return address.normalised
    raise RegistryFileError(
        f"line {line} is neither a telephone number as +15555550123 nor an e-mail address"
    )
