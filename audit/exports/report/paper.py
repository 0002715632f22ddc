"""The report as PDF, on A4: the same as on the screen, with numbered pages."""

from collections.abc import Callable, Iterator
from typing import Final

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from audit.exports.report import guide, words
from audit.exports.report.lettering import FAMILY, FOLDER, Lettering, is_shaped, lettering_for
from audit.exports.report.picture import (
    WIDTH,
    Circle,
    Picture,
    Polygon,
    Shape,
    Stroke,
    legend_of,
    picture_of,
)
from audit.exports.report.story import Line, Report, Said

NAME = "report.pdf"
_MARGIN: Final = 42.0
_BODY, _SMALL, _TINY = 9.0, 7.5, 6.5
_LABEL = 118.0
_LEADING = 1.38
_GREY = 70
_PLAIN: Final = frozenset(range(0x20, 0x0530)) - frozenset(range(0x7F, 0xA0)) | {
    *(0x0A, 0x2013, 0x2014, 0x2019, 0x201C, 0x201D, 0x2022, 0x2026)
}
"""Written from left to right, a letter after the other, and drawn by the family."""

_LIST = (26.0, 147.0, 140.0, 99.0, 99.0)


def paper_of(report: Report, breathe: Callable[[], None]) -> Iterator[bytes]:
    """Write the file; ``breathe`` is called after each entry, and may raise."""
    lettering = lettering_for(said.text for line in report.lines for said in line.said)
    page = _Paper(report, lettering)
    page.cover()
    page.picture()
    page.list_all(breathe)
    page.entries(breathe)
    page.records()
    page.words()
    page.checking()
    yield bytes(page.output() or b"")


class _Sheets(FPDF):
    """Pages with the address above and the number below."""

    def __init__(self, report: Report) -> None:
        super().__init__(unit="pt", format="A4")
        self.report = report
        self.goes_on: str | None = None
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN + 16)
        self.set_creation_date(report.as_of)
        self.set_lang("en")
        self.set_title(f"What is on record: {report.whose}")
        self.set_creator("Clear to Send")
        self.add_font(FAMILY, "", FOLDER / f"{FAMILY}.ttf")
        self.add_font(FAMILY, "B", FOLDER / f"{FAMILY}-Bold.ttf")

    def header(self) -> None:
        """Say on each page what it is a page of, and which entry goes on there."""
        self.set_font(FAMILY, "", _TINY)
        self.set_text_color(_GREY)
        said = f"What is on record of {self.report.whose}, as it stood on"
        self.cell(0, 10, f"{said} {words.moment(self.report.as_of)}")
        self.set_y(_MARGIN + 18)
        if self.goes_on is not None:
            self.set_font(FAMILY, "B", _SMALL)
            self.cell(0, _SMALL * _LEADING, f"{self.goes_on} (continued)")
            self.set_y(self.get_y() + 2 * _SMALL)
        self.set_text_color(0)

    def footer(self) -> None:
        """Number the page."""
        self.set_y(-_MARGIN)
        self.set_font(FAMILY, "", _TINY)
        self.set_text_color(_GREY)
        self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align=Align.R)
        self.set_text_color(0)


class _Paper:
    """Writes the parts of a report one below the other."""

    def __init__(self, report: Report, lettering: Lettering) -> None:
        self._report = report
        self._lettering = lettering
        self._pdf = _Sheets(report)
        self._widths: dict[tuple[str, bool], float] = {}
        for name in lettering.fallbacks:
            self._pdf.add_font(name, "", FOLDER / f"{name}.ttf")
        self._pdf.set_fallback_fonts(list(lettering.fallbacks), exact_match=False)

    def output(self) -> bytes | bytearray | None:
        """The finished file."""
        return self._pdf.output()

    def cover(self) -> None:
        """What it is about, and whether the evidence is genuine."""
        report, pdf = self._report, self._pdf
        pdf.add_page()
        self._write("What is on record of one person", size=20, bold=True)
        self._facts(
            (
                Said("Address", report.whose),
                Said("Kept by", report.kept_by),
                Said("As it stood on", words.moment(report.as_of)),
            )
        )
        self._gap(6)
        self._write(guide.INTRODUCTION)
        self._gap(8)
        self._verdict()
        self._facts(report.scope)
        self._title("The logs it was taken from", level=1)
        for log in report.checked.logs:
            self._write(f"{log.log} log", bold=True)
            self._facts(
                (
                    Said("Name", log.origin),
                    Said("Entries in it", str(log.size)),
                    Said(
                        "Of them here",
                        f"{log.entries}, {log.disclosed} with what was sealed for them. One more"
                        " than is told: the statement of who has how many entries.",
                    ),
                    Said("Nothing cut from the end", log.end),
                    Said("Signed state (root)", log.root or "none"),
                )
            )

    def picture(self) -> None:
        """The picture, and what its marks mean."""
        self._pdf.add_page()
        self._title("The picture")
        if not self._report.lines:
            self._write(guide.NOTHING)
            return
        self._write(
            "From left to right is time; each row is a way of contact. A number is that of an"
            " entry on the following pages; 3× means three entries close together."
        )
        self._gap(6)
        self._draw(picture_of(self._report.lines))
        for shapes, meaning in legend_of(self._report.lines):
            self._room(14)
            x, y = self._pdf.get_x(), self._pdf.get_y()
            self._shapes(shapes, x, y, 1)
            self._pdf.set_x(x + 18)
            self._write(meaning)

    def list_all(self, breathe: Callable[[], None]) -> None:
        """Every entry in one line."""
        self._title("All in one list")
        if not self._report.lines:
            self._write(guide.NOTHING)
            return
        self._row(("No.", "When", "What", "By", "Place"), bold=True)
        for line in self._report.lines:
            by = words.CHANNELS[line.channel] if line.channel else "no channel named"
            at = words.moment(line.at)
            if self._pdf.get_y() + 24 > self._pdf.page_break_trigger:
                self._pdf.add_page()
                self._row(("No.", "When", "What", "By", "Place"), bold=True)
            self._row((str(line.number), at, line.short, by, line.place))
            breathe()

    def entries(self, breathe: Callable[[], None]) -> None:
        """Every entry with all that it says."""
        self._pdf.add_page()
        self._title("Each entry")
        if not self._report.lines:
            self._write(guide.NOTHING)
        for line in self._report.lines:
            self._entry(line)
            breathe()

    def records(self) -> None:
        """What the consent records beside the report lack."""
        self._title("Consent records")
        self._write(
            "The file consent-records.jsonld holds the consents of this person for programs, in"
            " the form of ISO/IEC TS 27560 with the terms of the W3C Data Privacy Vocabulary. It"
            " was made from the same entries."
            + (" That form asks for more than was recorded. Missing are:" * bool(self._report.gaps))
        )
        for gap in self._report.gaps:
            self._write(f"•  {gap}")

    def words(self) -> None:
        """What the words mean."""
        self._pdf.add_page()
        self._title("What the words mean")
        self._facts(tuple(Said(*one) for one in guide.GLOSSARY))

    def checking(self) -> None:
        """How a reader checks it alone."""
        self._pdf.add_page()
        self._title("How to check this report")
        for number, step in enumerate(guide.CHECKING, 1):
            self._write(f"{number}.  {step}")
            self._gap(4)
        self._write("Public keys that the logs were signed with:")
        for key in self._report.checked.keys:
            self._write(key, size=_SMALL)
        for said in guide.PROVED:
            self._gap(4)
            self._write(said)

    def _verdict(self) -> None:
        checked, pdf = self._report.checked, self._pdf
        top, page = pdf.get_y(), pdf.page
        pdf.set_y(top + 6)
        with pdf.local_context():
            pdf.set_left_margin(_MARGIN + 8)
            pdf.set_x(_MARGIN + 8)
            self._write(guide.GENUINE if checked.is_genuine else guide.DAMAGED, size=11, bold=True)
            for damage in checked.damages:
                self._write(f"•  {damage}")
            self._write(guide.NOT_OWN_WITNESS)
            pdf.set_left_margin(_MARGIN)
        if pdf.page == page:
            pdf.rect(_MARGIN, top, pdf.epw, pdf.get_y() - top + 5)
        self._gap(12)

    def _entry(self, line: Line) -> None:
        pdf = self._pdf
        self._room(100)
        pdf.set_draw_color(150)
        pdf.line(_MARGIN, pdf.get_y(), _MARGIN + pdf.epw, pdf.get_y())
        pdf.set_draw_color(0)
        self._gap(4)
        self._write(f"{line.number}. {line.title}", size=10.5, bold=True)
        pdf.goes_on = f"{line.number}. {line.title}"
        self._write(f"{words.moment(line.at)}  —  {line.place}", bold=True, size=8.5)
        self._gap(2)
        self._facts(line.said)
        self._write(line.foot, size=_TINY, grey=_GREY)
        pdf.goes_on = None
        self._gap(6)

    def _title(self, text: str, level: int = 0) -> None:
        self._room(70)
        self._gap(10)
        self._pdf.start_section(text, level=level)
        self._write(text, size=14 if level == 0 else 11, bold=True)
        self._gap(4)

    def _facts(self, said: tuple[Said, ...]) -> None:
        pdf = self._pdf
        for label, text, is_quoted in said:
            self._room(2 * _BODY * _LEADING)
            top, page = pdf.get_y(), pdf.page
            with pdf.local_context():
                self._write(label, width=_LABEL - 6, grey=_GREY)
            below, below_page = pdf.get_y(), pdf.page
            if pdf.page == page:
                pdf.set_y(top)
            pdf.set_x(_MARGIN + _LABEL)
            self._write(f"“{text}”" if is_quoted else text)
            if pdf.page == below_page:
                pdf.set_y(max(pdf.get_y(), below))
            self._gap(2)

    def _row(self, cells: tuple[str, ...], *, bold: bool = False) -> None:
        pdf = self._pdf
        top = bottom = pdf.get_y()
        x = _MARGIN
        for width, text in zip(_LIST, cells, strict=True):
            pdf.set_xy(x, top)
            self._write(text, width=width - 6, size=_SMALL, bold=bold)
            bottom = max(bottom, pdf.get_y())
            x += width
        pdf.set_draw_color(180)
        pdf.line(_MARGIN, bottom + 1, _MARGIN + pdf.epw, bottom + 1)
        pdf.set_draw_color(0)
        pdf.set_xy(_MARGIN, bottom + 2)

    def _write(
        self,
        text: str,
        *,
        size: float = _BODY,
        bold: bool = False,
        grey: int = 0,
        width: float = 0,
    ) -> None:
        """Write a text from where the pen is, and go below it."""
        pdf = self._pdf
        pdf.set_font(FAMILY, "B" if bold else "", size)
        pdf.set_text_color(grey)
        wide = width or pdf.w - pdf.r_margin - pdf.get_x()
        left = pdf.get_x()
        # Each paragraph by itself: the direction of one is not that of the next.
        for paragraph in self._lettering.fit(text).split("\n"):
            pdf.set_x(left)
            self._paragraph(paragraph.rstrip(" "), wide, size, bold=bold)
        pdf.set_x(pdf.l_margin)
        pdf.set_text_color(0)

    def _paragraph(self, text: str, wide: float, size: float, *, bold: bool) -> None:
        pdf, high = self._pdf, size * _LEADING
        pdf.set_text_shaping(is_shaped(text))
        if all(ord(one) in _PLAIN for one in text):
            fits = self._fitting(text, wide - 2 * pdf.c_margin, size, bold=bold)
            pdf.set_font_size(fits)
            for line in self._broken(text, (wide - 2 * pdf.c_margin) / fits, bold=bold):
                pdf.cell(wide, high, line, new_x=XPos.LEFT, new_y=YPos.NEXT)
            pdf.set_font_size(size)
        else:
            pdf.multi_cell(wide, high, text, align=Align.L, new_x=XPos.LEFT, new_y=YPos.NEXT)

    def _fitting(self, paragraph: str, width: float, size: float, *, bold: bool) -> float:
        """The size of letters for a paragraph: a fingerprint stays in one line if it can."""
        is_too_wide = " " not in paragraph and self._width(paragraph, bold=bold) * size > width
        fits = is_too_wide and self._width(paragraph, bold=bold) * _SMALL <= width
        return min(size, _SMALL) if fits else size

    def _broken(self, paragraph: str, width: float, *, bold: bool) -> Iterator[str]:
        """Break a plain paragraph into lines of ``width``, in sizes of its letters.

        The library looks at a line anew with each letter that it adds, which takes minutes for a
        person with thousands of entries.
        """
        space = self._width(" ", bold=bold)
        line, used = "", 0.0
        for word in paragraph.split(" "):
            for piece in self._pieces(word, width, bold=bold):
                wide = self._width(piece, bold=bold)
                if line and used + space + wide > width:
                    yield line
                    line, used = piece, wide
                elif line:
                    line, used = f"{line} {piece}", used + space + wide
                else:
                    line, used = piece, wide
        yield line

    def _pieces(self, word: str, width: float, *, bold: bool) -> Iterator[str]:
        """A word; one that is wider than a line in as many pieces as it takes."""
        while self._width(word, bold=bold) > width:
            end, used = 0, 0.0
            while (used := used + self._width(word[end], bold=bold)) <= width:
                end += 1
            yield word[: max(end, 1)]
            word = word[max(end, 1) :]
        yield word

    def _width(self, word: str, *, bold: bool) -> float:
        """How wide a word is, in sizes of its letters."""
        known = self._widths.get((word, bold))
        if known is None:
            size = self._pdf.font_size_pt
            known = self._widths[word, bold] = self._pdf.get_string_width(word) / size
        return known

    def _gap(self, height: float) -> None:
        self._pdf.set_y(self._pdf.get_y() + height)

    def _room(self, height: float) -> None:
        """Begin a new page unless there is room for this much."""
        if self._pdf.get_y() + height > self._pdf.page_break_trigger:
            self._pdf.add_page()

    def _draw(self, picture: Picture) -> None:
        pdf = self._pdf
        room = pdf.page_break_trigger - pdf.get_y() - 20
        scale = min(pdf.epw / WIDTH, room / picture.height)
        top = pdf.get_y()
        self._shapes(picture.shapes, _MARGIN, top, scale)
        pdf.set_xy(_MARGIN, top + picture.height * scale + 8)

    def _shapes(self, shapes: tuple[Shape, ...], x: float, y: float, scale: float) -> None:
        pdf = self._pdf
        for one in shapes:
            if isinstance(one, Stroke):
                pdf.set_line_width(one.width * scale)
                pdf.line(
                    x + one.x1 * scale, y + one.y1 * scale, x + one.x2 * scale, y + one.y2 * scale
                )
                pdf.set_line_width(0.8)
            elif isinstance(one, Polygon):
                pdf.set_fill_color(0 if one.is_filled else 255)
                pdf.polygon([(x + a * scale, y + b * scale) for a, b in one.points], style="DF")
            elif isinstance(one, Circle):
                pdf.set_fill_color(0 if one.is_filled else 255)
                pdf.circle(x + one.x * scale, y + one.y * scale, one.r * scale, style="DF")
            else:
                pdf.set_font(FAMILY, "", one.size * scale)
                wide = pdf.get_string_width(one.text)
                shift = {"start": 0.0, "middle": wide / 2, "end": wide}[one.anchor]
                pdf.text(x + one.x * scale - shift, y + one.y * scale, one.text)
