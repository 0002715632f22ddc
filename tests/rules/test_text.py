"""Reading a message's text: postal addresses among other numbers."""

import pytest

from rules.text import has_postal_address


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
