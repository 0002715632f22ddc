"""A regulation as a person reads it, on a date."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import msgspec

from jurisdictions.format import AnyRule, BindsShape, ValueShape
from jurisdictions.loader import Regulation

HEADS = frozenset({"in_force_from", "in_force_until", "source"})
EMPTY: tuple[object, ...] = (None, [], (), {})


def text_of(regulation: Regulation, on: date) -> str:
    """Write the regulation out in Markdown, as it is in force on ``on``."""
    head = regulation.head
    lines = [f"# {head.title}", "", f"`{head.id}` · {head.jurisdiction} · {head.authority}"]
    if head.note:
        lines += ["", head.note]
    lines += ["", f"As in force on {on.isoformat()}."]
    for rule in regulation.written.rules:
        lines += ["", *_rule(rule, on)]
    return "\n".join(lines) + "\n"


def _rule(rule: AnyRule, on: date) -> Iterator[str]:
    kind = rule.__struct_config__.tag
    yield f"## {rule.summary}"
    yield ""
    yield f"`{rule.id}` · {kind} · binds {_binds(rule.binds)}"
    value = in_force(rule, on)
    yield ""
    if value is None:
        yield f"Nothing is in force on this day; it begins on {rule.values[0].in_force_from}."
        return
    for name, said in _said(value).items():
        yield f"- {name.replace('_', ' ')}: {_plain(said)}"
    source = value.source
    link = f" <{source.url}>" if source.url else ""
    yield f"- since {value.in_force_from}: {source.citation}{link}"
    yield f"- {source.force}, {source.certainty}, read on {source.read_on}"
    for later in rule.values:
        if later.in_force_from > on:
            yield f"- changes on {later.in_force_from}: {later.source.citation}"


def in_force(rule: AnyRule, on: date) -> ValueShape | None:
    """Give what a rule says on a day, or None."""
    values: tuple[ValueShape, ...] = rule.values
    ends = [after.in_force_from for _, after in pairwise(values)]
    for value, end in zip(values, [*ends, None], strict=True):
        ended = end is not None and on >= end
        ended = ended or (value.in_force_until is not None and on > value.in_force_until)
        if value.in_force_from <= on and not ended:
            return value
    return None


def _said(value: ValueShape) -> Mapping[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(value)
    blank = dict.fromkeys(written)
    defaults = zip(
        reversed(value.__struct_fields__), reversed(value.__struct_defaults__), strict=False
    )
    for name, default in defaults:
        blank[name] = msgspec.to_builtins(default) if default is not msgspec.NODEFAULT else None
    return {
        name: said
        for name, said in written.items()
        if name not in HEADS and said != blank[name] and said not in EMPTY
    }


def _binds(binds: BindsShape) -> str:
    written: dict[str, Any] = msgspec.to_builtins(binds)
    said = (f"{name} {_plain(what)}" for name, what in written.items() if what not in EMPTY)
    return "; ".join(said)


def _plain(said: object) -> str:
    """Write plain data as words: lists with commas, fields that say nothing left out."""
    if isinstance(said, Mapping):
        told = ((n, v) for n, v in said.items() if v not in (*EMPTY, False, ""))
        return ", ".join(n if v is True else f"{n.replace('_', ' ')} {_plain(v)}" for n, v in told)
    if isinstance(said, list | tuple):
        joint = "; or " if any(isinstance(item, Mapping) for item in said) else ", "
        return joint.join(_plain(item) for item in said)
    if isinstance(said, bool):
        return "yes" if said else "no"
    return str(said)
