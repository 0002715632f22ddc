"""Rule kind ``registered_links``: links and numbers in a text are registered, or there are none."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Registration, Sender
from rules.kinds.content import ContactItem
from rules.kinds.registered_links import RegisteredLinks
from rules.rule import Case
from rules.vocabulary import Channel, Purpose, ReasonCode

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
BOTH = frozenset({ContactItem.LINK, ContactItem.PHONE})
LISTED = RegisteredLinks(
    items=BOTH, reason=ReasonCode.SENDER_UNREGISTERED, scheme="xa-list", country_code="886"
)


def case_of(text: str | None, *held: str) -> Case:
    registrations = tuple(Registration(scheme="xa-list", id=entry) for entry in held)
    sender = Sender(name="Acme", country="XA", jurisdictions=("XA",), registrations=registrations)
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
    )
    message = Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=AT, text=text)
    return Case(Facts(sender=sender, recipient=recipient, message=message), AT)


@pytest.mark.parametrize(
    "text",
    [
        "Acme: see acme.example or https://ACME.example/sale?x=1",
        "Acme: call 0800-123-456 or (0800) 123 456",
        "Acme: call +886 800 123 456",
        "Acme: 20% off, code 123456",
        "Acme: write to info@other.example",
        None,
    ],
)
def test_what_is_registered_may_stand_in_the_text(text: str | None) -> None:
    assert not LISTED.findings(case_of(text, "https://acme.example/", "0800123456"))


@pytest.mark.parametrize(
    "text",
    [
        "Acme: see shop.acme.example",
        "Acme: see acme.example and bit.example/x",
        "Acme: call 0800-123-457",
        "Acme: call 1800-123-456",
        "Acme: call 0123456",
        "Acme: call 0800-123-456 or 0222-333-444",
    ],
)
def test_anything_else_may_not(text: str) -> None:
    (found,) = LISTED.findings(case_of(text, "acme.example", "0800123456"))
    assert found.code is ReasonCode.SENDER_UNREGISTERED


def test_another_scheme_registers_nothing() -> None:
    other = RegisteredLinks(
        items=BOTH, reason=ReasonCode.SENDER_UNREGISTERED, scheme="xa-other", country_code="886"
    )
    assert other.findings(case_of("Acme: see acme.example", "acme.example"))


def test_only_the_items_named_are_looked_at() -> None:
    numbers = frozenset({ContactItem.PHONE})
    rule = RegisteredLinks(items=numbers, reason=ReasonCode.PROHIBITED_CONTENT)
    assert not rule.findings(case_of("Acme: see acme.example"))
    (found,) = rule.findings(case_of("Acme: call 0800-123-456", "0800123456"))
    assert found.code is ReasonCode.PROHIBITED_CONTENT
