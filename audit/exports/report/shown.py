"""Text of strangers as it may be shown: nothing hidden in it, nothing lost, nothing reordered.

A control character could move the cursor, end a page, or turn the direction of writing so that a
sentence reads otherwise than it was written. Each is named in its place instead.
"""

import unicodedata
from collections.abc import Container
from functools import lru_cache

_HARMLESS = frozenset("\n\u200c\u200d")
"""Ends of lines, and what joins or parts letters in Persian and in Indic scripts."""


def visible(text: str) -> str:
    """The text with each character that does not show, or turns the direction, named in place."""
    one_end = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(one if is_plain(one) else named(one) for one in one_end)


def drawable(text: str, glyphs: Container[int]) -> str:
    """The text with each character that no font here can draw named in its place."""
    return "".join(
        one if one == "\n" or ord(one) in glyphs else "" if one in _HARMLESS else named(one)
        for one in text
    )


@lru_cache(maxsize=8192)
def named(character: str) -> str:
    """A character by its number and name in Unicode."""
    name = unicodedata.name(character, "")
    if not name and unicodedata.category(character) == "Cc":
        name = "CONTROL CHARACTER"
    return f"[U+{ord(character):04X}{f' {name}' if name else ''}]"


@lru_cache(maxsize=8192)
def is_plain(character: str) -> bool:
    """Whether a character shows by itself, or is a space or an end of a line."""
    if character in _HARMLESS:
        return True
    return unicodedata.category(character) not in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
