"""Generated law of country XA: terms of every kind, dated rules, releases."""

from collections.abc import Callable
from datetime import date, time, timedelta

from hypothesis import strategies as st

from rules.kinds.availability import Unavailable
from rules.kinds.consent import Consent, OptOutReach
from rules.kinds.content import (
    Contact,
    ContactItem,
    Identity,
    Label,
    OptOutNotice,
    ProhibitedContent,
)
from rules.kinds.cross_border import CrossBorder
from rules.kinds.duties import OneClickUnsubscribe, OptOutDeadline, RecordKeeping
from rules.kinds.frequency_cap import FrequencyCap
from rules.kinds.minimum_age import MinimumAge
from rules.kinds.preconditions import (
    KnownJurisdiction,
    NotUnderReview,
    OptOutsArrived,
    ValidAddress,
)
from rules.kinds.registered_links import RegisteredLinks
from rules.kinds.registers import Age, RegisterTest
from rules.kinds.registry_listing import NumberReassignment, RegistryListing
from rules.kinds.routes import ConfirmationRoute, GrantRoute, Lapse, OpenRoute, RelationRoute, Route
from rules.kinds.sender_header import SenderHeader
from rules.kinds.sender_registration import SenderIdForm, SenderRegistration
from rules.kinds.sending_hours import END_OF_DAY, Day, SendingHours, Window
from rules.kinds.signature import Signature
from rules.kinds.template_match import TemplateMatch
from rules.periods import Period, Unit
from rules.rule import SINCE_EVER, Binds, Rule, Terms, Value
from rules.vocabulary import (
    RELATIONS,
    Level,
    NumberType,
    ObligationCode,
    Quality,
    ReasonCode,
    RecipientKind,
    SenderForm,
)
from tests.support.law import a_provision
from tests.support.strategies import (
    CHANNELS,
    PURPOSES,
    QUALITIES,
    REGISTERS,
    WORDS,
    ZONES,
    days,
    one_or_none,
    some,
)


def periods() -> st.SearchStrategy[Period]:
    return st.builds(Period, st.integers(1, 3), st.sampled_from((Unit.DAYS, Unit.MONTHS))) | (
        st.builds(Period, st.integers(1, 48), st.sampled_from((Unit.HOURS, Unit.MINUTES)))
    )


def calendar_periods() -> st.SearchStrategy[Period]:
    return st.builds(Period, st.integers(1, 13), st.sampled_from((Unit.DAYS, Unit.MONTHS)))


def is_weekday(day: date) -> bool:
    return day.weekday() < 5


def is_tenth(day: date, region: str | None) -> bool:
    """A holiday every ten days, and one more in the first region."""
    return day.day % 10 == 0 or (region == "XA-1" and day.day == 8)


def ages() -> st.SearchStrategy[Age]:
    return st.one_of(
        st.builds(Age, days=st.integers(0, 31)),
        st.builds(Age, months=st.integers(1, 2)),
        st.builds(Age, working_days=st.integers(0, 5), is_working_day=st.just(is_weekday)),
        st.just(Age(same_month=True)),
    )


def register_tests() -> st.SearchStrategy[RegisterTest]:
    return st.builds(
        RegisterTest,
        registry=st.sampled_from(REGISTERS),
        age=one_or_none(ages()),
        approvals=st.booleans(),
        consent_after_entry=st.booleans(),
    )


def grant_routes() -> st.SearchStrategy[Route]:
    lapses = st.builds(
        Lapse,
        after=calendar_periods(),
        renewable=st.booleans(),
        day_before=st.booleans(),
        unless_dated=st.booleans(),
    )
    return st.builds(
        GrantRoute,
        level=st.sampled_from(tuple(Level)),
        qualities=st.just(frozenset[Quality]()) | some(QUALITIES, 1),
        lapse=st.none() | lapses,
        own_scope=st.booleans(),
        register=st.none() | st.none() | register_tests(),
    )


def routes() -> st.SearchStrategy[Route]:
    relations: st.SearchStrategy[Route] = st.builds(
        RelationRoute,
        events=st.frozensets(st.sampled_from(sorted(RELATIONS)), min_size=1, max_size=3),
        within=one_or_none(periods()),
        from_start=st.booleans(),
        running=st.booleans(),
        qualities=st.just(frozenset[Quality]()) | some((Quality.OPT_OUT_OFFERED,), 1),
        since=one_or_none(days(reach=300)),
        kinds=some(tuple(RecipientKind), 1),
        expires=st.booleans(),
        used_within=st.none() | periods(),
        register=st.none() | st.none() | register_tests(),
    )
    opened: st.SearchStrategy[Route] = st.builds(
        OpenRoute,
        register=one_or_none(register_tests()),
        kinds=some(tuple(RecipientKind), 1),
        mailboxes=st.sampled_from((frozenset(), frozenset(), frozenset({"info"}))),
    )
    confirms: st.SearchStrategy[Route] = st.builds(ConfirmationRoute, within=periods())
    return st.one_of(grant_routes(), grant_routes(), relations, relations, opened, confirms)


def lifts() -> st.SearchStrategy[tuple[Route, ...]]:
    night: Route = GrantRoute(level=Level.EXPRESS, qualities=frozenset({Quality.NIGHT}))
    confirms: Route = ConfirmationRoute(within=Period(2, Unit.DAYS))
    return st.sampled_from(((), (night,), (confirms,))) | st.lists(routes(), max_size=2).map(tuple)


def consents() -> st.SearchStrategy[Consent]:
    plain = st.builds(
        Consent,
        routes=st.builds(GrantRoute, level=st.sampled_from(Level)).map(lambda one: (one,)),
    )
    reaches = st.builds(
        OptOutReach,
        unscoped_stops=one_or_none(st.booleans()),
        scoped_stops_all_from=one_or_none(days(reach=300)),
        unstoppable=st.sampled_from((False, False, False, True)),
        ended_contract_stops=st.sampled_from((False, False, True)),
    )
    return plain | st.builds(
        Consent,
        routes=st.lists(routes(), max_size=3).map(tuple),
        reach=reaches,
        treated_as=one_or_none(st.sampled_from(PURPOSES)),
        confirmation=st.none() | periods(),
    )


def windows() -> st.SearchStrategy[Day]:
    hours = st.lists(st.integers(0, 24), min_size=2, max_size=4, unique=True).map(sorted)

    def day_of(edges: list[int]) -> Day:
        times = [END_OF_DAY if hour == 24 else time(hour) for hour in edges]
        return tuple(map(Window, times[0::2], times[1::2]))

    return st.just((Window(time(8), time(21)),)) | st.just(()) | hours.map(day_of)


def sending_hours() -> st.SearchStrategy[SendingHours]:
    weeks = windows().map(lambda day: (day,) * 7) | st.tuples(*[windows()] * 7)
    return st.builds(
        SendingHours,
        week=weeks,
        holiday=one_or_none(windows()),
        eve=one_or_none(windows()),
        is_holiday=st.sampled_from((None, is_tenth)),
        zone=st.none() | st.none() | st.sampled_from(ZONES),
        lifted_by=lifts(),
    )


def caps() -> st.SearchStrategy[FrequencyCap]:
    spans: st.SearchStrategy[dict[str, int]] = st.one_of(
        st.integers(1, 72).map(lambda hours: {"hours": hours}),
        st.integers(1, 7).map(lambda count: {"calendar_days": count}),
        st.just({"calendar_week": True}),
    )
    return spans.flatmap(
        lambda span: st.builds(
            FrequencyCap,
            limit=st.integers(1, 2),
            channels=some(CHANNELS),
            purposes=some(PURPOSES),
            other_channels=st.sampled_from((False, False, True)),
            same_topic=st.booleans(),
            lifted_by=lifts(),
            **{name: st.just(value) for name, value in span.items()},
        )
    )


def contents() -> st.SearchStrategy[Terms]:
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map(tuple)
    items = st.frozensets(st.sampled_from(ContactItem), min_size=1, max_size=2)
    return st.one_of(
        st.builds(Identity, in_text_only=st.booleans(), lifted_by=lifts()),
        st.builds(
            OptOutNotice,
            words=words,
            every=st.booleans(),
            short_number_digits=st.none() | st.just(4),
            lifted_by=lifts(),
        ),
        st.builds(Label, labels=words, anywhere=st.booleans(), lifted_by=lifts()),
        st.builds(
            Contact,
            needs=st.lists(items, max_size=2).map(tuple),
            suffices=some(tuple(ContactItem), 1),
            words=st.just(()) | words,
            notice_words=st.just(()) | words,
            owed=st.just((ObligationCode.INCLUDE_CONTACT,)),
            lifted_by=lifts(),
        ),
        st.builds(
            ProhibitedContent,
            words=words,
            topics=some(("loans", "wine")),
            everything=st.sampled_from((False, False, False, True)),
        ),
    )


def sender_terms() -> st.SearchStrategy[Terms]:
    return st.one_of(
        st.builds(
            SenderRegistration,
            scheme=st.sampled_from(("xa-brand", "xa-campaign")),
            forms=some(tuple(SenderForm)),
            number_types=some(tuple(NumberType), 1),
            numbers_of=some(("XA", "XB"), 1),
            begins_with=st.none() | st.just("555"),
            same_id=st.booleans(),
            unobtainable=st.sampled_from((False, False, True)),
        ),
        st.builds(
            SenderIdForm,
            refused=some(tuple(SenderForm)),
            refused_number_types=some(tuple(NumberType)),
            longest=st.none() | st.just(3),
        ),
        st.just(SenderHeader(scheme="xa-brand", prefix_length=2)),
        st.just(Signature(scheme="xa-brand", opens="[", closes="]")),
        st.builds(
            RegisteredLinks,
            items=st.frozensets(st.sampled_from((ContactItem.LINK, ContactItem.PHONE)), min_size=1),
            reason=st.just(ReasonCode.PROHIBITED_CONTENT),
            scheme=st.none() | st.just("xa-brand"),
        ),
        st.just(
            TemplateMatch(scheme="xa-brand", reference="xa", links_scheme="xa-brand", longest=30)
        ),
        st.just(Unavailable()),
    )


def personal_terms() -> st.SearchStrategy[Terms]:
    return st.one_of(
        st.builds(
            MinimumAge,
            age=st.integers(13, 18),
            own_consent_only=st.booleans(),
            guardian_cures=st.booleans(),
            with_qualities=some(QUALITIES, 1),
        ),
        st.builds(RegistryListing, register=register_tests(), lifted_by=lifts()),
        st.builds(
            NumberReassignment,
            registry=st.sampled_from(REGISTERS),
            every_message=st.booleans(),
            required=st.booleans(),
        ),
        st.builds(CrossBorder, qualities=some(QUALITIES, 1)),
        st.just(ValidAddress()),
        st.just(OptOutsArrived()),
        st.just(NotUnderReview()),
        st.builds(
            KnownJurisdiction, researched=st.just(frozenset({"XA"})), spared=some(PURPOSES, 1)
        ),
    )


def duties() -> st.SearchStrategy[Terms]:
    return st.one_of(
        st.builds(OptOutDeadline, days=st.integers(0, 10)),
        st.builds(OptOutDeadline, business_days=st.integers(1, 10)),
        st.builds(RecordKeeping, months=one_or_none(st.integers(1, 60))),
        st.just(OneClickUnsubscribe()),
    )


KINDS: tuple[Callable[[], st.SearchStrategy[Terms]], ...] = (
    consents,
    consents,
    sending_hours,
    caps,
    contents,
    sender_terms,
    personal_terms,
    duties,
)


def binds() -> st.SearchStrategy[Binds]:
    """Most bind every message to XA; some ask for more."""
    places = ("XA", "XA-1", "XB")
    return st.just(Binds()) | st.builds(
        Binds,
        recipient=some(places, 1),
        recipient_not=some(("XA-1",), 1),
        sender=some(places, 1),
        sender_not=some(("XB",), 1),
        either=some(places, 1),
        channels=some(CHANNELS),
        purposes=some(PURPOSES),
        kinds=some(tuple(RecipientKind), 1),
        number_types=some(tuple(NumberType), 1),
        automated=st.sampled_from((None, None, True, False)),
    )


@st.composite
def dated_rules(draw: st.DrawFn, name: str = "xa-rule") -> Rule:
    """One rule with one to three values, side by side or with a gap, the last one open or not."""
    terms = draw(st.sampled_from(KINDS))()
    since = draw(st.just(SINCE_EVER) | days(date(2020, 1, 1)) | days())
    values: list[Value] = []
    for _ in range(draw(st.integers(1, 3))):
        lasts = draw(st.none() | st.integers(1, 60) | st.integers(300, 3000) | st.just(30_000))
        until = None if lasts is None else since + timedelta(days=lasts)
        values.append(Value(draw(terms), a_provision(name, since), until))
        if until is None:
            break
        since = until + timedelta(days=draw(st.sampled_from((0, 0, 5))))
    waits = any(value.terms.waits for value in values)
    return Rule(name, "kind", "A rule of XA.", draw(binds()), tuple(values), waits)


@st.composite
def releases(draw: st.DrawFn, most: int = 6) -> tuple[Rule, ...]:
    count = draw(st.integers(1, most))
    return tuple(draw(dated_rules(f"xa-rule-{number}")) for number in range(count))
