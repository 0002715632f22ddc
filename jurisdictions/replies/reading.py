"""Read a reply: whole messages, words at the head, and sentences that mean stop.

In doubt the wider reading: what may mean stop and is not plain is held for a person to look at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, NamedTuple

from jurisdictions.replies.folding import ASKS, HARD, SOFT, TEXT_READ
from jurisdictions.replies.lexicon import Lexicon, bundled_lexicon
from jurisdictions.replies.phrases import Found, Phrases
from rules.vocabulary import Channel, Purpose

WORDS_BEHIND_MAX: Final = 2
"""A stop word at the head, and more unknown words than these behind it: somebody tells a story."""

WHOLE_MAX: Final = 40
"""A message of so many words at most is looked at as one whole."""

_MASKED: Final = "\x00"
"""In the place of words that are no stop here."""


class Reading(StrEnum):
    """What a reply asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    UNCERTAIN = "uncertain"
    OTHER = "other"


class Scope(NamedTuple):
    """What a stop reaches; an absent part means all."""

    channel: Channel | None = None
    purpose: Purpose | None = None


NO_SCOPE: Final = Scope()


class Reply(NamedTuple):
    """A reply as read. ``matched`` is the word or phrase of our lists that decided.

    It is written ``language:word`` and never holds the text. ``scope`` narrows a stop only
    where the text says so plainly.
    """

    reading: Reading
    matched: str | None = None
    scope: Scope = NO_SCOPE


_NOTHING: Final = Reply(Reading.OTHER)


def read_reply(text: str, *, country: str | None) -> Reply:
    """Read ``text`` in every language that we know; never raises, linear in its length.

    ``country`` (ISO 3166-1 alpha-2, of the person who wrote) decides only where a word means
    stop in some countries and something else in others. In doubt the wider reading.
    """
    lexicon = _lexicon()
    message = _Message.of(lexicon.folding.tokens(text[:TEXT_READ]))
    reply = _Reader(lexicon, country).read(message)
    if reply.reading is not Reading.STOP and len(text) > TEXT_READ:
        return Reply(Reading.UNCERTAIN)  # Nobody knows what stands in the rest.
    return reply


@cache
def _lexicon() -> Lexicon:
    return bundled_lexicon()


@dataclass(slots=True)
class _Clause:
    """Words up to a boundary; a line that ends ends one too."""

    words: list[str]
    asks: bool = False


@dataclass(slots=True)
class _Message:
    """``sentences`` run over the ends of lines, ``clauses`` do not."""

    sentences: list[list[str]]
    clauses: list[_Clause]

    @classmethod
    def of(cls, tokens: Sequence[str]) -> "_Message":
        sentences: list[list[str]] = [[]]
        clauses = [_Clause([])]
        for token in tokens:
            if token == ASKS:
                clauses[-1].asks = True
            elif token == HARD:
                sentences.append([])
                clauses.append(_Clause([]))
            elif token == SOFT:
                clauses.append(_Clause([]))
            else:
                sentences[-1].append(token)
                clauses[-1].words.append(token)
        return cls([words for words in sentences if words], [c for c in clauses if c.words])

    @property
    def words(self) -> list[str]:
        """All words in a row."""
        return [word for sentence in self.sentences for word in sentence]


class _Reader:
    """Reads one message after the other in the same country."""

    def __init__(self, lexicon: Lexicon, country: str | None) -> None:
        self._lexicon = lexicon
        self._country = country
        self._doubts: list[str] = []

    def read(self, message: _Message) -> Reply:
        """The reading, the widest first."""
        lexicon = self._lexicon
        masked = self._masked(message)
        bare = self._masked(message, at_heads_alone=True)
        stop = self._whole(message) or self._sentence(masked) or self._head(masked, bare)
        if stop is not None:
            return stop
        self._doubts += self._doubtful(masked)
        if not self._doubts and masked != message:
            self._doubts += self._beneath(masked, bare)
        if self._doubts:
            return Reply(Reading.UNCERTAIN, self._doubts[0])
        # A filler may be a refusal (``nope, opt in``): only politeness stands around a start.
        starts = (lexicon.start, lexicon.polite)
        if word := self._made_of(message.words, starts, needed=1, filled=False):
            return Reply(Reading.START, word)
        if word := self._made_of(message.words, (lexicon.help,), needed=1):
            return Reply(Reading.HELP, word)
        return _NOTHING

    def _beneath(self, masked: _Message, bare: _Message) -> Iterator[str]:
        """What would be a stop were it not blanked, and what is like one beside a blank."""
        afresh = _Reader(self._lexicon, self._country)
        beside = [[word for word in words if word != _MASKED] for words in masked.sentences]
        stop = (
            afresh._sentence(bare)
            or afresh._head(bare, bare)
            or afresh._whole(_Message(beside, []))
        )
        if stop is not None and stop.matched is not None:
            yield stop.matched
        for phrases in (self._lexicon.stop_opening, self._lexicon.stop_whole):
            for sentence in masked.sentences:
                for _, found in phrases.anywhere(sentence):
                    if self._is_meant(found.phrase):
                        yield found.phrase

    def _whole(self, message: _Message) -> Reply | None:
        """A message of nothing but stop words and politeness, however it is spaced."""
        lexicon, words = self._lexicon, message.words
        if not words or len(words) > WHOLE_MAX:
            return None
        stops = (lexicon.stop, lexicon.stop_opening, lexicon.stop_whole)
        word = self._made_of(words, stops, needed=len(stops))
        if word is None:
            joined = "".join(words)
            found = next((f for p in stops if (f := p.at([joined], 0))), None)
            word = found.phrase if found else None
        if word is None:
            return self._narrowed(words)
        return Reply(Reading.STOP, word) if self._is_meant(word) else None

    def _narrowed(self, words: Sequence[str]) -> Reply | None:
        """A stop word and what it is to reach: ``stop marketing``."""
        lexicon = self._lexicon
        word = self._made_of(words, (lexicon.stop, lexicon.scopes), needed=1)
        if word is None or not self._is_meant(word):
            return None
        named = [found.phrase for _, found in lexicon.scopes.anywhere(words)]
        stops = sum(1 for _ in lexicon.stop.anywhere(words))
        scopes = {lexicon.narrowing[phrase] for phrase in named}
        is_one = len(scopes) == 1 and stops <= len(named)
        return Reply(Reading.STOP, word, Scope(*scopes.pop()) if is_one else NO_SCOPE)

    def _sentence(self, message: _Message) -> Reply | None:
        """A sentence that means stop, or a stop word that is a sentence of its own."""
        for sentence in message.sentences:
            for start, found in self._lexicon.phrases.anywhere(sentence):
                if not self._is_doubted(sentence, start, found):
                    return Reply(Reading.STOP, found.phrase)
                self._doubts.append(found.phrase)
        for clause in message.clauses:
            word = self._made_of(clause.words, (self._lexicon.stop,), needed=1)
            if word is not None and self._is_meant(word):
                return Reply(Reading.STOP, word)
        return None

    def _head(self, message: _Message, bare: _Message) -> Reply | None:
        """A stop word at the head of the message, and what follows it.

        ``bare`` has no blanks behind the head: they make no story of what follows.
        """
        lexicon = self._lexicon
        for clause, as_written in zip(message.clauses, bare.clauses, strict=True):
            words = clause.words
            start = self._behind_fillers(words, 0)
            if start == len(words):
                continue
            found = lexicon.stop.at(words, start)
            if found is None:
                opening = lexicon.stop_opening.at(words, start)
                if opening is not None and self._is_meant(opening.phrase):
                    self._doubts.append(opening.phrase)
                return None
            if not self._is_meant(found.phrase):
                return None
            if self._goes_on_as_stop(clause, found) or self._goes_on_as_stop(as_written, found):
                return Reply(Reading.STOP, found.phrase)
            self._doubts.append(found.phrase)
            return None
        return None

    def _goes_on_as_stop(self, clause: _Clause, found: Found) -> bool:
        words, behind = clause.words, found.end
        if self._lexicon.doubt.at(words, behind) is not None or clause.asks:
            return False
        if self._lexicon.after.at(words, behind) is not None:
            return True
        rest = [word for word in words[behind:] if self._lexicon.fillers.at([word], 0) is None]
        return len(rest) <= WORDS_BEHIND_MAX

    def _doubtful(self, message: _Message) -> Iterator[str]:
        """Stop words in the midst of something else, and what we hold as a doubt."""
        for sentence in message.sentences:
            for phrases in (self._lexicon.uncertain, self._lexicon.stop):
                for _, found in phrases.anywhere(sentence):
                    if self._is_meant(found.phrase):
                        yield found.phrase
                        return

    def _is_doubted(self, words: Sequence[str], start: int, found: Found) -> bool:
        """Tell whether a phrase goes on as something else, or asks for a pause alone."""
        if self._lexicon.until.at(words, found.end) is not None:
            return True
        return self._lexicon.doubt.at(words, found.end) is not None and any(
            self._lexicon.stop.at(words[: found.end], place) is not None
            for place in range(start, found.end)
        )

    def _is_meant(self, word: str) -> bool:
        """Tell whether a word means what it means in this country; a doubt is noted."""
        local = self._lexicon.local.get(word)
        if local is None or self._country in local.countries:
            return True
        if local.elsewhere == "uncertain":
            self._doubts.append(word)
        return False

    def _masked(self, message: _Message, *, at_heads_alone: bool = False) -> _Message:
        """The message with blanks in the place of what is no stop."""
        return _Message(
            [self._blanked(sentence, at_heads_alone) for sentence in message.sentences],
            [
                _Clause(self._blanked(clause.words, at_heads_alone), clause.asks)
                for clause in message.clauses
            ],
        )

    def _blanked(self, words: Sequence[str], at_head_alone: bool) -> list[str]:
        """The words with blanks in the place of what is no stop: ``bus stop``, ``do not stop``."""
        spans = [(at, f.end) for at, f in self._lexicon.not_stop.anywhere(words)]
        if at_head_alone:
            spans = []
        head = self._behind_fillers(words, 0)
        first = self._lexicon.not_stop_first.at(words, head)
        if first is not None:
            spans.append((head, first.end))
        blanked = list(words)
        for start, end in spans:
            blanked[start:end] = [_MASKED] * (end - start)
        return blanked

    def _made_of(
        self, words: Sequence[str], parts: Sequence[Phrases], *, needed: int, filled: bool = True
    ) -> str | None:
        """The first word of the first ``needed`` parts, if there is nothing but parts and fillers.

        None where anything else stands there; a filler too, if they may not be ``filled``.
        """
        place, first = 0, None
        while place < len(words):
            best: Found | None = None
            for rank, phrases in enumerate(parts):
                found = phrases.at(words, place)
                if found is not None and (best is None or found.end > best.end):
                    best = found
                    if rank < needed and first is None:
                        first = found.phrase
            behind = best.end if best else place
            if best is None and filled:
                behind = self._behind_fillers(words, place)
            if behind == place:
                return None
            place = behind
        return first

    def _behind_fillers(self, words: Sequence[str], place: int) -> int:
        """The place behind fillers and bare numbers."""
        while place < len(words):
            found = self._lexicon.fillers.at(words, place)
            if found is not None:
                place = found.end
            elif words[place].isdecimal():
                place += 1
            else:
                return place
        return place
