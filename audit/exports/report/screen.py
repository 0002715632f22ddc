"""The report as one HTML file: nothing beside it is needed, nothing in it runs, and it prints."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from audit.exports.report import guide, picture, words
from audit.exports.report.story import Report

NAME = "report.html"


def screen_of(report: Report, breathe: Callable[[], None]) -> Iterator[bytes]:
    """Write the file, a piece at a time; ``breathe`` is called between pieces, and may raise."""
    pieces = _template().stream(
        report=report,
        guide=guide,
        channels=words.CHANNELS,
        as_of=words.moment(report.as_of),
        picture=picture.picture_of(report.lines) if report.lines else None,
        legend=picture.legend_of(report.lines),
        width=picture.WIDTH,
    )
    pieces.enable_buffering(256)
    for piece in pieces:
        breathe()
        yield piece.encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["moment"] = words.moment
    environment.filters["number"] = _number
    environment.tests["stroke"] = lambda shape: isinstance(shape, picture.Stroke)
    environment.tests["polygon"] = lambda shape: isinstance(shape, picture.Polygon)
    environment.tests["circle"] = lambda shape: isinstance(shape, picture.Circle)
    return environment.get_template("report.html.jinja")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
