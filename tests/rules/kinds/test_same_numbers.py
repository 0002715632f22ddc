"""When is a number one that somebody registered?"""

import pytest

from rules.facts import SenderId
from rules.kinds.sender_registration import same_sender_id
from rules.kinds.template_match import _same_digits
from rules.vocabulary import SenderForm


@pytest.mark.parametrize(
    ("registered", "shown", "same"),
    [
        ("+1 888 555 0123", "18885550123", True),
        ("0171 5550123", "491715550123", True),
        ("12345", "12345", True),
        ("0123", "0123", True),
        ("C1A2B3", "18885550123", False),
        ("123", "18885550123", False),
        ("000", "18885550123", False),
        ("", "18885550123", False),
    ],
)
def test_a_few_last_digits_make_no_sender_id(registered: str, shown: str, *, same: bool) -> None:
    sender_id = SenderId(text=shown, form=SenderForm.NUMBER, digits=shown)
    assert same_sender_id(registered, sender_id) is same


@pytest.mark.parametrize(
    ("shown", "same"),
    [("919876543210", True), ("09876543210", False), ("9876543210", True), ("0", False)],
)
@pytest.mark.parametrize("covered", [{"919876543210"}, {"919876543210", "000", ""}])
def test_a_call_back_number_is_covered_whole(shown: str, covered: set[str], *, same: bool) -> None:
    assert _same_digits(shown, frozenset(covered)) is same
