"""Rule kinds about the sender id: when a registered id is the one shown, and what is owed."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender, SenderId
from rules.kinds.sender_registration import SenderIdForm, same_sender_id
from rules.rule import Case
from rules.vocabulary import Channel, ObligationCode, Purpose, SenderForm

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


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


def call_from(sender_id: SenderId | None) -> Case:
    message = Message(
        channel=Channel.VOICE, purpose=Purpose.MARKETING, send_at=AT, sender_id=sender_id
    )
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
    )
    sender = Sender(name="Acme", country="XA", jurisdictions=("XA",))
    return Case(Facts(sender=sender, recipient=recipient, message=message), AT)


@pytest.mark.parametrize(
    "terms",
    [SenderIdForm(series=(("140", 10),)), SenderIdForm(prefix="AD-"), SenderIdForm(suffix="-AD")],
)
def test_a_form_of_the_sender_id_is_owed_until_there_is_one(terms: SenderIdForm) -> None:
    (owed,) = terms.obligations(call_from(None))
    assert owed.code is ObligationCode.USE_REGISTERED_SENDER
    assert not terms.findings(call_from(None))
    assert not terms.obligations(call_from(shown("1401234567")))


def test_a_form_that_does_not_travel_asks_for_none() -> None:
    terms = SenderIdForm(refused=frozenset({SenderForm.ALPHANUMERIC}))
    assert not terms.obligations(call_from(None))
