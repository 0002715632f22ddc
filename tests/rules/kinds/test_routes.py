"""Routes: what may stand for a person's will, and until when."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.content import OptOutNotice
from rules.kinds.routes import ConfirmationRoute, lifted
from rules.periods import Period, Unit
from rules.rule import Case
from rules.vocabulary import Channel, EventKind, Purpose, ReasonCode

OPT_OUT_AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
CONFIRMATION = ConfirmationRoute(within=Period(5, Unit.MINUTES))


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-20T{clock}+00:00")


def facts_at(
    send_at: datetime,
    *events: Event,
    text: str | None = None,
    purpose: Purpose = Purpose.SERVICE,
) -> Facts:
    return Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.SMS, purpose=purpose, send_at=send_at, text=text),
        history=History(events),
    )


@pytest.mark.parametrize(
    ("channel", "brand", "clock", "stands"),
    [
        (Channel.SMS, None, "12:00:00", True),
        (None, "acme", "12:05:00", True),
        (Channel.SMS, None, "12:05:01", False),
        (Channel.EMAIL, None, "12:01:00", False),
        (Channel.SMS, "Other", "12:01:00", False),
    ],
)
def test_an_opt_out_may_be_confirmed_for_minutes_on_its_own_channel(
    channel: Channel | None, brand: str | None, clock: str, *, stands: bool
) -> None:
    opt_out = Event(event=EventKind.REVOKE, at=OPT_OUT_AT, channel=channel, brand=brand)
    send_at = at(clock)
    assert lifted((CONFIRMATION,), facts_at(send_at, opt_out), send_at) is stands


@pytest.mark.parametrize("purpose", list(Purpose))
def test_only_a_service_message_confirms_an_opt_out(purpose: Purpose) -> None:
    opt_out = Event(event=EventKind.REVOKE, at=OPT_OUT_AT)
    send_at = at("12:01:00")
    stands = lifted((CONFIRMATION,), facts_at(send_at, opt_out, purpose=purpose), send_at)
    assert stands is (purpose is Purpose.SERVICE)


@pytest.mark.parametrize(
    ("purpose", "stands"), [(Purpose.SERVICE, False), (None, False), (Purpose.MARKETING, True)]
)
def test_an_opt_out_is_confirmed_once(purpose: Purpose | None, *, stands: bool) -> None:
    opt_out = Event(event=EventKind.REVOKE, at=OPT_OUT_AT)
    sent = Event(event=EventKind.SENT, at=at("12:01:00"), channel=Channel.SMS, purpose=purpose)
    send_at = at("12:02:00")
    assert lifted((CONFIRMATION,), facts_at(send_at, opt_out, sent), send_at) is stands


def test_a_confirmation_need_not_tell_how_to_opt_out() -> None:
    notice = OptOutNotice(words=("STOP",), lifted_by=(CONFIRMATION,))
    opt_out = Event(event=EventKind.REVOKE, at=OPT_OUT_AT, channel=Channel.SMS)
    text = "Acme: we will not write again."
    soon, late = at("12:01:00"), at("12:06:00")
    assert not notice.findings(Case(facts_at(soon, opt_out, text=text), soon))
    (found,) = notice.findings(Case(facts_at(late, opt_out, text=text), late))
    assert found.code is ReasonCode.MISSING_OPT_OUT
