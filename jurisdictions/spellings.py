"""Telephone numbers that have two international spellings and are one telephone."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from jurisdictions.strict_yaml import decode, load


class SpellingPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One numbering plan's two forms, as ``data/spellings.yaml`` says them."""

    country: str
    before: str
    mark: str
    rest: str
    written: Literal["long", "short", "as_given"]


class SpellingPlans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``data/spellings.yaml`` as it is written."""

    spellings: tuple[SpellingPlan, ...]


@dataclass(frozen=True, slots=True)
class _Pattern:
    plan: SpellingPlan
    either: re.Pattern[str]


def spellings_of(number: str) -> tuple[str, tuple[str, ...]]:
    """How we write ``number`` (``+`` and digits), and all its spellings.

    The spellings come in the same order whichever of them was given.
    """
    for pattern in _patterns():
        found = pattern.either.match(number)
        if found is None:
            continue
        before, mark, rest = found.groups()
        short, long = before + rest, before + pattern.plan.mark + rest
        if pattern.plan.written == "as_given":
            written = long if mark else short
        else:
            written = long if pattern.plan.written == "long" else short
        return written, (short, long)
    return number, (number,)


@cache
def _patterns() -> tuple[_Pattern, ...]:
    path = Path(__file__).parent / "data" / "spellings.yaml"
    plans = decode(load(path, name="jurisdictions/data/spellings.yaml"), SpellingPlans).spellings
    return tuple(
        _Pattern(plan, re.compile(rf"({plan.before})({plan.mark})?({plan.rest})\Z"))
        for plan in plans
    )
