"""Whether quoted words may name somebody else: an address in them that is not the person's.

Nothing is cut out: one commitment covers the whole of an entry. So whoever hands the report over
is told where to look.
"""

import re
from collections.abc import Collection

_MAIL = re.compile(r"[^\s@<>(),;:“”\"'=?&/]+@[^\s@<>(),;:“”\"'=?&/]+\.[^\W\d_]{2,}")
_NUMBER = re.compile(r"(?<![\w.-])(?:\+|00|\(?\d)[\d ().\u2010-\u2015/-]{6,24}\d(?![\w.-])")
_DIGITS_MIN, _DIGITS_MAX = 9, 15
_LIKE_A_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def may_name_others(text: str, own: Collection[str]) -> bool:
    """Tell whether an e-mail address or a number stands in a text that is none of ``own``."""
    mails = {one.casefold() for one in own if "@" in one}
    if any(one.casefold().rstrip(".") not in mails for one in _MAIL.findall(text)):
        return True
    numbers = [_digits(one) for one in own if "@" not in one]
    return any(not _is_own(found, numbers) for found in _NUMBER.findall(_without_dates(text)))


def _is_own(found: str, own: Collection[str]) -> bool:
    digits = _digits(found).removeprefix("00").lstrip("0")
    if not _DIGITS_MIN <= len(digits) <= _DIGITS_MAX:
        return True  # Too short or too long to be anybody's.
    return any(number.endswith(digits) for number in own)


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdecimal())


def _without_dates(text: str) -> str:
    return _LIKE_A_DATE.sub(" ", text)
