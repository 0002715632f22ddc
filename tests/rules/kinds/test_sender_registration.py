"""Rule kinds about the sender id: when a registered id is the one shown."""

import pytest

from rules.facts import SenderId
from rules.kinds.sender_registration import same_sender_id
from rules.vocabulary import SenderForm


def shown(text: str) -> SenderId:
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) < len(text.strip("+")):
        return SenderId(text=text, form=SenderForm.ALPHANUMERIC)
    form = SenderForm.NUMBER if len(digits) > 6 else SenderForm.SHORT_CODE
    return SenderId(text=text, form=form, digits=digits)


@pytest.mark.parametrize("registered", ["02-2123-1234", "+82 2-2123-1234", "0082221231234"])
@pytest.mark.parametrize("text", ["0221231234", "+82221231234"])
def test_a_number_is_the_same_nationally_and_with_its_country_code(
    registered: str, text: str
) -> None:
    assert same_sender_id(registered, shown(text))


@pytest.mark.parametrize(
    ("registered", "text"),
    [
        ("02-2123-1235", "0221231234"),
        ("1234", "+82221231234"),
        ("1231234", "+82221231234"),
        ("28849", "128849"),
        ("", "28849"),
        ("000", "28849"),
        ("28849", "ACME"),
    ],
)
def test_a_part_of_a_number_is_not_the_number(registered: str, text: str) -> None:
    assert not same_sender_id(registered, shown(text))


def test_a_name_is_the_same_in_any_case() -> None:
    assert same_sender_id("Acme", shown("ACME"))
    assert not same_sender_id("Acme", shown("Acme1"))
