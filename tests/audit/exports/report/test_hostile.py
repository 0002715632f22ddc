"""Texts that strangers wrote: whatever they are, nothing of them runs, hides, or gets lost."""

from pathlib import Path

import pytest

from audit.exports.report.lettering import FAMILY, OTHERS, glyphs_of, lettering_for
from audit.exports.report.shown import drawable, visible
from consent.events import RecordedKind
from rules.vocabulary import Via
from tests.support.bundles import members_of
from tests.support.consents import ANN, an_event
from tests.support.exports import export_of, public_keys
from tests.support.gates import Desk
from tests.support.lives import Lived, packed_words

HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;"
NUMBERED = " ".join(f"{number:04}" for number in range(2000))
"""Ten thousand characters, each piece of which can be told from the others."""

LONG_WORD = "".join(f"{number:04}" for number in range(2500))


def told_of(one: Desk, folder: Path, *texts: str) -> Lived:
    for text in texts:
        stop = an_event(RecordedKind.REVOKE, sender=None, via=Via.KEYWORD, text=text)
        one.recorder.record_one(ANN, stop)
    return Lived(export_of(one, folder, whose=ANN), public_keys(one))


def test_marks_of_html_are_text(one: Desk, tmp_path: Path) -> None:
    told = told_of(one, tmp_path, HTML)
    html = told.members["report.html"]
    assert b"<script" not in html
    assert b"<img" not in html
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert packed_words(HTML) in told.paper


def test_ten_thousand_characters_are_all_there(one: Desk, tmp_path: Path) -> None:
    told = told_of(one, tmp_path, NUMBERED, LONG_WORD)
    assert NUMBERED in told.screen
    assert LONG_WORD in told.screen
    assert told.paper.count("Page") > 4
    for piece in (f"{number:04}" for number in range(0, 2000, 7)):
        assert piece in told.paper
    assert packed_words(NUMBERED[:400]) in told.paper
    assert packed_words(NUMBERED[-400:]) in told.paper


def test_what_turns_the_direction_of_writing_is_named(one: Desk, tmp_path: Path) -> None:
    told = told_of(one, tmp_path, "I agree \u202eton od I\u202c\u200b\x07\x1b[2J\x0c")
    for text in (told.screen, told.paper):
        packed = packed_words(text)
        assert packed_words("I agree [U+202E RIGHT-TO-LEFT OVERRIDE]ton od I") in packed
        assert packed_words("[U+200B ZERO WIDTH SPACE][U+0007 CONTROL CHARACTER]") in packed
    raw = told.members["report.html"].decode()
    assert not set("\u202e\u202c\u200b\x07\x1b\x0c") & set(raw)


def test_nothing_moves_the_cursor_of_who_reads_the_plain_text(one: Desk, tmp_path: Path) -> None:
    given = {
        "brand": "Acme\u202e\n\n99. 2026-01-01",
        "text": "yes\x1b[2J\n\n99. 2026-01-01 00:00: Consent was given",
    }
    one.recorder.record_one(ANN, an_event(RecordedKind.REVOKE, sender=None, **given))
    text = members_of(export_of(one, tmp_path, whose=ANN))["trail.txt"].decode()
    assert "Acme[U+202E RIGHT-TO-LEFT OVERRIDE]" in text
    assert "yes[U+001B CONTROL CHARACTER][2J" in " ".join(text.split())
    assert not [one for one in text if one != "\n" and not one.isprintable()]
    assert "\n99." not in text


def test_what_no_font_draws_is_named_on_paper_and_drawn_on_the_screen(
    one: Desk, tmp_path: Path
) -> None:
    told = told_of(one, tmp_path, "Stop 🛑 please ᐃᓄᒃᑎᑐᑦ 𓀀")
    assert "Stop 🛑 please ᐃᓄᒃᑎᑐᑦ 𓀀" in told.screen
    assert packed_words("Stop [U+1F6D1 OCTAGONAL SIGN] please") in told.paper
    assert packed_words("[U+13000 EGYPTIAN HIEROGLYPH A001]") in told.paper


@pytest.mark.parametrize(
    ("text", "fonts"),
    [
        ("Größe, ёж, Ωμέγα, հայ, ქართ", ()),
        ("لا ترسلوا لي رسائل", ()),
        ("אל תשלחו לי הודעות", ()),
        ("配信停止してください、停止发送", ("DroidSansFallbackFull",)),
        ("그만 보내세요", ("NanumGothicCoding",)),
        ("मुझे संदेश न भेजें", ("NotoSansDevanagari-Regular",)),
        ("আমাকে আর পাঠাবেন না", ("NotoSansBengali-Regular",)),
        ("หยุดส่ง", ("NotoSansThai-Regular",)),
    ],
)
def test_a_script_that_people_write_here_is_drawn(text: str, fonts: tuple[str, ...]) -> None:
    lettering = lettering_for([text])
    assert lettering.fallbacks == fonts
    assert lettering.fit(text) == text


def test_scripts_of_many_kinds_make_a_page(one: Desk, tmp_path: Path) -> None:
    text = "لا ترسلوا لي — STOP — मुझे संदेश न भेजें — 配信停止 — หยุดส่ง — אל תשלחו"
    told = told_of(one, tmp_path, text)
    assert text in told.screen
    assert packed_words("配信停止") in told.paper
    assert "[U+" not in packed_words(told.paper.replace("[U+202E…]", ""))


def test_nothing_shows_otherwise_than_it_is() -> None:
    assert visible("a\r\nb\tc\x00") == "a\nb    c[U+0000 CONTROL CHARACTER]"
    assert visible("می‌خواهم") == "می‌خواهم", "what parts letters in Persian stays"
    assert drawable("a€", {ord("a")}) == "a[U+20AC EURO SIGN]"
    assert visible("\ue000\U000e0041") == "[U+E000][U+E0041 TAG LATIN CAPITAL LETTER A]"


def test_each_font_is_there_with_its_licence() -> None:
    for name in (FAMILY, f"{FAMILY}-Bold", *OTHERS):
        assert len(glyphs_of(name)) > 80
