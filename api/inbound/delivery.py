"""A provider's request as it was signed: the public URL, the headers, the very bytes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from api.errors import InvalidRequestError, UnsupportedMediaTypeError

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
FIELD_COUNT_MAX = 1000

Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One request. ``url`` is what the provider called, with its query as it came.

    Header names are in small letters.
    """

    method: str
    url: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """What the body says it is, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """A header, or nothing."""
        return self.headers.get(name, "")

    def query_fields(self) -> Fields:
        """The fields of the query, in their order."""
        return _fields(self.query)

    def form(self) -> Fields:
        """The fields of a form, in their order; those left blank too."""
        self.require(FORM)
        # Bytes that are no UTF-8 stay what they are, so that the signature can still be tried.
        return _fields(self.body.decode("utf-8", "surrogateescape"))

    def json(self, *media_types: str) -> dict[str, Any]:
        """The object in a JSON body."""
        self.require(*(media_types or (JSON,)))
        return object_in(self.body.decode("utf-8", "surrogateescape"))

    def require(self, *media_types: str) -> None:
        """Refuse a body of any other type. ``UnsupportedMediaTypeError``."""
        if self.media_type not in media_types:
            raise UnsupportedMediaTypeError(f"this provider sends {' or '.join(media_types)}")


def object_in(text: str) -> dict[str, Any]:
    """The object that this JSON is, whatever its texts hold.

    Providers cut messages in parts, and letters with them: our own strict reading would refuse
    a stop for half an emoji.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidRequestError(
            "the body does not fit its shape", (("", "the body is no JSON object"),)
        )
    return found


def part_of(value: object, *path: str) -> Any:
    """What stands at a path in decoded JSON; None where something else stands on the way."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def first_of(value: object) -> object:
    """The first of a list; None where there is none."""
    return value[0] if isinstance(value, list) and value else None


def _fields(text: str) -> Fields:
    try:
        return parse_qsl(
            text,
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=FIELD_COUNT_MAX,
        )
    except ValueError:
        raise InvalidRequestError("there are more fields than any provider sends") from None
