"""What no registration and no wording cures; and what a carrier adds to a sender's name."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Registration, Sender, SenderId
from rules.kinds.content import Identity, ProhibitedContent
from rules.kinds.sender_registration import SenderRegistration
from rules.rule import Case
from rules.vocabulary import Channel, Purpose, ReasonCode, SenderForm

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


def case_of(shown: str, *, name: str = "Adventure", text: str | None = None) -> Case:
    held = Registration(scheme="xa-names", id=shown)
    facts = Facts(
        sender=Sender(name=name, country="XA", jurisdictions=("XA",), registrations=(held,)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(
            channel=Channel.SMS,
            purpose=Purpose.POLITICAL,
            send_at=AT,
            sender_id=SenderId(text=shown, form=SenderForm.ALPHANUMERIC),
            text=text,
        ),
    )
    return Case(facts, AT)


@pytest.mark.parametrize("unobtainable", [False, True])
def test_a_scheme_that_is_closed_to_the_sender_is_served_by_no_registration(
    *, unobtainable: bool
) -> None:
    terms = SenderRegistration(scheme="xa-names", unobtainable=unobtainable)
    codes = [found.code for found in terms.findings(case_of("Adventure"))]
    assert codes == ([ReasonCode.SENDER_UNREGISTERED] if unobtainable else [])


@pytest.mark.parametrize(("everything", "text"), [(True, None), (True, "Vote."), (False, "Vote.")])
def test_a_purpose_may_be_barred_whatever_the_text_says(
    *, everything: bool, text: str | None
) -> None:
    terms = ProhibitedContent(everything=everything)
    codes = [found.code for found in terms.findings(case_of("Adventure", text=text))]
    assert codes == ([ReasonCode.PROHIBITED_CONTENT] if everything else [])


@pytest.mark.parametrize(
    ("shown", "named"),
    [
        ("Adventure", True),
        ("advAdventure", True),
        ("ADVadventure", True),
        ("Adventure-XX", True),
        ("advAdventure-xx", True),
        ("advadvAdventure", False),
        ("enture", False),
        ("advOther", False),
    ],
)
def test_what_a_carrier_adds_to_a_name_is_left_out_once(shown: str, *, named: bool) -> None:
    terms = Identity(prefixes=("adv", "AD-"), suffixes=("-XX",))
    codes = [found.code for found in terms.findings(case_of(shown, text="Sale today."))]
    assert codes == ([] if named else [ReasonCode.MISSING_IDENTITY])
