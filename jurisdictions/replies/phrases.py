"""Phrases as one graph of words, so that thousands of wordings are looked for at once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

GAP_WORDS_MAX: Final = 3
"""A gap stands for so many words at most."""

WordsOf = Callable[[str], tuple[str, ...]]
"""How a part of a phrase becomes the words that a text is folded to."""

_GAP: Final = ".."


class Found(NamedTuple):
    """A phrase that begins at a place: the place behind its last word, and the phrase's name."""

    end: int
    phrase: str


class WordingError(Exception):
    """A phrase that cannot be read; says why."""


@dataclass(slots=True, eq=False)
class _Node:
    words: dict[str, list["_Node"]] = field(default_factory=dict)
    stems: dict[str, list["_Node"]] = field(default_factory=dict)
    stem_lengths: tuple[int, ...] = ()
    gaps: list["_Node"] = field(default_factory=list)
    phrase: str | None = None


class Phrases:
    """A set of phrases: words, word stems and gaps."""

    def __init__(self) -> None:
        self._root = _Node()
        self.words: set[str] = set()

    def add(self, written: str, phrase: str, words_of: WordsOf) -> None:
        """Add what is written, to be found as ``phrase``.

        Its parts stand between spaces: ``a|b`` is either, ``a?`` may be absent, ``..`` is a
        gap, ``a*`` is every word that begins so, ``_`` ties words that are one alternative.
        """
        ends = [self._root]
        parts = written.split()
        if _GAP in (parts[0], parts[-1]):
            raise WordingError("a gap stands between words, not at an end")
        for part in parts:
            behind = _Node()
            if part == _GAP:
                for node in ends:
                    node.gaps.append(behind)
                ends = [behind]
                continue
            optional = part.endswith("?")
            for choice in part.removesuffix("?").split("|"):
                for node in ends:
                    self._tie(node, choice, behind, words_of)
            ends = [*ends, behind] if optional else [behind]
        if self._root in ends:
            raise WordingError("it may be without any word")
        for node in ends:
            node.phrase = phrase

    def at(self, words: Sequence[str], start: int) -> Found | None:
        """The longest phrase that begins at ``start``."""
        if start >= len(words):
            return None
        best: Found | None = None
        for found in self._walk(words, start, self._root):
            if best is None or found.end > best.end:
                best = found
        return best

    def anywhere(self, words: Sequence[str]) -> Iterator[tuple[int, Found]]:
        """The longest phrase of every place where one begins, with that place."""
        for start in range(len(words)):
            found = self.at(words, start)
            if found is not None:
                yield start, found

    def _tie(self, node: _Node, choice: str, behind: _Node, words_of: WordsOf) -> None:
        """Lead from one node to another by the words of an alternative."""
        words = words_of(choice.removesuffix("*").replace("_", " "))
        if not words:
            raise WordingError(f"{choice!r} holds no word")
        for word in words[:-1]:
            self.words.add(word)
            following = _Node()
            node.words.setdefault(word, []).append(following)
            node = following
        if choice.endswith("*") and len(choice) > 1:
            node.stems.setdefault(words[-1], []).append(behind)
            node.stem_lengths = tuple(sorted({len(stem) for stem in node.stems}))
        else:
            self.words.add(words[-1])
            node.words.setdefault(words[-1], []).append(behind)

    def _walk(self, words: Sequence[str], place: int, node: _Node) -> Iterator[Found]:
        if node.phrase is not None:
            yield Found(place, node.phrase)
        if node.gaps:
            last = min(place + GAP_WORDS_MAX, len(words))
            for following in node.gaps:
                for behind in range(place, last + 1):
                    yield from self._walk(words, behind, following)
        if place >= len(words):
            return
        word = words[place]
        for following in node.words.get(word, ()):
            yield from self._walk(words, place + 1, following)
        for length in node.stem_lengths:
            for following in node.stems.get(word[:length], ()):
                yield from self._walk(words, place + 1, following)
