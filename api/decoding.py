"""Bodies decoded strictly, and what was wrong with one said by JSON pointer.

What a caller sent is never quoted back: what stands in the wrong field may be an address.
"""

import re
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from api.errors import InvalidRequestError
from api.redaction import without_addresses

T = TypeVar("T")

_PLACE = re.compile(r" - at (?P<place>.*)$", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+|\.\.\.)\]")
_MISSING = re.compile(r"^Object missing required field `([a-z_]+)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*)`$", re.DOTALL)
_PLAIN_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,40}$")
_TIME = "a time is written with its offset, such as 2026-11-20T21:30:00-05:00"


def decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Read ``body``, or raise ``InvalidRequestError`` that names the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        pointer, message = explain(str(error), decoder.type)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pointer, message = "", "the body is not well-formed JSON in UTF-8"
    except RecursionError:
        pointer, message = "", "the body is nested too deeply"
    raise InvalidRequestError("the body does not fit its shape", ((pointer, message),))


def explain(text: str, shape: Any) -> tuple[str, str]:
    """Turn what msgspec says into a JSON pointer and a message that quotes nothing."""
    match = _PLACE.search(text)
    said = text[: match.start()] if match else text
    steps = _steps(match["place"]) if match else ()
    if missing := _MISSING.match(said):
        return _pointer((*steps, missing[1])), "this field is required"
    if unknown := _UNKNOWN.match(said):
        name = unknown[1]
        if _PLAIN_NAME.match(name):
            return _pointer((*steps, name)), "there is no such field here"
        return _pointer(steps), "a field here is not known"
    if said.startswith(("Invalid enum value", "Invalid value")):
        return _pointer(steps), _choices(shape, steps)
    if "timezone" in said or said.startswith("Invalid RFC3339"):
        return _pointer(steps), _TIME
    if "matching regex" in said:
        return _pointer(steps), "does not have the form that is taken here"
    return _pointer(steps), without_addresses(said.replace("`", "").replace("$", ""))


def _steps(place: str) -> tuple[str, ...]:
    return tuple(name or index for name, index in _STEP.findall(place))


def _pointer(steps: tuple[str, ...]) -> str:
    return "".join(f"/{step}" for step in steps if step != "...")


def _choices(shape: Any, steps: tuple[str, ...]) -> str:
    values = _values_at(inspect.type_info(shape), steps)
    return f"must be one of: {', '.join(values)}" if values else "not one of the values taken here"


def _values_at(kind: inspect.Type, steps: tuple[str, ...]) -> list[str]:
    """The values that the field at ``steps`` takes, if it takes only certain ones."""
    if isinstance(kind, inspect.Metadata):
        return _values_at(kind.type, steps)
    if isinstance(kind, inspect.UnionType):
        found = [_values_at(option, steps) for option in kind.types]
        return next((values for values in found if values), [])
    if not steps:
        if isinstance(kind, inspect.EnumType) and issubclass(kind.cls, Enum):
            return [str(member.value) for member in kind.cls]
        if isinstance(kind, inspect.LiteralType):
            return [str(value) for value in kind.values]
        return []
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            if field.encode_name == steps[0]:
                return _values_at(field.type, steps[1:])
    if isinstance(kind, inspect.ListType | inspect.VarTupleType | inspect.SetType):
        return _values_at(kind.item_type, steps[1:])
    return []
