"""Generated people and messages of country XA, for properties that hold of any of them.

The lists are short on purpose, so that rules, histories and messages meet. Law is generated
in ``law_strategies.py``.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from rules.facts import (
    Facts,
    Message,
    Recipient,
    Registration,
    RegistryEntry,
    Sender,
    SenderId,
    TemplateReference,
)
from rules.history import NOTHING_ON_RECORD, Event, History
from rules.vocabulary import (
    Channel,
    EventKind,
    Level,
    NumberType,
    Purpose,
    Quality,
    RecipientKind,
    SenderForm,
    Via,
)

T = TypeVar("T")

OVERDUE_SINCE = datetime(2026, 11, 1, tzinfo=UTC)

ZONES = tuple(
    map(
        ZoneInfo,
        (
            "America/New_York",
            "America/Los_Angeles",
            "Europe/Berlin",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
            "Pacific/Kiritimati",
        ),
    )
)
CHANNELS = (Channel.SMS, Channel.EMAIL, Channel.VOICE)
PURPOSES = (Purpose.MARKETING, Purpose.SERVICE, Purpose.AUTHENTICATION)
REGISTERS = ("xa-register", "xa-other")
BRANDS = ("Acme", "ACME", "Other")
WORDS = ("STOP", "Acme", "[Ad]", "sale")
TEXTS = (
    "Acme: sale today. Reply STOP to opt out",
    "[Ad] Acme sale https://example.com/x",
    "Sale! Call 555 0100 100. Acme, 12 High Street, 12345 Town",
    "Hello",
    "",
)
AROUND = datetime(2026, 3, 7, 17, tzinfo=UTC)
"""Instants lie about here: clocks change in America the next night, in Europe weeks later."""


def some(values: tuple[T, ...], most: int = 2) -> st.SearchStrategy[frozenset[T]]:
    return st.frozensets(st.sampled_from(values), max_size=most)


def one_or_none(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


def days(around: date = date(2026, 3, 7), reach: int = 40) -> st.SearchStrategy[date]:
    near = st.integers(-2, 2) | st.integers(-reach, reach)
    return near.map(lambda count: around + timedelta(days=count))


def instants(since: datetime = AROUND - timedelta(days=400)) -> st.SearchStrategy[datetime]:
    """Any instant until a day past the middle, more often close to it, on various clocks."""
    span = int((AROUND - since).total_seconds())
    seconds = st.one_of(
        st.integers(-7_200, 7_200),
        st.integers(-86_400, 86_400),
        st.integers(-30, 30).map(lambda hours: hours * 3600),
        st.integers(-span, 86_400),
    )
    clocks = st.sampled_from((UTC, UTC, timezone(timedelta(hours=-5))))
    return st.builds(
        lambda s, clock: (AROUND + timedelta(seconds=s)).astimezone(clock), seconds, clocks
    )


QUALITIES = (Quality.NIGHT, Quality.GUARDIAN, Quality.DOUBLE_OPT_IN)

PLAIN = (
    *[EventKind.SENT] * 3,
    EventKind.PURCHASE,
    EventKind.CONTRACT,
    EventKind.REVOKE,
    EventKind.CONFIRM,
    EventKind.HOLD,
    EventKind.RELEASE,
)


def plain_events() -> st.SearchStrategy[Event]:
    return st.builds(
        Event,
        event=st.sampled_from((*[EventKind.GRANT] * 6, *PLAIN)),
        at=instants(AROUND - timedelta(days=20)).map(_mostly_past),
        channel=st.sampled_from((*[None] * 4, *CHANNELS)),
        purpose=st.sampled_from((*[None] * 4, *PURPOSES)),
        brand=st.sampled_from((*[None] * 4, *BRANDS)),
        level=st.sampled_from(tuple(reversed(Level))),
        qualities=st.sampled_from((*[frozenset[Quality]()] * 5, frozenset({Quality.NIGHT}))),
        expires_at=st.sampled_from((None, None, None, *EXPIRIES)),
        ends_at=st.sampled_from((None, None, *EXPIRIES)),
        elsewhere=st.sampled_from((*[False] * 5, True)),
    )


EXPIRIES = tuple(AROUND + timedelta(hours=hours) for hours in (-1, 0, 2, 400))


def _mostly_past(instant: datetime) -> datetime:
    """Move what lies within the hours of sending before them, but for a few."""
    return instant if instant.second % 8 == 0 else instant - timedelta(days=1)


def events() -> st.SearchStrategy[Event]:
    """What a person may have on record: half of it plain, half of it with every particular."""
    kinds = st.sampled_from((*[EventKind.GRANT] * 6, *[EventKind.SENT] * 2, *EventKind))
    return plain_events() | st.builds(
        Event,
        event=kinds,
        at=instants(),
        channel=one_or_none(st.sampled_from(CHANNELS)),
        purpose=one_or_none(st.sampled_from(PURPOSES)),
        topic=st.sampled_from((None, "wine")),
        brand=st.sampled_from((None, None, *BRANDS)),
        level=one_or_none(st.sampled_from(Level)),
        qualities=st.just(frozenset[Quality]()) | some((*QUALITIES, Quality.OPT_OUT_OFFERED), 2),
        expires_at=st.none() | instants(),
        ends_at=st.none() | instants(),
        via=st.sampled_from((None, Via.REGISTRY)),
        held_until=st.none() | instants(),
        index=st.sampled_from((None, 1, 2)),
        answers=st.sampled_from((None, 1, 2)),
        elsewhere=st.sampled_from((False, False, True)),
    )


def histories(most: int = 5) -> st.SearchStrategy[History]:
    ordered = st.lists(events(), min_size=1, max_size=most).map(
        lambda those: sorted(those, key=_at)
    )
    return st.sampled_from((*[True] * 7, False)).flatmap(
        lambda known: ordered.map(
            lambda those: History(tuple(those)) if known else NOTHING_ON_RECORD
        )
    )


def _at(event: Event) -> datetime:
    return event.at


def senders() -> st.SearchStrategy[Sender]:
    registrations = st.builds(
        Registration,
        scheme=st.sampled_from(("xa-brand", "xa-campaign")),
        id=st.sampled_from(("Acme", "5550100")),
        starts=one_or_none(days()),
        ends=one_or_none(days()),
    )
    return st.builds(
        Sender,
        name=st.sampled_from(BRANDS),
        country=st.just("XA"),
        jurisdictions=st.sampled_from((("XA",), ("XB",))),
        registrations=st.lists(registrations, max_size=2).map(tuple),
    )


def recipients(keys: tuple[str, ...] = ("1", "2")) -> st.SearchStrategy[Recipient]:
    return st.builds(
        Recipient,
        key=st.sampled_from(keys),
        country=st.sampled_from(("XA", "XA", "XA", None)),
        jurisdictions=st.sampled_from((("XA",), ("XA", "XA-1"))),
        region=st.sampled_from((None, "XA-1")),
        time_zones=st.sampled_from(((ZONES[0],), ZONES[:2], (ZONES[2],)))
        | st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True).map(tuple),
        number_type=one_or_none(st.sampled_from(NumberType)),
        local_part=st.sampled_from((None, "info")),
        kind=st.sampled_from(RecipientKind),
        age=st.sampled_from((None, None, 12, 16, 30)),
        address_problem=st.sampled_from((*[None] * 9, "too_short")),
    )


def messages() -> st.SearchStrategy[Message]:
    sender_ids = st.builds(
        SenderId,
        text=st.sampled_from(("Acme", "5550100")),
        form=st.sampled_from(SenderForm),
        digits=st.sampled_from(("", "5550100")),
        country=st.sampled_from((None, "XA")),
        number_type=one_or_none(st.sampled_from(NumberType)),
    )
    return st.builds(
        Message,
        channel=st.sampled_from(CHANNELS),
        purpose=st.sampled_from(PURPOSES),
        send_at=instants(AROUND - timedelta(days=40)),
        topic=st.sampled_from((None, "wine", "Loans")),
        sender_id=one_or_none(sender_ids),
        text=one_or_none(st.sampled_from(TEXTS)),
        template=st.none() | st.just(TemplateReference(scheme="xa", id="1")),
        automated=st.booleans(),
        discard_after=st.sampled_from((False, False, False, True)).flatmap(
            lambda wanted: instants(AROUND) if wanted else st.none()
        ),
    )


def registries() -> st.SearchStrategy[dict[str, RegistryEntry]]:
    @st.composite
    def entries(draw: st.DrawFn) -> dict[str, RegistryEntry]:
        return {
            name: RegistryEntry(registry=name, listed=draw(st.booleans()), as_of=draw(days()))
            for name in REGISTERS
            if draw(st.booleans())
        }

    return entries()


@st.composite
def batches(draw: st.DrawFn, most: int = 5) -> list[Facts]:
    """Facts of which some share message, sender or place, as in a campaign, or the person."""
    senders_here = draw(st.lists(senders(), min_size=1, max_size=2))
    messages_here = draw(st.lists(messages(), min_size=1, max_size=2))
    recipients_here = draw(st.lists(recipients(), min_size=1, max_size=3))
    return [
        Facts(
            sender=draw(st.sampled_from(senders_here)),
            recipient=draw(st.sampled_from(recipients_here)),
            message=draw(st.sampled_from(messages_here)),
            history=draw(histories()),
            registries=draw(registries()),
            overdue_since=draw(st.sampled_from((None, None, None, OVERDUE_SINCE))),
        )
        for _ in range(draw(st.integers(1, most)))
    ]
