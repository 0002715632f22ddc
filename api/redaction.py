"""What looks like a person's address, so that it can be kept out of URLs, logs and problems.

A last line of defence: nothing should carry one there in the first place.
"""

import re
from urllib.parse import unquote_plus

# At least nine digits without a plus, or six with one, in any of the usual spellings. Dates,
# offsets, indexes and the longer ids of templates are not meant, and do not match.
_NUMBER = (
    r"(?<![\w.])(?!\d{4}-\d\d-\d\d\b)"
    r"(?:\+\d(?:[ ().-]{0,2}\d){5,14}|\(?\d(?:[ ().-]{0,2}\d){8,14})(?![\w])"
)
# It is looked for from the first letter of a word only: whoever sends long words keeps nobody busy.
_EMAIL = r"(?<![^\s@/?&=<>\"'`:,;])[^\s@/?&=<>\"'`:,;]++@[^\s@/?&=<>\"'`:,;]+"
_ADDRESSES = (re.compile(_NUMBER), re.compile(_EMAIL))
_REMOVED = "[removed]"

# In a URL an unescaped plus is a space, so both readings are looked at. A date is no number.
_URL_ADDRESS = re.compile(
    r"(?<![\w.])(?:\+[ (]{0,2}\d(?:[ ().-]{0,2}\d){5,14}|\(?\d(?:[ ().-]{0,2}\d){9,14})(?![\w])"
    r"|(?<![^\s@/?&=])[^\s@/?&=]++@[^\s@/?&=]+"
)


def without_addresses(text: str) -> str:
    """Replace everything in ``text`` that looks like an address."""
    for address in _ADDRESSES:
        text = address.sub(_REMOVED, text)
    return text


def carries_address(text: str) -> bool:
    """Whether something in ``text`` looks like an address."""
    return any(address.search(text) is not None for address in _ADDRESSES)


def url_carries_address(path: str, query: bytes) -> bool:
    """Whether path (decoded) or query (as sent) of a request look as if they hold an address."""
    if _URL_ADDRESS.search(path) is not None:
        return True
    if not query:
        return False
    text = query.decode("latin-1")
    return any(
        _URL_ADDRESS.search(reading) is not None
        for reading in (unquote_plus(text), unquote_plus(text.replace("+", "%2B")))
    )
