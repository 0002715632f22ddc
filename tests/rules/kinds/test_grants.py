"""Rule kinds that ask more of the grant a message rests on: for children, for a transfer abroad."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.history import Event, History
from rules.kinds.availability import Unavailable
from rules.kinds.cross_border import CrossBorder
from rules.kinds.minimum_age import MinimumAge
from rules.rule import Case, Ground, Grounds
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, ReasonCode

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
EARLIER = datetime.fromisoformat("2026-01-20T12:00:00+00:00")
ABROAD = CrossBorder(qualities=frozenset({Quality.SEPARATE}))
CHILD = MinimumAge(age=14, with_qualities=frozenset({Quality.SEPARATE}))


def grant_of(
    *qualities: Quality,
    level: Level = Level.EXPRESS,
    channel: Channel | None = Channel.SMS,
    purpose: Purpose | None = Purpose.MARKETING,
) -> Event:
    return Event(
        event=EventKind.GRANT,
        at=EARLIER,
        channel=channel,
        purpose=purpose,
        level=level,
        qualities=frozenset(qualities),
    )


def case_of(*events: Event, grounds: Grounds = (), age: int | None = None) -> Case:
    recipient = Recipient(
        key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),), age=age
    )
    facts = Facts(
        sender=Sender(name="Acme", country="XB", jurisdictions=("XB",)),
        recipient=recipient,
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=AT),
        history=History(events),
    )
    return Case(facts, AT, grounds)


def codes_of(terms: CrossBorder | MinimumAge | Unavailable, case: Case) -> list[ReasonCode]:
    return [found.code for found in terms.findings(case)]


@pytest.mark.parametrize(
    ("grant", "codes"),
    [
        (grant_of(Quality.CROSS_BORDER, Quality.SEPARATE), []),
        (grant_of(Quality.CROSS_BORDER, Quality.SEPARATE, channel=None, purpose=None), []),
        (grant_of(Quality.CROSS_BORDER), [ReasonCode.CONSENT_INSUFFICIENT]),
        (
            grant_of(Quality.CROSS_BORDER, Quality.SEPARATE, level=Level.IMPLIED),
            [ReasonCode.CONSENT_INSUFFICIENT],
        ),
        (grant_of(Quality.SEPARATE), [ReasonCode.CROSS_BORDER_TRANSFER]),
        (
            grant_of(Quality.CROSS_BORDER, Quality.SEPARATE, channel=Channel.EMAIL),
            [ReasonCode.CROSS_BORDER_TRANSFER],
        ),
    ],
)
def test_the_grant_that_a_message_rests_on_covers_the_transfer(
    grant: Event, codes: list[ReasonCode]
) -> None:
    assert codes_of(ABROAD, case_of(grant, grounds=((Ground(grant),),))) == codes


def test_a_message_without_the_grant_it_needs_lacks_that_for_the_transfer_too() -> None:
    assert codes_of(ABROAD, case_of(grounds=((),))) == [ReasonCode.CROSS_BORDER_TRANSFER]


@pytest.mark.parametrize(
    "grounds",
    [
        (),
        ((Ground(None),),),
        ((Ground(Event(event=EventKind.CONTRACT, at=EARLIER)),),),
        ((Ground(grant_of()), Ground(None)),),
    ],
)
def test_a_message_that_rests_on_something_else_needs_no_grant(grounds: Grounds) -> None:
    assert not codes_of(ABROAD, case_of(grant_of(), grounds=grounds))


@pytest.mark.parametrize(
    ("age", "events", "codes"),
    [
        (14, (), []),
        (None, (), []),
        (13, (), [ReasonCode.MINOR]),
        (13, (grant_of(Quality.SEPARATE),), [ReasonCode.MINOR]),
        (13, (grant_of(Quality.GUARDIAN, Quality.SEPARATE),), []),
        (
            13,
            (grant_of(Quality.GUARDIAN),),
            [ReasonCode.MINOR, ReasonCode.CONSENT_INSUFFICIENT],
        ),
    ],
)
def test_a_guardian_consents_for_a_child_as_the_law_asks(
    age: int | None, events: tuple[Event, ...], codes: list[ReasonCode]
) -> None:
    assert codes_of(CHILD, case_of(*events, age=age)) == codes


def test_no_guardian_cures_what_the_law_bars_outright() -> None:
    barred = MinimumAge(age=14, guardian_cures=False, with_qualities=frozenset({Quality.SEPARATE}))
    guarded = grant_of(Quality.GUARDIAN, Quality.SEPARATE)
    assert codes_of(barred, case_of(guarded, age=13)) == [ReasonCode.MINOR]


def test_a_channel_that_reaches_nobody_takes_no_message() -> None:
    assert codes_of(Unavailable(), case_of(grant_of())) == [ReasonCode.CHANNEL_UNAVAILABLE]
