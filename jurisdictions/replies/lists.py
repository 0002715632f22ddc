"""The word lists: ``data/words/``, a file a language; every mistake is named with its line."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from jurisdictions.errors import WordFileError
from jurisdictions.loader import DATA, WORDS
from jurisdictions.strict_yaml import StrictDocument, decode, load
from rules.vocabulary import Channel, Purpose

_COUNTRY: Final = re.compile(r"[A-Z]{2}\Z")
_Word = Annotated[str, msgspec.Meta(min_length=1)]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where words come from. ``read_on`` is YYYY-MM-DD."""

    citation: str
    url: str | None = None
    read_on: str | None = None


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one source.

    With ``countries`` they mean what they mean there only; ``elsewhere`` says what they are in
    other places: held for a person to look at, or nothing.
    """

    source: str
    words: tuple[_Word, ...]
    countries: tuple[str, ...] = ()
    elsewhere: Literal["uncertain", "other"] = "uncertain"


class ScopeWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words that narrow a stop when the whole message is a stop word and they."""

    words: tuple[_Word, ...]
    channel: Channel | None = None
    purpose: Purpose | None = None


class WordList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language's file.

    ``stop`` decides alone in a sentence or at the head of a message, and is a doubt anywhere;
    ``stop_opening`` decides alone in a message, and is a doubt at its head; ``stop_whole``
    decides alone in a message. ``phrases`` decide anywhere. ``after`` follow a stop word that
    stays one, ``doubt`` follow one that may be something else. ``not_stop`` anywhere and
    ``not_stop_first`` at the head of a sentence hold a word that is no stop. ``until`` behind a
    phrase asks for a pause and no end (``do not call before nine``). ``fillers`` may
    stand around words without changing them, and so may ``polite`` ones, which alone may stand
    around a start: no refusal is among them. ``start`` and ``help`` decide alone in a message.
    """

    language: str
    name: str
    spoken_in: tuple[str, ...]
    sources: dict[str, Source]
    stop: tuple[Group, ...] = ()
    stop_opening: tuple[Group, ...] = ()
    stop_whole: tuple[Group, ...] = ()
    phrases: tuple[_Word, ...] = ()
    scopes: tuple[ScopeWords, ...] = ()
    after: tuple[_Word, ...] = ()
    doubt: tuple[_Word, ...] = ()
    not_stop: tuple[_Word, ...] = ()
    not_stop_first: tuple[_Word, ...] = ()
    until: tuple[_Word, ...] = ()
    uncertain: tuple[_Word, ...] = ()
    fillers: tuple[_Word, ...] = ()
    polite: tuple[_Word, ...] = ()
    start: tuple[Group, ...] = ()
    help: tuple[Group, ...] = ()


GROUPED: Final = ("stop", "stop_opening", "stop_whole", "start", "help")
PLAIN: Final = (
    "phrases",
    "after",
    "doubt",
    "not_stop",
    "not_stop_first",
    "until",
    "uncertain",
    "fillers",
    "polite",
)


def load_word_lists(folder: Path = DATA / WORDS) -> tuple[tuple[StrictDocument, WordList], ...]:
    """Read every list of ``folder``, in order of their names."""
    documents = (
        load(path, name=f"{WORDS}/{path.name}", raises=WordFileError)
        for path in sorted(folder.glob("*.yaml"))
    )
    return tuple((document, word_list_of(document)) for document in documents)


def word_list_of(document: StrictDocument) -> WordList:
    """Turn one document into its list."""
    written = decode(document, WordList)
    if f"{WORDS}/{written.language}.yaml" != document.name:
        raise document.error(("language",), f"the file of {written.language} has its name")
    _check_countries(document, ("spoken_in",), written.spoken_in)
    for name in GROUPED:
        for index, group in enumerate(getattr(written, name)):
            path = (name, index)
            if group.source not in written.sources:
                raise document.error(
                    (*path, "source"), f"{group.source} is none of the sources above"
                )
            _check_countries(document, (*path, "countries"), group.countries)
            _check_twice(document, (*path, "words"), group.words)
    for index, scope in enumerate(written.scopes):
        if scope.channel is None and scope.purpose is None:
            raise document.error(("scopes", index), "a scope names a channel or a purpose")
    for name in PLAIN:
        _check_twice(document, (name,), getattr(written, name))
    return written


def _check_countries(
    document: StrictDocument, path: tuple[str | int, ...], countries: tuple[Any, ...]
) -> None:
    for index, country in enumerate(countries):
        if not _COUNTRY.match(country):
            raise document.error((*path, index), f"{country!r} is no alpha-2 code, write DE")


def _check_twice(
    document: StrictDocument, path: tuple[str | int, ...], words: tuple[str, ...]
) -> None:
    seen: set[str] = set()
    for index, word in enumerate(words):
        if word in seen:
            raise document.error((*path, index), f"{word!r} stands twice, remove one")
        seen.add(word)
