"""Fonts for paper, which come along: a PDF says the same on every machine, or nothing gets lost.

What none of them can draw is named in its place. A font is opened only where a text needs it.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from fontTools.ttLib import TTFont

from audit.exports.report.shown import drawable

FOLDER: Final = Path(__file__).parent / "fonts"
FAMILY: Final = "DejaVuSans"
"""Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic."""

OTHERS: Final = (
    "NotoSansDevanagari-Regular",
    "NotoSansBengali-Regular",
    "NotoSansTamil-Regular",
    "NotoSansSinhala-Regular",
    "NotoSansThai-Regular",
    "DroidSansFallbackFull",  # Chinese, Japanese.
    "NanumGothicCoding",  # Korean.
)
_SHAPED: Final = range(0x0590, 0x1100)
"""Scripts whose letters join, stack or run from right to left; a few of them need not."""


class Lettering(NamedTuple):
    """The fonts that some texts need besides the family, and every character they can draw."""

    fallbacks: tuple[str, ...]
    glyphs: frozenset[int]

    def fit(self, text: str) -> str:
        """The text with what cannot be drawn named in its place."""
        return drawable(text, self.glyphs)


def lettering_for(texts: Iterable[str]) -> Lettering:
    """Choose the fonts for these texts: the first that has a character draws it."""
    left = {ord(one) for text in texts for one in text} - glyphs_of(FAMILY)
    known = set(glyphs_of(FAMILY))
    needed = []
    for name in OTHERS if left else ():
        if left & glyphs_of(name):
            needed.append(name)
            left -= glyphs_of(name)
            known |= glyphs_of(name)
    return Lettering(tuple(needed), frozenset(known))


def is_shaped(text: str) -> bool:
    """Whether some of the text is of a script that has to be shaped."""
    return any(ord(one) in _SHAPED for one in text)


@cache
def glyphs_of(name: str) -> frozenset[int]:
    """What a font can draw."""
    return frozenset(_code_points(name))


def _code_points(name: str) -> Iterator[int]:
    with TTFont(FOLDER / f"{name}.ttf", lazy=True) as font:
        yield from font.getBestCmap()
