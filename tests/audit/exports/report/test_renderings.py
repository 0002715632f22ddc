"""The same report gives the same bytes; its picture stays a picture; and a browser is content."""

from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from pypdfium2 import PdfDocument

from audit.exports.report import guide, paper, picture, screen
from audit.exports.report.checked import Checked, check
from audit.exports.report.picture import Words, mark_at, picture_of
from audit.exports.report.story import Line, Mark, Report, Said
from rules.vocabulary import Channel
from tests.support.browser import a_browser, wants_browser
from tests.support.bundles import altered
from tests.support.consents import NOW
from tests.support.lives import Lived, packed_words, words_of_paper, words_of_screen


def breathe() -> None:
    """Nothing to wait for."""


def a_line(number: int = 1, mark: Mark = Mark.GRANT, **given: object) -> Line:
    fields: dict[str, object] = {
        "number": number,
        "mark": mark,
        "channel": Channel.SMS,
        "at": NOW + number * timedelta(hours=5),
        "title": "Consent given",
        "short": "Consent given",
        "place": f"consent log, entry {number}",
        "said": (Said("Words of the person", "yes, لا, 配信", is_quoted=True),),
        "foot": "Recorded.",
    }
    return Line(**(fields | given))  # type: ignore[arg-type]


def a_report(*lines: Line, damages: tuple[str, ...] = ()) -> Report:
    return Report(
        organisation="org_test",
        named="Acme Ltd",
        whose="+12125550123",
        as_of=NOW,
        scope=(Said("What is on record", "something"),),
        checked=Checked(damages, (), ()),
        lines=lines,
        gaps=("notice: in 1 of 1 records",),
    )


def test_the_same_report_gives_the_same_bytes() -> None:
    def written() -> tuple[bytes, bytes]:
        report = a_report(a_line(), a_line(2, Mark.DENY))
        return (
            b"".join(paper.paper_of(report, breathe)),
            b"".join(screen.screen_of(report, breathe)),
        )

    assert written() == written()


def test_pages_are_numbered() -> None:
    lines = [a_line(number) for number in range(1, 60)]
    words = words_of_paper(b"".join(paper.paper_of(a_report(*lines), breathe)))
    count = words.count("Page")
    assert count > 5
    assert all(f"Page{number}of{count}" in words for number in range(1, count + 1))


def test_an_entry_that_goes_on_says_so_on_the_next_page() -> None:
    said = tuple(Said(f"Thing {number}", "told") for number in range(60))
    pages = words_of_paper(b"".join(paper.paper_of(a_report(a_line(said=said)), breathe)))
    assert pages.count("1.Consentgiven(continued)") == 1
    assert "(continued)" not in pages[pages.index("Consentrecords") :]


def test_a_fingerprint_is_not_broken(lived: Lived) -> None:
    release = next(row["leaf"]["release"] for row in lived.story if row["leaf"]["release"])
    with PdfDocument(lived.members["report.pdf"]) as document:
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            page.close()
    assert "".join(texts).count(release) == 20, "once a decision, each in one line"


def test_the_first_page_names_the_organisation() -> None:
    report = a_report(a_line())
    for text in (
        words_of_paper(b"".join(paper.paper_of(report, breathe))),
        packed_words(words_of_screen(b"".join(screen.screen_of(report, breathe)))),
    ):
        assert "AcmeLtd(organisationorg_test)" in text


def test_evidence_that_is_not_genuine_is_told_first() -> None:
    report = a_report(a_line(), damages=("changed_leaf: the entry is not the one in the tree",))
    on_paper = words_of_paper(b"".join(paper.paper_of(report, breathe)))
    on_screen = words_of_screen(b"".join(screen.screen_of(report, breathe)))
    for text in (on_paper, packed_words(on_screen)):
        assert packed_words("the entry is not the one in the tree") in text
        assert packed_words(guide.DAMAGED) in text
        assert packed_words(guide.GENUINE) not in text


def test_the_verdict_is_found_by_looking(lived: Lived, tmp_path: Path) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(lived.bundle)
    assert check(path, lived.keys).is_genuine
    broken = altered(lived.bundle, "disclosed/consent.jsonl", lambda it: it.replace(b"STOP", b"GO"))
    path.write_bytes(broken)
    assert any("changed_payload" in said for said in check(path, lived.keys).damages)


def test_no_two_marks_look_alike() -> None:
    drawn = [tuple(mark_at(mark, 6, 6)) for mark in Mark]
    assert len(set(drawn)) == len(Mark)
    assert set(picture.MEANINGS) == set(Mark)


def test_ten_thousand_entries_make_one_picture() -> None:
    marks = list(Mark)
    lines = [a_line(number, marks[number % len(marks)]) for number in range(1, 10_001)]
    drawn = picture_of(lines)
    assert len(drawn.shapes) < 1500
    assert drawn.height < 700
    counted = [one.text for one in drawn.shapes if isinstance(one, Words) and "×" in one.text]
    assert sum(int(text.removesuffix("×")) for text in counted) == 10_000


@pytest.mark.parametrize("count", [1, 2, 50])
def test_a_picture_shows_each_entry_by_its_number(count: int) -> None:
    lines = [a_line(number) for number in range(1, count + 1)]
    texts = [one.text for one in picture_of(lines).shapes if isinstance(one, Words)]
    assert "text message (SMS)" in texts
    if count < 3:
        assert any(str(count) in text.split(",") for text in texts)


@pytest.fixture(scope="module")
def page_path(lived: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(lived.members["report.html"])
    return path


@pytest.mark.slow
@wants_browser
@pytest.mark.parametrize("width", [1000, 390])
def test_a_browser_reads_it_aloud_and_asks_nobody(page_path: Path, width: int) -> None:
    asked: list[str] = []
    with a_browser() as browser:
        page = browser.new_page(viewport={"width": width, "height": 1200})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_path.as_uri())
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("img", name="Timeline").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") == width
        # No word of the list is broken, nor the picture too small to be read.
        wide = page.locator(".list td:nth-child(3)").evaluate_all(
            "all => all.map(one => one.offsetWidth)"
        )
        assert min(wide) > 60
        assert (
            page.locator("svg[role=img]").evaluate("it => it.getBoundingClientRect().width") > 700
        )
    assert asked == [page_path.as_uri()]
