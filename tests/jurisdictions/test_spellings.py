"""One telephone with two spellings is one telephone, for an opt-out above all."""

import pytest

from jurisdictions.addresses import parse_address
from jurisdictions.spellings import spellings_of
from rules.vocabulary import NumberType


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+525512345678", "+5215512345678"),
        ("+541123456789", "+5491123456789"),
        ("+551187654321", "+5511987654321"),
    ],
)
def test_two_spellings_are_one_person(one: str, other: str) -> None:
    first, second = parse_address(one), parse_address(other)
    assert first.problem is None
    assert second.problem is None
    assert first.spellings == second.spellings == (one, other)


@pytest.mark.parametrize(
    "alone",
    [
        "+12125550123",
        # A Brazilian landline begins with 2 to 5; the ninth digit never stood before it.
        "+551121234567",
        "+5511921234567",
        # Another country's digits after another country code.
        "+525512345",
        "+5410123456789",
    ],
)
def test_other_numbers_have_one_spelling(alone: str) -> None:
    assert spellings_of(alone) == (alone, (alone,))


def test_the_abolished_digit_of_mexico_is_left_out() -> None:
    assert parse_address("+5215512345678").normalised == "+525512345678"


def test_the_ninth_digit_of_brazil_is_put_in() -> None:
    assert parse_address("+551187654321").normalised == "+5511987654321"


def test_the_mobile_mark_of_argentina_stays_as_given() -> None:
    """It tells a mobile telephone, which a rule may look at."""
    mobile, fixed = parse_address("+5491123456789"), parse_address("+541123456789")
    assert (mobile.normalised, mobile.number_type) == ("+5491123456789", NumberType.MOBILE)
    assert (fixed.normalised, fixed.number_type) == ("+541123456789", NumberType.FIXED)
