"""Short messages that came as bytes: letters that have to be guessed, and parts of longer ones."""

import base64
import binascii
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_GSM_7: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of 3GPP TS 23.038, 6.2.1."""

_CONCATENATED: Final = (0x00, 0x08)
"""The elements of a header that make it one of several: 3GPP TS 23.040, 9.2.3.24."""

_NO_LETTERS: Final = frozenset({"Cc", "Cn", "Co", "Cs"})


@dataclass(frozen=True, slots=True)
class Letters:
    """The text of a binary message. ``is_guessed``: several readings, a line each, or none."""

    text: str
    is_guessed: bool


def letters_in(data: bytes) -> Letters:
    """Read UTF-8 (and so ASCII) for what it is; anything else in every way that gives letters."""
    text = _text_in(data, "utf-8-sig")
    if text:
        return Letters(text, is_guessed=False)
    return Letters("\n".join(dict.fromkeys(_readings(data))), is_guessed=True)


def letters_in_base64(text: str) -> Letters:
    """The same of bytes in base64."""
    try:
        return letters_in(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        return Letters("", is_guessed=True)


def letters_in_hexadecimal(text: str) -> Letters:
    """The same of bytes in hexadecimal."""
    try:
        return letters_in(bytes.fromhex(text))
    except ValueError:
        return Letters("", is_guessed=True)


def is_part(header: str) -> bool:
    """Whether a message's header, in hexadecimal, makes it one of several; unreadable ones do."""
    try:
        data = bytes.fromhex(header)
    except ValueError:
        return True
    place = 1  # Behind its length: elements, each with its number, its length and itself.
    while place + 1 < len(data):
        if data[place] in _CONCATENATED:
            return True
        place += 2 + data[place + 1]
    return False


def _readings(data: bytes) -> Iterator[str]:
    for encoding in ("utf-16-be", "utf-16-le", "cp1252"):
        text = _text_in(data, encoding)
        if text:
            yield text
    yield _unpacked(data)


def _text_in(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return ""
    is_text = all(
        sign in "\r\n\t" or unicodedata.category(sign) not in _NO_LETTERS for sign in text
    )
    return text if is_text else ""


def _unpacked(data: bytes) -> str:
    """Letters of seven bits, the next one's lowest bits in what the last one leaves free."""
    bits = int.from_bytes(data, "little")
    return "".join(_GSM_7[bits >> 7 * place & 0x7F] for place in range(len(data) * 8 // 7)).rstrip(
        "@"
    )
