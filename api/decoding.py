"""Bodies decoded strictly, and what was wrong with one said by JSON pointer.

A name that stands twice in an object is refused, for readers differ in which they take; only in
an opt-out it is kept with both its values. What a caller sent is never quoted back: what stands
in the wrong field may be an address.
"""

import json
import re
from collections.abc import Iterator, Mapping
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
_NAMES = re.compile(rb'"([A-Za-z_][A-Za-z0-9_]*)"\s*:')
"""Names of fields, and what looks like one: in two objects, the same name is no repetition."""

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


def decode_once(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The same, of a body in which no object names a field twice."""
    decoded = decode(body, decoder)
    if _may_repeat(body):
        repeated = next(_repeated(_pairs_of(body), ""), None)
        if repeated is not None:
            field = (repeated, "this field stands here twice")
            raise InvalidRequestError("a field stands in the body twice", (field,))
    return decoded


def decode_all(body: bytes) -> Mapping[str, object]:
    """Read an object as it is; a field that stands twice has the list of its values."""
    decoded = decode(body, _OBJECT)
    if not _may_repeat(body):
        return decoded
    values: dict[str, list[object]] = {}
    for name, value in _pairs_of(body):
        values.setdefault(name, []).append(value)
    return decoded | {name: every for name, every in values.items() if len(every) > 1}


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


class _Pairs(list[tuple[str, Any]]):
    """An object as its names and values, in order."""


_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def _may_repeat(body: bytes) -> bool:
    names = _NAMES.findall(body)
    return len(set(names)) < len(names)


def _pairs_of(body: bytes) -> _Pairs:
    try:
        return _Pairs(json.loads(body, object_pairs_hook=_Pairs))
    except RecursionError:
        raise InvalidRequestError("the body is nested too deeply") from None


def _repeated(value: Any, pointer: str) -> Iterator[str]:
    """Where a name stands again in the object that has it already."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inside in value:
            if name in seen:
                yield f"{pointer}/{name}" if _PLAIN_NAME.match(name) else pointer
            seen.add(name)
            yield from _repeated(inside, f"{pointer}/{name}")
    elif isinstance(value, list):
        for place, inside in enumerate(value):
            yield from _repeated(inside, f"{pointer}/{place}")


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
