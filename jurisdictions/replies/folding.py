"""Fold a text to words: case, accents, full-width and styled letters, invisible signs, elongation.

Scripts that write no spaces between words give one word a character. Everything is linear in
the length of the text, whatever stands in it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

TEXT_READ: Final = 20_000
"""So many characters of a reply are read. No telephone sends as many."""

HARD: Final = "\x01"
"""Ends a sentence or a clause."""
SOFT: Final = "\x02"
"""Ends a line: a clause too, though a phrase may run on behind it."""
ASKS: Final = "\x03"
"""A question mark."""

_WITHOUT_SPACES: Final = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
_NOT_DECOMPOSED: Final = str.maketrans(
    {
        "đ": "d",
        "ø": "o",
        "ł": "l",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "ħ": "h",
        "ð": "d",
        "þ": "th",
        "ə": "e",
        # Letters that Arabic and Persian keyboards write in two ways, and lengthening.
        "ک": "ك",
        "ی": "ي",
        "ى": "ي",
        "ہ": "ه",
        "ة": "ه",
        "ٱ": "ا",
        "ـ": None,
        # Japanese lengthening and iteration say nothing here.
        "々": None,
    }
)
_APOSTROPHES: Final = frozenset("'’‘ʼ`´＇ʹ׳״")
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u2800")
_TYING: Final = frozenset('-‐‑_/\\()[]{}"“”„«»&@%*#+<>=|~^')
_QUESTION: Final = frozenset("?？؟¿;")
_DIGITS_AS_LETTERS: Final = str.maketrans("013457$", "oleasts")
_LATIN_OF_CYRILLIC: Final = str.maketrans("авеікмнорстухѕј", "abeikmhopctyxsj")
_CYRILLIC_OF_LATIN: Final = str.maketrans("abeikmhopctyxsj", "авеікмнорстухѕј")
_RUN: Final = re.compile(r"(.)\1{2,}")
_TWICE: Final = 2
_DOUBLE: Final = re.compile(r"(.)\1+")
_QUOTED: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_DASH: Final = re.compile(r"\s[-–—]+\s|[–—]|--+")


class _Marks(dict[int, int | str | None]):
    """Leaves out what carries no letter of its own: accents, and signs that nobody sees."""

    def __missing__(self, code: int) -> int | str | None:
        sign = chr(code)
        kept: int | str | None = code
        if unicodedata.combining(sign) or sign in _INVISIBLE or _is_invisible(sign):
            kept = None
        elif styled := _styled(code):
            kept = styled
        self[code] = kept
        return kept


class _Words(dict[int, int | str | None]):
    """Parts words; ``signs`` are pictures that stand as words of their own."""

    def __init__(self, signs: Iterable[str] = ()) -> None:
        super().__init__({ord(sign): f" {HARD} {sign} {HARD} " for sign in signs})

    def __missing__(self, code: int) -> int | str | None:
        kept = self[code] = _word_sign(chr(code))
        return kept


_marks = _Marks()


class Folding:
    """How texts are folded, where ``signs`` count as words and ``known`` are the words we know."""

    def __init__(self, signs: Iterable[str], known: Iterable[str]) -> None:
        self._words = _Words(signs)
        self._known = frozenset(known)
        self._short = {squeezed(word): word for word in sorted(self._known)}

    def tokens(self, text: str) -> list[str]:
        """The words and boundaries of a text, as they come."""
        text = _DASH.sub(f" {HARD} ", _QUOTED.sub("", text))
        tokens = folded(text).translate(self._words).split(" ")
        return [self._as_known(token) for token in _once(tokens) if token]

    def _as_known(self, token: str) -> str:
        """A word as we know it, if it is one of ours that was drawn out or dressed up."""
        if token in self._known or len(token) == 1:
            return token
        if _RUN.search(token):
            return self._short.get(squeezed(token), _RUN.sub(r"\1", token))
        if token.isascii() and token.isalnum() and not token.isalpha() and not token.isdigit():
            plain = token.translate(_DIGITS_AS_LETTERS)
            return plain if plain in self._known else token
        if not token.isascii():
            for table in (_LATIN_OF_CYRILLIC, _CYRILLIC_OF_LATIN):
                if (other := token.translate(table)) in self._known:
                    return other
        return token


def folded(text: str) -> str:
    """The text in small letters without accents, styles and what is invisible."""
    # Marks go first: putting a long run of them in order would take the square of its length.
    bare = unicodedata.normalize("NFKD", text.translate(_marks)).casefold()
    whole = unicodedata.normalize("NFC", bare.translate(_marks))
    return whole.translate(_NOT_DECOMPOSED)


def _once(tokens: Iterable[str]) -> Iterator[str]:
    """Leave out what repeats a character of a script without spaces a third time and more."""
    last, count = "", 0
    waiting: str | None = None
    for token in tokens:
        if not token:
            continue
        if token != last or len(token) > 1 or token.isascii():
            if waiting is not None:
                yield waiting
            waiting, last, count = None, token, 1
            yield token
            continue
        count += 1
        waiting = token if count == _TWICE else None
    if waiting is not None:
        yield waiting


def squeezed(word: str) -> str:
    """The word with every letter once where it is doubled."""
    return _DOUBLE.sub(r"\1", word)


def _is_invisible(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category in ("Cf", "Me") or "VARIATION SELECTOR" in unicodedata.name(sign, "")


def _styled(code: int) -> str | None:
    """The letter in a white-on-black circle or square."""
    for first in (0x1F150, 0x1F170):
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    return None


def _word_sign(sign: str) -> str | None:
    if sign in (HARD, SOFT, ASKS, " "):
        return sign
    if sign in "\n\r\u2028\u2029":
        return f" {SOFT} "
    if sign in _APOSTROPHES:
        return None
    if sign in _TYING:
        return " "
    if sign in _QUESTION:
        return f" {ASKS} {HARD} "
    category = unicodedata.category(sign)
    if category in ("Nd", "No", "Nl"):
        digit = unicodedata.digit(sign, None)
        return sign if digit is None else str(digit)
    if category[0] in "LM":
        apart = unicodedata.name(sign, "").startswith(_WITHOUT_SPACES)
        return f" {sign} " if apart else sign
    if category == "Sc":
        return sign
    if category[0] == "Z" or category in ("Cc", "Sm"):
        return " "
    return f" {HARD} "
