"""Reading a message's text: words, names, links, numbers and postal addresses in it.

Accents, full-width forms and the kind of quotes do not matter. Words of scripts that write
spaces count only as whole words.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import islice

_WIDE = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters that are written without spaces, so that no space parts them from a link."""
_WIDE_MARKS = "\u3000-\u303f\uff00-\uff65"
_WORD, _ALNUM, _LETTER = (rf"[^\W{less}{_WIDE}]" for less in ("", "_", r"\d_"))
_WIDE_TLD = "com|net|org|asia|jp|cn|tw|hk|sg|中国|中國|公司|网络|香港|台灣|台湾"
_PATH = rf"(?:/(?:[{_WIDE}]+(?=[/?#\s]|$)|[^\s<>\"/{_WIDE}{_WIDE_MARKS}]*))*"
_IN_MAIL = rf"[^\s@<>()\[\],;:{_WIDE}{_WIDE_MARKS}]"
# Texts come from outside and may be long: no pattern may start over at every character of a
# run that it has just read in vain. Each begins where a run begins, or reads only so far.
_EMAIL = re.compile(rf"(?<!{_IN_MAIL}){_IN_MAIL}+@{_IN_MAIL}+\.{_LETTER}{{2,}}")
_URL = re.compile(
    rf"https?://(?:[^\s<>\"/{_WIDE}{_WIDE_MARKS}]+|[^\s<>\"/{_WIDE_MARKS}]+){_PATH}",
    re.IGNORECASE,
)
_HOST = re.compile(
    rf"(?<!{_WORD})(?<![@.-])"
    rf"(?:(?:{_ALNUM}(?:(?:{_WORD}|-)*{_ALNUM})?\.)+{_LETTER}{{2,24}}"
    rf"|(?<![{_WIDE}])[{_WIDE}]+\.(?:{_WIDE_TLD}))"
    rf"(?::\d+)?{_PATH}(?!{_WORD}|@)"
)
_NUMBER = re.compile(r"\+?[\d(][\d\s()\-]{0,30}\d")
_WHOLE_NUMBER = re.compile(r"(?<!\w)" + _NUMBER.pattern)
_POSTAL_CODE = re.compile(
    r"(?<![\w-])"
    r"(?:\d{4,7}|\d{5}-\d{4}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2})"
    r"(?![\w%-])"
)
_HOUSE_NUMBER = re.compile(r"(?<![\w$€£¥.,#+-])\d{1,6}[A-Za-z]?(?!(?:[^\W\d]|[.:-])*+[%‰\d])")
_SENTENCE_END = re.compile(r"(?<=[.!?;|])\s+|\n+|(?<=[。！？；])")
_WRITTEN_WITHOUT_SPACES = (
    "CJK",
    "HANGUL",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
PHONE_DIGITS = 7
"""The fewest digits that make a telephone number."""

LONG_PHONE_DIGITS = 10
"""The digits of a telephone number with its area code, where no sign or zero leads it."""

POSTAL_CODES_TRIED = 10
"""A text with more postal codes, and no house number beside any of these, is no address."""

TEXTS_KEPT = 64
"""A message's text is read by several rules; this many texts are kept, however long they are."""


MARKS_IN_A_ROW = 30
"""No language writes more marks on a letter (Unicode Standard Annex 15, stream-safe text)."""

_JOINER = "\u034f"
"""Invisible, and no mark is ever put in another's place across it."""


class _Bare(dict[int, str]):
    """Characters without accents and full-width forms, each by itself."""

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize("NFKD", chr(code))
        bare = "".join(c for c in decomposed if not unicodedata.combining(c))
        self[code] = bare
        return bare


_bare = _Bare({ord("’"): "'", ord("‘"): "'"})


@lru_cache(maxsize=TEXTS_KEPT)
def plain(text: str) -> str:
    """Give the text without accents, full-width forms and typographic quotes."""
    # Marks go before anybody puts them in order, which takes the square of a run's length.
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_bare))


def stream_safe(text: str) -> str:
    """Give the text with an invisible joiner in every run of marks longer than any language's.

    Then its normal forms take a time that grows with its length alone.
    """
    if text.isascii() or len(text) <= MARKS_IN_A_ROW:
        return text
    found, count = [], 0
    for sign in text:
        count = count + 1 if unicodedata.combining(sign) else 0
        if count > MARKS_IN_A_ROW:
            found.append(_JOINER)
            count = 1
        found.append(sign)
    return "".join(found)


@lru_cache(maxsize=TEXTS_KEPT)
def without_links(text: str) -> str:
    """Give the text with links, host names and e-mail addresses left out."""
    for pattern in (_EMAIL, _URL, _HOST):
        text = pattern.sub(" ", text)
    return text


def has_word(text: str, word: str) -> bool:
    """Tell whether ``word`` stands in ``text``, links left out.

    A word written in capitals counts in capitals only, any other in any case. A word that a
    hyphen ties to another does not count.
    """
    return word_at(plain(without_links(text)), word) is not None


def has_name(text: str, name: str) -> bool:
    """Tell whether ``name`` stands in ``text``, links left out, case ignored."""
    return _find(plain(without_links(text)).casefold(), plain(name).casefold()) is not None


def same_name(left: str, right: str) -> bool:
    """Tell whether two names are equal but for case, spaces and punctuation."""
    return _letters(left) == _letters(right) != ""


def links(text: str) -> tuple[str, ...]:
    """Give the links in the text: with a scheme, or a bare host name with a dot."""
    rest = _EMAIL.sub(" ", text)
    found = [m.group() for m in _URL.finditer(rest)]
    found += [m.group() for m in _HOST.finditer(_URL.sub(" ", rest))]
    return tuple(link.rstrip(".,;:!?)") for link in found)


def is_link(text: str) -> bool:
    """Tell whether the whole text is one link."""
    return links(text) == (text.rstrip(".,;:!?)"),)


def host_of(link: str) -> str:
    """Give the host name of a link, in small letters."""
    rest = re.sub(r"^[a-z]+://", "", link.strip().casefold())
    return re.split(r"[/:?#]", rest, maxsplit=1)[0].rsplit("@", 1)[-1].removesuffix(".")


def emails(text: str) -> tuple[str, ...]:
    """Give the e-mail addresses in the text."""
    return tuple(m.group() for m in _EMAIL.finditer(text))


def phone_numbers(text: str) -> tuple[str, ...]:
    """Give the digits of every telephone number in the text: seven digits or more."""
    found = (re.sub(r"\D", "", m.group()) for m in _NUMBER.finditer(without_links(text)))
    return tuple(digits for digits in found if len(digits) >= PHONE_DIGITS)


def has_short_number(text: str, digits: int) -> bool:
    """Tell whether a number of exactly so many digits stands in the text."""
    return re.search(rf"(?<![\w.,-])\d{{{digits}}}(?![\w%-])", without_links(text)) is not None


def has_postal_address(text: str) -> bool:
    """Tell whether the text holds a house or box number and, beside it, a postal code.

    The groups of a telephone number are neither.
    """
    rest = _WHOLE_NUMBER.sub(
        lambda number: " ; " if _is_dialled(number.group()) else number.group(),
        without_links(text),
    )
    for code in islice(_POSTAL_CODE.finditer(rest), POSTAL_CODES_TRIED):
        others = rest[: code.start()] + " ; " + rest[code.end() :]
        if _HOUSE_NUMBER.search(others):
            return True
    return False


def beside_notices(text: str, words: tuple[str, ...]) -> str:
    """Give the text without the one link, number or address that belongs to each opt-out notice.

    That is the first that follows the notice in its sentence, or else the last before it.
    """
    sentences = _SENTENCE_END.split(text)
    return "\n".join(_without_notice_target(sentence, words) for sentence in sentences)


def word_at(text: str, word: str) -> int | None:
    """Give where ``word`` stands in ``text``, both plain; None if nowhere."""
    bare = plain(word)
    if is_capitals(bare):
        return _find(text, bare)
    return _find(text.casefold(), bare.casefold())


def is_capitals(word: str) -> bool:
    """Tell whether a word has letters of two cases and all of them are capitals."""
    return word == word.upper() and word != word.lower()


def _is_dialled(number: str) -> bool:
    """Tell a telephone number from a house number that a postal code follows."""
    groups = [len(group) for group in re.findall(r"\d+", number)]
    if number[0] in "+(0":
        return sum(groups) >= PHONE_DIGITS
    return len(groups) > 2 and max(groups) < 5 and sum(groups) >= LONG_PHONE_DIGITS


def _without_notice_target(sentence: str, words: tuple[str, ...]) -> str:
    places = [at for word in words if (at := word_at(plain(sentence), word)) is not None]
    if not places:
        return sentence
    targets = [m.span() for pattern in (_EMAIL, _URL, _HOST) for m in pattern.finditer(sentence)]
    targets += [
        m.span()
        for m in _NUMBER.finditer(sentence)
        if len(re.sub(r"\D", "", m.group())) >= PHONE_DIGITS
    ]
    if not targets:
        return sentence
    after = [span for span in targets if span[0] >= min(places)]
    start, end = min(after) if after else max(targets)
    inside = [span for span in targets if span[0] >= start and span[1] <= end]
    end = max([end, *(span[1] for span in inside)])
    return sentence[:start] + " " + sentence[end:]


def _find(text: str, word: str) -> int | None:
    if not word:
        return None
    at = text.find(word)
    while at >= 0:
        if _stands_alone(text, at, at + len(word)):
            return at
        at = text.find(word, at + 1)
    return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (_ties(text[start], before, text[start - 2 : start - 1])) and not (
        _ties(text[end - 1], after, text[end + 1 : end + 2])
    )


def _ties(edge: str, neighbour: str, beyond: str) -> bool:
    """Tell whether ``neighbour`` makes ``edge`` part of a longer word."""
    if not _is_spaced_letter(edge):
        return False
    return _is_spaced_letter(neighbour) or (neighbour in "-_" and _is_spaced_letter(beyond))


@lru_cache(maxsize=4096)
def _is_spaced_letter(character: str) -> bool:
    """Tell whether a character is a letter or digit of a script that writes spaces."""
    if not character or not character.isalnum():
        return False
    return not unicodedata.name(character, "").startswith(_WRITTEN_WITHOUT_SPACES)


def _letters(name: str) -> str:
    return "".join(c for c in plain(name).casefold() if c.isalnum())
