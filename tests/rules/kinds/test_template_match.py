"""Rule kind ``template_match``: which text follows which template, and by which values."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Registration, Sender, TemplateReference
from rules.kinds.template_match import VARIABLES_MAX, TemplateMatch, values_of
from rules.rule import Case
from rules.vocabulary import Channel, Purpose, ReasonCode

LONGEST = 30
AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
TERMS = TemplateMatch(scheme="xa-template", reference="xa", links_scheme="xa-link", longest=30)
LINK = Registration(scheme="xa-link", id="acme.example")


@pytest.mark.parametrize(
    ("text", "template", "values"),
    [
        ("Pay 5 now", "Pay {#var#} now", ("5",)),
        ("Pay now", "Pay now", ()),
        ("Pay now!", "Pay now", None),
        ("Pay  now", "Pay {#var#} now", None),
        ("Pay 5 now now", "Pay {#var#} now", ("5 now",)),
        ("Pay 5", "Pay {#var#}", ("5",)),
        ("abc", "{#var#}{#var#}", ("ab", "c")),
        ("a", "{#var#}{#var#}", None),
        ("", "{#var#}", None),
        ("aXbX", "{#var#}X{#var#}X", ("a", "b")),
        ("aXbXcX", "{#var#}X{#var#}X", ("aXb", "c")),
        ("x" * 31, "{#var#}", None),
        ("x" * 31, "{#var#}{#numeric#}", ("x" * 30, "x")),
        ("a\nb", "{#var#}", None),
        ("Go https://a.example/1 2", "Go {#url#} {#var#}", ("https://a.example/1", "2")),
        ("Go https://a.example/" + "1" * 100, "Go {#url#}", ("https://a.example/" + "1" * 100,)),
    ],
)
def test_the_values_are_what_stands_in_the_places(
    text: str, template: str, values: tuple[str, ...] | None
) -> None:
    found = values_of(text, template, LONGEST)
    assert (None if found is None else tuple(value for _, value in found)) == values


def test_a_text_that_almost_follows_does_not_keep_everybody_waiting() -> None:
    template = "{#var#} " * 40 + "!"
    assert values_of("a " * 600, template, LONGEST) is None
    assert values_of("a " * 600 + "!", template, LONGEST) is not None


def test_a_template_of_too_many_variables_is_followed_by_nothing() -> None:
    assert values_of("a" * VARIABLES_MAX, "{#var#}" * VARIABLES_MAX, LONGEST) is not None
    assert values_of("a" * (VARIABLES_MAX + 1), "{#var#}" * (VARIABLES_MAX + 1), LONGEST) is None


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
