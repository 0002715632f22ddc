"""Lists in pages: an opaque cursor says where the next one begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from api.errors import InvalidRequestError

T = TypeVar("T")
R = TypeVar("R")

LIMIT_MAX = 200
LIMIT_DEFAULT = 50

Cursor = Annotated[
    str | None,
    QueryParameter(description="`next_cursor` of the page before.", max_length=300),
]
Limit = Annotated[int, QueryParameter(description="Items a page at most.", ge=1, le=LIMIT_MAX)]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list. ``next_cursor`` is null on the last."""

    items: list[T]
    next_cursor: str | None


def place_of(cursor: str | None) -> str:
    """The id after which a page begins; empty for the first."""
    if cursor is None:
        return ""
    try:
        return _decoded(cursor.removeprefix("c"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise InvalidRequestError(
            "the cursor is not one of ours", (("/cursor", "take it from next_cursor"),)
        ) from None


def page_of(
    found: Sequence[R], limit: int, *, shape: Callable[[R], T], place: Callable[[R], str]
) -> Page[T]:
    """Make a page of what was found when one more than ``limit`` was asked for."""
    shown = found[:limit]
    more = len(found) > limit
    return Page([shape(item) for item in shown], _cursor_at(place(shown[-1])) if more else None)


def _decoded(text: str) -> str:
    padded = text + "=" * (-len(text) % 4)
    place = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    if "\0" in place:
        raise ValueError("no id holds a zero")
    return place


def _cursor_at(place: str) -> str:
    # The letter before it keeps a cursor from ever looking like a telephone number.
    return "c" + base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")
