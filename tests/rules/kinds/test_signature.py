"""Rule kind ``signature``: a name in brackets at the head of the text."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Registration, Sender, SenderId
from rules.kinds.signature import Signature
from rules.rule import Case
from rules.vocabulary import Channel, ObligationCode, Purpose, ReasonCode, SenderForm

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
REGISTERED = Signature(opens="[", closes="]", scheme="xa-signature")
HELD = Registration(scheme="xa-signature", id="Acme")


def case_of(text: str | None, *held: Registration, sender_id: SenderId | None = None) -> Case:
    sender = Sender(name="Acme Ltd", country="XA", jurisdictions=("XA",), registrations=held)
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
    )
    message = Message(
        channel=Channel.SMS,
        purpose=Purpose.SERVICE,
        send_at=AT,
        text=text,
        sender_id=sender_id,
    )
    return Case(Facts(sender=sender, recipient=recipient, message=message), AT)


@pytest.mark.parametrize("text", ["[Acme] hello", "[ACME]hello", "[ Acme ] hello"])
def test_a_registered_name_at_the_head_is_a_signature(text: str) -> None:
    assert not REGISTERED.findings(case_of(text, HELD))


@pytest.mark.parametrize(
    "text", ["hello [Acme]", "Acme: hello", "[Acme hello", "[] hello", "[ ] hello", "(Acme) hello"]
)
def test_without_a_name_in_brackets_at_the_head_nobody_is_named(text: str) -> None:
    (found,) = REGISTERED.findings(case_of(text, HELD))
    assert found.code is ReasonCode.MISSING_IDENTITY


@pytest.mark.parametrize(
    "held",
    [
        (),
        (Registration(scheme="xa-signature", id="Acme Ltd"),),
        (Registration(scheme="xa-other", id="Acme"),),
        (Registration(scheme="xa-signature", id="Acme", ends=date(2026, 11, 19)),),
    ],
)
def test_a_name_that_the_sender_does_not_hold_is_unregistered(
    held: tuple[Registration, ...],
) -> None:
    (found,) = REGISTERED.findings(case_of("[Acme] hello", *held))
    assert found.code is ReasonCode.SENDER_UNREGISTERED


def test_without_a_scheme_any_name_will_do() -> None:
    signature = Signature(opens="[", closes="]")
    assert not signature.findings(case_of("[Anybody] hello"))
    assert signature.findings(case_of("hello"))


def test_what_is_not_known_yet_is_owed() -> None:
    shown = SenderId(text="106901", form=SenderForm.NUMBER, digits="106901")
    owed = REGISTERED.obligations(case_of(None, HELD))
    assert [duty.code for duty in owed] == [
        ObligationCode.INCLUDE_IDENTITY,
        ObligationCode.USE_REGISTERED_SENDER,
    ]
    assert not REGISTERED.findings(case_of(None))
    assert not REGISTERED.obligations(case_of("[Acme] hello", HELD, sender_id=shown))
