"""Campaigns to people like those whom most senders have, each a little out of the ordinary.

Strategies find what nobody thought of; people here are drawn from chances, so that most may be
messaged, and what keeps the others from it are single things, or things at the same instant.
"""

from datetime import date, datetime, time, timedelta
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

from rules.facts import Facts, Message, Recipient, RegistryEntry, Sender
from rules.history import Event, History
from rules.kinds.consent import Consent, OptOutReach
from rules.kinds.content import Identity
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.preconditions import NotUnderReview, ValidAddress
from rules.kinds.registers import Age, RegisterTest
from rules.kinds.registry_listing import NumberReassignment, RegistryListing
from rules.kinds.routes import ConfirmationRoute, GrantRoute, OpenRoute, RelationRoute, Route
from rules.kinds.sending_hours import Day, SendingHours, Window
from rules.periods import Period, Unit
from rules.rule import Rule, Terms
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality, RecipientKind, Via
from tests.support.law import a_rule, at

T = TypeVar("T")

NOON = at("2026-03-02T17:00:00+00:00")
INSTANTS = (
    *[NOON] * 4,
    at("2026-03-02T13:59:59+00:00"),
    at("2026-03-03T01:00:00+00:00"),
    at("2026-03-03T04:30:00+00:00"),
    # The next night clocks go forward.
    at("2026-03-07T17:00:00+00:00"),
    at("2026-03-08T04:30:00+00:00"),
)
"""At noon, a second too soon in the east, in the evening, at night; and when clocks change."""

ZONES = tuple(map(ZoneInfo, ("America/New_York", "America/Los_Angeles", "America/Chicago")))
NIGHT: tuple[Route, ...] = (GrantRoute(level=Level.EXPRESS, qualities=frozenset({Quality.NIGHT})),)
CONFIRMING: tuple[Route, ...] = (ConfirmationRoute(within=Period(1, Unit.DAYS)),)
INFO = frozenset({"info"})
SALE = RelationRoute(
    events=frozenset({EventKind.PURCHASE, EventKind.CONTRACT}), within=Period(1, Unit.MONTHS)
)


def a_campaign(chance: Random, people: int = 40) -> tuple[tuple[Rule, ...], list[Facts]]:
    """Give some law, and one message to many; a few people are written to twice."""
    send_at = chance.choice(INSTANTS)
    message = Message(
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        send_at=send_at,
        text=_mostly(chance, "Acme: sale", None),
        discard_after=_mostly(chance, None, send_at + timedelta(hours=2), odds=0.05),
    )
    sender = Sender(name="Acme", country="XA", jurisdictions=("XA",))
    facts = [
        Facts(
            sender=sender,
            recipient=_person(chance, key=str(chance.randrange(people * 4))),
            message=message,
            history=_history(chance, send_at),
            registries=_registries(chance),
        )
        for _ in range(people)
    ]
    return tuple(a_rule(one, name=f"xa-{n}") for n, one in enumerate(_law(chance))), facts


def _is_holiday(day: date, region: str | None) -> bool:
    return region == "XA-1" and day == date(2026, 3, 3)


def _law(chance: Random) -> list[Terms]:
    day: Day = (Window(time(8), time(21)),)
    spare = _mostly(chance, chance.choice(((), NIGHT)), CONFIRMING)
    terms: list[Terms] = [
        ValidAddress(),
        NotUnderReview(),
        Consent(routes=_routes(chance), reach=_reach(chance)),
        SendingHours(week=(day,) * 7, lifted_by=spare, holiday=(), is_holiday=_is_holiday),
    ]
    others: tuple[Terms, ...] = (
        FrequencyCap(limit=chance.randint(1, 3), hours=24),
        FrequencyCap(limit=2, calendar_days=2),
        NumberReassignment(registry="xa-reassigned"),
        MinimumAge(age=13, own_consent_only=chance.random() < 0.3),
        Identity(lifted_by=spare),
        SendingHours(week=((Window(time(7), time(22)),),) * 7),
    )
    terms += [one for one in others if chance.random() < 0.5]
    if chance.random() < 0.15:
        terms.append(RegistryListing(register=_test(chance), lifted_by=spare))
    if chance.random() < 0.15:
        terms.append(Consent(routes=_routes(chance)))
    chance.shuffle(terms)
    return terms


def _routes(chance: Random) -> tuple[Route, ...]:
    plain = GrantRoute(level=chance.choice((Level.EXPRESS, Level.EXPRESS_WRITTEN)))
    tested = GrantRoute(level=Level.EXPRESS, register=_test(chance))
    several: tuple[Route, ...] = (plain, SALE, OpenRoute(register=_test(chance)))
    business = OpenRoute(
        kinds=frozenset({RecipientKind.BUSINESS}), mailboxes=chance.choice((frozenset(), INFO))
    )
    other = chance.choice(((tested,), several, (plain, SALE), (plain, business)))
    return _mostly(chance, (plain,), other, odds=0.3)


def _reach(chance: Random) -> OptOutReach:
    return OptOutReach(
        unscoped_stops=_mostly(chance, None, chance.random() < 0.5),
        scoped_stops_all_from=_mostly(chance, None, date(2026, 2, 20)),
        ended_contract_stops=chance.random() < 0.3,
        unstoppable=chance.random() < 0.05,
    )


def _test(chance: Random) -> RegisterTest:
    return RegisterTest(
        registry="xa-register",
        age=chance.choice((None, Age(days=31))),
        consent_after_entry=chance.random() < 0.6,
    )


def _person(chance: Random, key: str) -> Recipient:
    zones = (chance.choice(ZONES),) if chance.random() < 0.8 else ZONES[:2]
    return Recipient(
        key=key,
        country="XA",
        jurisdictions=("XA",),
        time_zones=zones,
        kind=_mostly(chance, RecipientKind.CONSUMER, RecipientKind.BUSINESS, odds=0.3),
        region=chance.choice((None, "XA-1")),
        local_part=chance.choice((None, "info")),
        age=_mostly(chance, None, chance.choice((12, 13, 30))),
        address_problem=_mostly(chance, None, "too_short", odds=0.03),
    )


def _registries(chance: Random) -> dict[str, RegistryEntry]:
    return {
        name: RegistryEntry(
            registry=name,
            listed=chance.random() < 0.1,
            as_of=date(2026, chance.choice((1, 2, 3)), chance.choice((1, 28))),
        )
        for name in ("xa-register", "xa-reassigned")
        if chance.random() < 0.9
    }


def _history(chance: Random, send_at: datetime) -> History:
    """Most signed up; some bought, had messages, stopped, came back, or did so all at once."""
    moments = [send_at - timedelta(hours=chance.uniform(0, 800)) for _ in range(3)]
    moments += [send_at - timedelta(hours=24), send_at, send_at + timedelta(seconds=1)]

    def moment() -> datetime:
        return chance.choices(moments, (30, 30, 30, 4, 4, 3))[0]

    events = [_grant(chance, moment(), send_at) for _ in range(chance.choice((0, 1, 1, 1, 1, 2)))]
    events += [
        Event(event=EventKind.SENT, at=moment(), channel=Channel.SMS)
        for _ in range(chance.choice((0, 0, 1, 2, 3)))
    ]
    kinds = (EventKind.PURCHASE, EventKind.CONTRACT, EventKind.REVOKE, EventKind.REVOKE, *EventKind)
    if chance.random() < 0.4:
        events += [
            Event(
                event=chance.choice(kinds),
                at=moment(),
                channel=_mostly(chance, None, Channel.EMAIL),
                purpose=_mostly(chance, None, Purpose.SERVICE),
                ends_at=_mostly(chance, None, moment(), odds=0.5),
                via=_mostly(chance, None, Via.REGISTRY, odds=0.5),
            )
            for _ in range(chance.choice((1, 1, 2)))
        ]
    return History(tuple(sorted(events, key=lambda event: event.at)))


def _grant(chance: Random, moment: datetime, send_at: datetime) -> Event:
    ends = send_at + timedelta(hours=chance.choice((-1, 0, 1, 500)))
    double = frozenset({Quality.DOUBLE_OPT_IN})
    return Event(
        event=EventKind.GRANT,
        at=moment,
        channel=_mostly(chance, chance.choice((None, Channel.SMS)), Channel.EMAIL),
        purpose=_mostly(chance, None, Purpose.SERVICE),
        brand=_mostly(chance, chance.choice((None, "Acme", "ACME")), "Other"),
        level=_mostly(chance, Level.EXPRESS_WRITTEN, chance.choice((None, *Level))),
        qualities=_mostly(
            chance, frozenset(), chance.choice((double, frozenset({Quality.NIGHT}), double))
        ),
        expires_at=_mostly(chance, None, ends, odds=0.2),
    )


def _mostly(chance: Random, usual: T, other: T, *, odds: float = 0.1) -> T:
    return other if chance.random() < odds else usual
