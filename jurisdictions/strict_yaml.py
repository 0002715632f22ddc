"""YAML without surprises, and with the line of every value.

A plain word is ``true``, ``false``, ``null``, a whole number, a plain decimal or text, and
nothing else: ``NO``, ``on``, ``08:00`` and ``2026-11-21`` stay the text that they are. Keys
stand once. Anchors, aliases, tags, merge keys and second documents are refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from jurisdictions.errors import RegulationFileError, YamlFileError

Step = str | int
Steps = tuple[Step, ...]
T = TypeVar("T")

DEPTH_MAX = 40
"""Regulations nest about eight deep; a hostile draft must not exhaust the stack."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,15}\Z")
_AT = re.compile(r" - at `(?P<path>[^`]*)`\Z")
_KEY_AT = re.compile(r" - at `key`? in `(?P<path>[^`]*)`\Z")
_FIELD = re.compile(r"field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class StrictDocument:
    """A file's plain data, and where each part of it stands.

    ``name`` is what errors call the file. ``lines`` maps a path from the top, such as
    ``("rules", 0, "values")``, to the line (from 1) of its key or, in a list, of its item.
    """

    name: str
    data: object
    lines: dict[Steps, int] = field(repr=False)
    raises: type[YamlFileError] = RegulationFileError

    def line_of(self, path: Sequence[Step]) -> int:
        """The line of ``path``, or of the nearest thing around it that has one."""
        steps = tuple(path)
        while steps not in self.lines:
            steps = steps[:-1]
        return self.lines[steps]

    def error(self, path: Sequence[Step], detail: str) -> YamlFileError:
        """An error to raise that names file and line. ``detail``: what is wrong, what to write."""
        return self.raises(f"{self.name}:{self.line_of(path)}: {detail}")


def load(
    source: Path | str,
    *,
    name: str | None = None,
    raises: type[YamlFileError] = RegulationFileError,
) -> StrictDocument:
    """Read a file (``Path``) or a text (``str``). ``name`` is what errors call it."""
    if isinstance(source, Path):
        name = name or source.as_posix()
        text = _text_of(source, name, raises)
    else:
        name, text = name or "<text>", source
    return _Reader(name, raises).read(text)


def decode(document: StrictDocument, shape: type[T], *, path: Sequence[Step] = ()) -> T:
    """Turn the document, or its part at ``path``, into ``shape``; errors name the line."""
    part: object = document.data
    for step in path:
        part = part[step]  # type: ignore[index]  # The caller has seen that it is there.
    try:
        return msgspec.convert(part, shape)
    except msgspec.ValidationError as error:
        raise _named(document, tuple(path), str(error)) from None


def _named(document: StrictDocument, base: Steps, message: str) -> YamlFileError:
    """Say where msgspec found fault: its JSON path becomes a line of the file."""
    found = _KEY_AT.search(message) or _AT.search(message)
    steps = base
    if found is not None:
        message = message[: found.start()]
        for name, index in _STEP.findall(found["path"].split("[...]")[0]):
            steps += (name or int(index),)
    extra = _FIELD.search(message)
    if extra is not None and (*steps, extra["name"]) in document.lines:
        steps += (extra["name"],)
    where = ".".join(str(step) for step in steps)
    return document.error(steps, f"{where}: {message}" if where else message)


def _text_of(path: Path, name: str, raises: type[YamlFileError]) -> str:
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise raises(f"{name}:{line}: this is not UTF-8, save the file as UTF-8") from None


class _Reader:
    """Builds plain data from parser events, so that nothing is resolved behind our back."""

    def __init__(self, name: str, raises: type[YamlFileError]) -> None:
        self.name = name
        self.raises = raises
        self.lines: dict[Steps, int] = {(): 1}
        self.events: Iterator[Event] = iter(())

    def read(self, text: str) -> StrictDocument:
        self.events = iter(yaml.parse(text, Loader=_LOADER))
        try:
            data = self._document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = 1 if mark is None else mark.line + 1
            what = error.problem or error.context
            raise self.raises(f"{self.name}:{line}: this is not YAML: {what}") from None
        except yaml.YAMLError:
            # The scanner's message quotes the text, which may hold what no log may.
            raise self.raises(
                f"{self.name}:1: this is not YAML: it holds a character that YAML forbids"
            ) from None
        return StrictDocument(self.name, data, self.lines, self.raises)

    def _document(self) -> object:
        data: object = None
        documents = 0
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            documents += 1
            if documents > 1:
                raise self._refuse(event, "a second document begins, write one per file")
            if event.tags or event.version:
                raise self._refuse(event, "directives are not read, remove the % lines")
            data = self._value(next(self.events), ())
        if documents == 0:
            raise self.raises(f"{self.name}:1: the file is empty")
        return data

    def _value(self, event: Event, path: Steps) -> object:
        if isinstance(event, AliasEvent):
            raise self._refuse(event, "an alias (*) is not read, write the value again")
        assert isinstance(event, (ScalarEvent, SequenceStartEvent, MappingStartEvent))
        if event.anchor is not None:
            raise self._refuse(event, "an anchor (&) is not read, write the value in each place")
        if event.tag is not None:
            raise self._refuse(event, "a tag (!) is not read, write the bare value")
        if len(path) > DEPTH_MAX:
            raise self._refuse(event, f"this nests deeper than {DEPTH_MAX} levels")
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Steps) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*path, len(items))
            self.lines[here] = _line_of(event)
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: Steps) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in entries:
                first = self.lines[here]
                raise self._refuse(event, f"the key {key!r} stands twice, first on line {first}")
            self.lines[here] = _line_of(event)
            entries[key] = self._value(next(self.events), here)
        return entries

    def _key(self, event: Event, path: Steps) -> str:
        if not isinstance(event, ScalarEvent):
            raise self._refuse(event, "a key is one word, write text before the colon")
        if event.value == "<<" and not event.style:
            raise self._refuse(event, "a merge key (<<) is not read, write the entries out")
        key = self._value(event, path)
        if not isinstance(key, str):
            raise self._refuse(event, f"the key {event.value} is no text, put it in quotes")
        return key

    def _scalar(self, event: ScalarEvent) -> str | int | float | bool | None:
        text: str = event.value
        if event.style:  # Quoted or a block; the C parser calls a plain word's style "".
            return text
        if text == "":
            raise self._refuse(event, 'the value is missing, write null, "" or a value')
        if text in _WORDS:
            return _WORDS[text]
        if _WHOLE.match(text):
            return int(text)
        if _DECIMAL.match(text):
            return float(text)
        return text

    def _refuse(self, event: Event, detail: str) -> YamlFileError:
        return self.raises(f"{self.name}:{_line_of(event)}: {detail}")


def _line_of(event: Event) -> int:
    assert event.start_mark is not None, "the parser marks every event"
    return event.start_mark.line + 1
