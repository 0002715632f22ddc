"""All word lists together, ready for reading."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jurisdictions.replies.folding import ASKS, HARD, SOFT, Folding
from jurisdictions.replies.lists import GROUPED, PLAIN, Group, WordList, load_word_lists
from jurisdictions.replies.phrases import Phrases, WordingError
from jurisdictions.strict_yaml import StrictDocument
from rules.vocabulary import Channel, Purpose

_SIGNS = "zxx"
"""ISO 639's code for what is no language: there stand pictures."""

BOUNDARIES = frozenset({HARD, SOFT, ASKS})


class Local(NamedTuple):
    """A word that means something in some countries only."""

    countries: frozenset[str]
    elsewhere: Literal["uncertain", "other"]


class Narrowing(NamedTuple):
    """What words narrow a stop to."""

    channel: Channel | None
    purpose: Purpose | None


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every list's words by what they do; ``local`` and ``narrowing`` are by phrase."""

    folding: Folding
    stop: Phrases
    stop_opening: Phrases
    stop_whole: Phrases
    phrases: Phrases
    scopes: Phrases
    after: Phrases
    doubt: Phrases
    not_stop: Phrases
    not_stop_first: Phrases
    until: Phrases
    uncertain: Phrases
    fillers: Phrases
    polite: Phrases
    start: Phrases
    help: Phrases
    local: Mapping[str, Local]
    narrowing: Mapping[str, Narrowing]


_NAMES = (*GROUPED, *PLAIN, "scopes")


class _Compiling:
    """Takes the words of one list after another."""

    def __init__(self, folding: Folding) -> None:
        self.folding = folding
        self.language = ""
        self.sets = {name: Phrases() for name in _NAMES}
        self.local: dict[str, Local] = {}
        self.narrowing: dict[str, Narrowing] = {}

    def take(self, document: StrictDocument, written: WordList) -> None:
        """Add every word of a list."""
        self.language = written.language
        for name in GROUPED:
            groups: tuple[Group, ...] = getattr(written, name)
            for index, group in enumerate(groups):
                path = (name, index, "words")
                local = Local(frozenset(group.countries), group.elsewhere)
                for word in self._add(document, path, name, group.words):
                    if group.countries:
                        self.local[word] = local
        for index, scope in enumerate(written.scopes):
            path = ("scopes", index, "words")
            for word in self._add(document, path, "scopes", scope.words):
                self.narrowing[word] = Narrowing(scope.channel, scope.purpose)
        for name in PLAIN:
            self._add(document, (name,), name, getattr(written, name))
        self._add(document, ("polite",), "fillers", written.polite)

    def _add(
        self,
        document: StrictDocument,
        path: tuple[str | int, ...],
        name: str,
        words: tuple[str, ...],
    ) -> Sequence[str]:
        """Add words to a set; gives the names under which they are found there."""
        names = []
        for index, word in enumerate(words):
            names.append(f"{self.language}:{word}")
            try:
                self.sets[name].add(word, names[-1], self._words_of)
            except WordingError as error:
                raise document.error((*path, index), f"{word!r}: {error}") from None
        return names

    def _words_of(self, text: str) -> tuple[str, ...]:
        return tuple(word for word in self.folding.tokens(text) if word not in BOUNDARIES)


def lexicon_of(lists: Iterable[tuple[StrictDocument, WordList]]) -> Lexicon:
    """Compile the lists."""
    lists = tuple(lists)
    signs = {
        sign
        for _, written in lists
        if written.language == _SIGNS
        for sign in (
            *(word for group in written.stop for word in group.words),
            *written.uncertain,
        )
    }
    first = _Compiling(Folding(signs, ()))
    for document, written in lists:
        first.take(document, written)
    known = {word for phrases in first.sets.values() for word in phrases.words}
    return Lexicon(
        folding=Folding(signs, known),
        local=first.local,
        narrowing=first.narrowing,
        **first.sets,
    )


def bundled_lexicon() -> Lexicon:
    """The lists that ship with this version."""
    return lexicon_of(load_word_lists())
