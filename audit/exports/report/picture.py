"""The picture of a trail: what happened when, by which channel, in marks that need no colour.

Shapes in points, from the upper left corner, that the screen and the paper draw alike. Time runs
evenly from left to right. Marks of a kind that fall into one column are drawn once, with their
number, so that ten thousand entries make no other picture than thirty.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from audit.exports.report import words
from audit.exports.report.story import Line, Mark
from rules.vocabulary import Channel

WIDTH = 510.0
_LEFT, _TOP, _ROW, _FOOT = 112.0, 8.0, 15.0, 22.0
_COLUMNS = 16
_R = 4.0
_INK = 1.0
_TICKS = 5
_NUMBERS_MAX = 2

MEANINGS: Final = {
    Mark.GRANT: "consent given",
    Mark.CONFIRM: "consent confirmed",
    Mark.OPT_OUT: "opt-out or complaint",
    Mark.DEALING: "dealing (purchase, contract …)",
    Mark.SENT: "message sent",
    Mark.ERASURE: "erasure",
    Mark.OTHER: "other event",
    Mark.ALLOW: "decision: allowed",
    Mark.DEFER: "decision: had to wait",
    Mark.DENY: "decision: not allowed",
    Mark.UNKNOWN: "decision, not told",
}


class Stroke(NamedTuple):
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float = _INK


class Polygon(NamedTuple):
    """A closed shape, filled with ink or with paper."""

    points: tuple[tuple[float, float], ...]
    is_filled: bool


class Circle(NamedTuple):
    """A circle, filled with ink or with paper."""

    x: float
    y: float
    r: float
    is_filled: bool


class Words(NamedTuple):
    """A word or two; ``anchor`` is start, middle or end. ``y``: of the line it stands on."""

    x: float
    y: float
    text: str
    size: float = 7.0
    anchor: str = "start"


Shape = Stroke | Polygon | Circle | Words


@dataclass(frozen=True, slots=True)
class Picture:
    """The shapes, and what they say to somebody who cannot see them."""

    height: float
    shapes: tuple[Shape, ...]
    description: str


def picture_of(lines: Sequence[Line]) -> Picture:
    """Draw a trail that is not empty."""
    assert lines, "an empty trail has no picture"
    first, last = min(line.at for line in lines), max(line.at for line in lines)
    lanes = _lanes(lines, first, max(last - first, timedelta(hours=1)))
    shapes: list[Shape] = []
    y = _TOP
    for name, cells in lanes.items():
        rows = max(len(marks) for marks in cells.values())
        shapes += _lane(name, cells, y)
        y += rows * _ROW
    shapes += _axis(first, last, y)
    return Picture(y + _FOOT, tuple(shapes), _description(lines))


def legend_of(lines: Sequence[Line]) -> list[tuple[tuple[Shape, ...], str]]:
    """Each mark that the picture has, drawn around (6, 6), and what it means."""
    present = {line.mark for line in lines}
    return [(tuple(mark_at(mark, 6, 6)), MEANINGS[mark]) for mark in Mark if mark in present]


_Cells = dict[int, dict[Mark, list[int]]]


def _lanes(lines: Sequence[Line], first: datetime, span: timedelta) -> Mapping[str, _Cells]:
    """For each channel, column and kind of mark, the numbers of the entries."""
    found: dict[Channel | None, _Cells] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        column = min(int((line.at - first) / span * _COLUMNS), _COLUMNS - 1)
        found[line.channel][column].setdefault(line.mark, []).append(line.number)
    named = {words.CHANNELS[channel]: found[channel] for channel in Channel if channel in found}
    return named | ({"no channel named": found[None]} if None in found else {})


def _lane(name: str, cells: _Cells, y: float) -> Iterator[Shape]:
    yield Stroke(0, y, WIDTH, y, 0.4)
    yield Words(0, y + 10, name, 7.5)
    step = (WIDTH - _LEFT) / _COLUMNS
    for column, marks in sorted(cells.items()):
        x = _LEFT + step * column + _R + 1
        in_order = [mark for mark in Mark if mark in marks]
        for row, mark in enumerate(in_order):
            middle = y + row * _ROW + _ROW / 2
            yield from mark_at(mark, x, middle)
            yield Words(x + _R + 1.5, middle + 2, _numbers(marks[mark]), 6.2)


def _numbers(numbers: Sequence[int]) -> str:
    if len(numbers) > _NUMBERS_MAX:
        return f"{len(numbers)}×"
    return ",".join(str(number) for number in numbers)


def mark_at(mark: Mark, x: float, y: float) -> Iterator[Shape]:
    """Draw one mark around a point. No two are alike in black and white."""
    up = ((x, y - _R), (x + _R, y + _R), (x - _R, y + _R))
    down = ((x, y + _R), (x + _R, y - _R), (x - _R, y - _R))
    square = ((x - _R, y - _R), (x + _R, y - _R), (x + _R, y + _R), (x - _R, y + _R))
    diamond = ((x, y - _R), (x + _R, y), (x, y + _R), (x - _R, y))
    match mark:
        case Mark.GRANT:
            yield Circle(x, y, _R, is_filled=True)
        case Mark.CONFIRM:
            yield Circle(x, y, _R, is_filled=False)
            yield Circle(x, y, _R / 2, is_filled=True)
        case Mark.OPT_OUT:
            yield Polygon(square, is_filled=False)
            yield Stroke(x - _R, y - _R, x + _R, y + _R, 1.4)
            yield Stroke(x - _R, y + _R, x + _R, y - _R, 1.4)
        case Mark.ERASURE:
            yield Polygon(square, is_filled=True)
        case Mark.DEALING:
            yield Polygon(diamond, is_filled=False)
        case Mark.SENT:
            yield Polygon(diamond, is_filled=True)
        case Mark.ALLOW:
            yield Polygon(up, is_filled=False)
        case Mark.DENY:
            yield Polygon(down, is_filled=True)
        case Mark.DEFER:
            yield Polygon(((x - _R, y - _R), (x + _R, y - _R), (x, y)), is_filled=True)
            yield Polygon(((x - _R, y + _R), (x + _R, y + _R), (x, y)), is_filled=False)
        case Mark.OTHER:
            yield Stroke(x - _R, y, x + _R, y, 1.6)
            yield Stroke(x, y - _R, x, y + _R, 1.6)
        case Mark.UNKNOWN:
            yield Circle(x, y, _R, is_filled=False)


def _axis(first: datetime, last: datetime, y: float) -> Iterator[Shape]:
    yield Stroke(0, y, WIDTH, y, 0.8)
    span = max(last - first, timedelta(hours=1))
    form = "%H:%M" if span <= timedelta(days=2) else "%d %b %Y"
    for tick in range(_TICKS):
        x = _LEFT + (WIDTH - _LEFT) * tick / (_TICKS - 1)
        yield Stroke(x, y, x, y + 3, 0.8)
        said = f"{(first + span * tick / (_TICKS - 1)).astimezone(UTC):{form}}"
        anchor = "start" if tick == 0 else "end" if tick == _TICKS - 1 else "middle"
        yield Words(x, y + 11, said, 7, anchor)
    day = f"{first.astimezone(UTC):%d %b %Y}, UTC" if form == "%H:%M" else "UTC"
    yield Words(0, y + 11, day, 7)


def _description(lines: Sequence[Line]) -> str:
    counts: dict[Mark, int] = defaultdict(int)
    for line in lines:
        counts[line.mark] += 1
    of_each = [f"{MEANINGS[mark]}: {counts[mark]}" for mark in Mark if mark in counts]
    return "Entries over time, a row for each channel. " + "; ".join(of_each) + "."
