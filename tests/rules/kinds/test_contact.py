"""Rule kind ``contact``: the text tells how to reach the sender."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.content import Contact, ContactItem
from rules.kinds.routes import GrantRoute
from rules.rule import Case
from rules.vocabulary import Channel, EventKind, Level, Purpose, ReasonCode

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
ANY = (frozenset({ContactItem.PHONE, ContactItem.EMAIL, ContactItem.LINK}),)
GRANT = Event(event=EventKind.GRANT, at=AT, level=Level.EXPRESS)


def case_of(text: str | None, *events: Event) -> Case:
    facts = Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.EMAIL, purpose=Purpose.MARKETING, send_at=AT, text=text),
        history=History(events),
    )
    return Case(facts, AT)


@pytest.mark.parametrize("reason", [ReasonCode.MISSING_CONTACT, ReasonCode.MISSING_IDENTITY])
def test_what_is_missing_goes_by_the_name_that_the_law_gives_it(reason: ReasonCode) -> None:
    contact = Contact(needs=ANY, reason=reason)
    (found,) = contact.findings(case_of("Acme: reply STOP"))
    assert found.code is reason
    assert not contact.findings(case_of("Acme: reply STOP or see acme.example"))


def test_a_route_lifts_the_duty_with_a_text_and_without() -> None:
    contact = Contact(needs=ANY, lifted_by=(GrantRoute(level=Level.EXPRESS),))
    for text in (None, "Acme: reply STOP"):
        granted, bare = case_of(text, GRANT), case_of(text)
        assert not contact.findings(granted)
        assert not contact.obligations(granted)
        assert bool(contact.findings(bare)) is (text is not None)
        assert bool(contact.obligations(bare)) is (text is None)
