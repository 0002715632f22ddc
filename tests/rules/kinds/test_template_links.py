"""Rule kind ``template_match``: links in a variable, whatever its tag."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Registration, Sender, TemplateReference
from rules.kinds.template_match import TemplateMatch
from rules.rule import Case
from rules.vocabulary import Channel, Purpose, ReasonCode

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
TERMS = TemplateMatch(scheme="xa-template", reference="xa", links_scheme="xa-link", longest=30)
LINK = Registration(scheme="xa-link", id="acme.example")


def case_of(template: str, text: str) -> Case:
    held = Registration(scheme="xa-template", id="1", text=template)
    message = Message(
        channel=Channel.SMS,
        purpose=Purpose.SERVICE,
        send_at=AT,
        text=text,
        template=TemplateReference(scheme="xa", id="1"),
    )
    sender = Sender(name="Acme", country="XA", jurisdictions=("XA",), registrations=(held, LINK))
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
    )
    return Case(Facts(sender=sender, recipient=recipient, message=message), AT)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Acme: {#var#} today", "Acme: see acme.example/sale today"),
        ("Acme: {#var#} today", "Acme: 20% off (all!) today"),
        ("Acme: {#alphanumeric#} today", "Acme: acme.example/a today"),
        ("Acme: {#alphanumeric#} today", "Acme: till 30.11, 8:00 today"),
        ("Acme: other.example {#var#}", "Acme: other.example now"),
    ],
)
def test_a_variable_holds_a_registered_link_or_none(template: str, text: str) -> None:
    assert not TERMS.findings(case_of(template, text))


@pytest.mark.parametrize("link", ["other.example/a", "https://x.acme.example", "acme.example.test"])
@pytest.mark.parametrize("tag", ["var", "url"])
def test_a_link_that_is_not_registered_is_a_mismatch(tag: str, link: str) -> None:
    (found,) = TERMS.findings(case_of(f"Acme: {{#{tag}#}} today", f"Acme: {link} today"))
    assert found.code is ReasonCode.TEMPLATE_MISMATCH


def test_a_link_hides_in_no_other_tag() -> None:
    (found,) = TERMS.findings(case_of("Acme: {#alphanumeric#}", "Acme: other.example/a"))
    assert found.code is ReasonCode.TEMPLATE_MISMATCH
