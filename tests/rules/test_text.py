"""Reading texts: what counts as a word, a name, a link, a number, an address; and in what time."""

from collections.abc import Callable
from time import process_time
from unicodedata import combining, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.history import folded_brand
from rules.text import (
    MARKS_IN_A_ROW,
    beside_notices,
    emails,
    has_name,
    has_postal_address,
    has_short_number,
    has_word,
    links,
    phone_numbers,
    plain,
    same_name,
    stream_safe,
    without_links,
)


@pytest.mark.parametrize(
    ("text", "word", "stands"),
    [
        ("Reply STOP to end", "STOP", True),
        ("Non-stop sale", "STOP", False),
        ("non-stop sale", "stop", False),
        ("Please stop by", "STOP", False),
        ("To Stop, reply", "to stop", True),
        ("stopwatch", "stop", False),
        ("see https://example.com/stop", "stop", False),
        ("ＳＴＯＰ", "STOP", True),
        ("回复退订取消", "退订", True),
    ],
)
def test_a_word_stands_alone_in_its_case_and_outside_links(
    text: str, word: str, stands: bool
) -> None:
    assert has_word(text, word) is stands


def test_a_name_is_found_in_any_case_and_without_accents() -> None:
    assert has_name("from CAFÉ zürich", "Cafe Zurich")
    assert not has_name("from Cafeteria", "Cafe")
    assert same_name("Acme Inc.", "ACME INC")
    assert not same_name("!!", "??")


def test_links_numbers_and_addresses_are_told_apart() -> None:
    text = (
        "Acme, mail hi@example.com, see example.com/x or https://example.org, call +1 202-555-0100."
    )
    assert emails(text) == ("hi@example.com",)
    assert links(text) == ("https://example.org", "example.com/x")
    assert phone_numbers(text) == ("12025550100",)


@pytest.mark.parametrize(
    "text",
    [
        "Acme, 10 King St, Toronto ON M5H 1A1",
        "Acme Inc., 1 Main Street, Albany NY 12207. Call +1 416 555 0100.",
        "Acme, Hauptstr. 12 10115 Berlin",
        "Acme, Hauptstr. 12, 10115 Berlin, 030 5550100",
        "Acme, 10 King St, Toronto ON M5H 1A1 416 555 0100",
        "Acme, 1 Main Street, Albany NY 12207 416 555 0100",
    ],
)
def test_a_house_number_and_a_postal_code_make_an_address(text: str) -> None:
    assert has_postal_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "Acme: call +1 416 555 0100.",
        "Acme: call 416 555 0100 now.",
        "Acme: call (416) 555 0100.",
        "Acme: call 030 5550 1000.",
        "Acme: 20% off until Sunday.",
        "Acme, Toronto ON M5H 1A1",
    ],
)
def test_a_telephone_number_is_no_address(text: str) -> None:
    assert not has_postal_address(text)


@pytest.mark.parametrize(
    ("text", "link", "rest"),
    [
        ("詳見haowu.tw/sale退訂請撥0800-123-456", "haowu.tw/sale", "詳見 退訂請撥0800-123-456"),
        ("https://sakura.example/stop。配信停止", "https://sakura.example/stop", " 。配信停止"),
        ("桜商事株式会社sakura.example", "sakura.example", "桜商事株式会社 "),
        ("https://haowu.tw/退訂", "https://haowu.tw/退訂", " "),
        ("例え.jp/a 停止", "例え.jp/a", "  停止"),
    ],
)
def test_a_link_ends_where_writing_without_spaces_begins(text: str, link: str, rest: str) -> None:
    assert links(text) == (link,)
    assert without_links(text) == rest


def test_a_mail_address_ends_where_writing_without_spaces_begins() -> None:
    assert emails("写信至unsubscribe@yunshan.example退订") == ("unsubscribe@yunshan.example",)


def test_a_full_stop_between_words_written_without_spaces_is_no_host() -> None:
    assert links("全館八折.退訂請撥") == ()


def test_what_belongs_to_the_opt_out_is_left_out() -> None:
    text = "Call +1 202-555-0100. To stop call +1 202-555-0199 now."
    assert phone_numbers(beside_notices(text, ("to stop",))) == ("12025550100",)


def test_a_short_number_has_exactly_so_many_digits() -> None:
    assert has_short_number("STOP to 36111", 5)
    assert not has_short_number("STOP to 361112", 5)


RUNS = (
    "a",
    "@",
    ".",
    "9",
    " ",
    "(",
    "_",
    "a.",
    "a@",
    "9 ",
    "9:",
    "( ",
    "1234567 ",
    "a-",
    "A1A 1A1 ",
    "stop ",
    "http://",
    "退",
    "退.",
    "/",
    "\u0301",
    "\u0301\u0316",
    "\ud83d",
    "🛑",
)
READERS: tuple[Callable[[str], object], ...] = (
    links,
    emails,
    phone_numbers,
    has_postal_address,
    plain,
    folded_brand,
    lambda text: has_word(text, "STOP"),
    lambda text: beside_notices(text, ("STOP",)),
)


@pytest.mark.parametrize("run", RUNS)
def test_a_long_run_of_anything_is_read_without_starting_over(run: str) -> None:
    """What grows with the square of the length would take minutes for a mebibyte, not a second."""
    text = "12345 " + run * (2**18 // len(run))
    began = process_time()
    for read in READERS:
        read(text)
    assert process_time() - began < 20


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_a_plain_text_is_the_whole_one_put_in_order_and_stripped(text: str) -> None:
    bare = "".join(sign for sign in normalize("NFKD", text) if not combining(sign))
    assert plain(text) == normalize("NFC", bare).replace("’", "'").replace("‘", "'")


@given(st.text(st.sampled_from("ae\u0301\u0316\u0344\u034f한ﬁ"), max_size=60))
def test_only_longer_runs_of_marks_than_any_language_has_are_parted(text: str) -> None:
    safe = stream_safe(text)
    assert stream_safe(safe) == safe
    longest = max((len(run) for run in _runs(safe)), default=0)
    assert longest <= MARKS_IN_A_ROW
    if max((len(run) for run in _runs(text)), default=0) <= MARKS_IN_A_ROW:
        assert safe == text


def _runs(text: str) -> list[str]:
    return "".join(sign if combining(sign) else " " for sign in text).split()
