"""Reading a message's text: postal addresses among other numbers."""

import pytest

from rules.text import emails, has_postal_address, links, without_links


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
