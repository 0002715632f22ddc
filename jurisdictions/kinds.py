"""From what an author wrote to the terms that are held against a message: one function a kind."""

import re
from collections.abc import Callable, Sequence
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jurisdictions import format as shapes
from jurisdictions.calendars import holiday_calendar
from jurisdictions.errors import UnknownCalendarError, UnknownRegionError
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
from rules.rule import Terms
from rules.vocabulary import LEVEL_OF_WORD, RELATIONS, ReasonCode

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAYS, EVES = "holidays", "eves"


class TermsError(Exception):
    """A value fits its shape and still makes no sense. ``field``: the field at fault."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


def terms_of(value: shapes.ValueShape) -> Terms:
    """Turn a value into terms, or raise ``TermsError``."""
    try:
        return _BUILDERS[type(value)](value)
    except (UnknownCalendarError, UnknownRegionError) as error:
        field = "holidays" if isinstance(value, shapes.SendingHoursValue) else "registry"
        raise TermsError(field, error.detail) from None


def _consent(value: shapes.ConsentValue) -> Terms:
    opt_out = value.opt_out
    for index, route in enumerate(value.routes):
        if route.confirmation is not None:
            raise TermsError(f"routes[{index}]", "write confirmation_within, beside the routes")
    return Consent(
        routes=_routes("routes", value.routes),
        reach=OptOutReach(
            unscoped_stops=None if opt_out.unscoped is None else opt_out.unscoped == "stops",
            scoped_stops_all_from=opt_out.scoped_stops_all_from,
            unstoppable=opt_out.unstoppable,
            ended_contract_stops=opt_out.ended_contract_stops,
            erased_until_granted=opt_out.erased_until_granted,
        ),
        treated_as=value.treated_as,
        confirmation=_optional_period(value.confirmation_within),
    )


def _registry_listing(value: shapes.RegistryListingValue) -> Terms:
    return RegistryListing(
        register=_register(value.registry), lifted_by=_routes("lifted_by", value.lifted_by)
    )


def _number_reassignment(value: shapes.NumberReassignmentValue) -> Terms:
    return NumberReassignment(
        registry=value.registry, every_message=value.every_message, required=value.required
    )


def _sending_hours(value: shapes.SendingHoursValue) -> Terms:
    week, holiday, eve = _week(value.hours)
    if (holiday is None and eve is None) != (value.holidays is None):
        raise TermsError("holidays", "write both: the calendar, and hours for holidays or eves")
    return SendingHours(
        week=week,
        holiday=holiday,
        eve=eve,
        is_holiday=None if value.holidays is None else _calendar(value.holidays),
        zone=None if value.clock is None else _zone("clock", value.clock),
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _frequency_cap(value: shapes.FrequencyCapValue) -> Terms:
    week = value.within == "calendar week"
    period = None if week else _period(value.within)
    if value.calendar and (period is None or period.unit is not Unit.DAYS):
        raise TermsError("calendar", "only days are counted by the calendar")
    hours = days = None
    if period is not None and value.calendar:
        days = period.count
    elif period is not None:
        hours = period.count * (24 if period.unit is Unit.DAYS else 1)
    return FrequencyCap(
        limit=value.limit,
        hours=hours,
        calendar_days=days,
        calendar_week=week,
        other_channels=value.other_channels,
        channels=frozenset(value.channels),
        purposes=frozenset(value.purposes),
        same_topic=value.same_topic,
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _sender_registration(value: shapes.SenderRegistrationValue) -> Terms:
    return SenderRegistration(
        scheme=value.scheme,
        forms=frozenset(value.forms),
        number_types=frozenset(value.number_types),
        numbers_of=frozenset(value.numbers_of),
        begins_with=value.begins_with,
        same_id=value.same_id,
        unobtainable=value.unobtainable,
    )


def _sender_id_form(value: shapes.SenderIdFormValue) -> Terms:
    return SenderIdForm(
        refused=frozenset(value.refused),
        refused_number_types=frozenset(value.refused_number_types),
        numbers_of=frozenset(value.numbers_of),
        reserved=frozenset(value.reserved),
        prefix=value.prefix,
        suffix=value.suffix,
        any_case=value.any_case,
        longest=value.longest,
        series=tuple((series.start, series.digits or 0) for series in value.series),
        country_code=value.country_code,
    )


def _sender_header(value: shapes.SenderHeaderValue) -> Terms:
    return SenderHeader(scheme=value.scheme, prefix_length=value.prefix_length, suffix=value.suffix)


def _signature(value: shapes.SignatureValue) -> Terms:
    return Signature(scheme=value.scheme, opens=value.opens, closes=value.closes)


def _template_match(value: shapes.TemplateMatchValue) -> Terms:
    return TemplateMatch(
        scheme=value.scheme,
        reference=value.reference,
        links_scheme=value.links_scheme,
        longest=value.longest,
        covers=tuple((cover.purpose, frozenset(cover.also)) for cover in value.covers),
    )


def _registered_links(value: shapes.RegisteredLinksValue) -> Terms:
    return RegisteredLinks(
        items=frozenset(ContactItem(item) for item in value.items),
        reason=ReasonCode(value.reason),
        scheme=value.scheme,
        country_code=value.country_code,
    )


def _cross_border(value: shapes.CrossBorderValue) -> Terms:
    return CrossBorder(qualities=frozenset(value.qualities))


def _channel_availability(_: shapes.ChannelAvailabilityValue) -> Terms:
    return Unavailable()


def _identity(value: shapes.IdentityValue) -> Terms:
    return Identity(
        in_text_only=value.in_text_only,
        prefixes=tuple(value.prefixes),
        suffixes=tuple(value.suffixes),
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _opt_out_notice(value: shapes.OptOutNoticeValue) -> Terms:
    return OptOutNotice(
        words=tuple(value.words),
        every=value.every,
        short_number_digits=value.short_number_digits,
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _label(value: shapes.LabelValue) -> Terms:
    return Label(
        labels=tuple(value.labels),
        anywhere=value.anywhere,
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _contact(value: shapes.ContactValue) -> Terms:
    return Contact(
        needs=tuple(frozenset(group) for group in value.needs),
        suffices=frozenset(value.suffices),
        words=tuple(value.words),
        notice_words=tuple(value.notice_words),
        owed=tuple(value.owed),
        reason=ReasonCode(value.reason),
        lifted_by=_routes("lifted_by", value.lifted_by),
    )


def _prohibited_content(value: shapes.ProhibitedContentValue) -> Terms:
    topics = frozenset(topic.casefold() for topic in value.topics)
    return ProhibitedContent(words=tuple(value.words), topics=topics, everything=value.everything)


def _minimum_age(value: shapes.MinimumAgeValue) -> Terms:
    return MinimumAge(
        age=value.age,
        own_consent_only=value.own_consent_only,
        guardian_cures=value.guardian_cures,
        with_qualities=frozenset(value.with_qualities),
    )


def _opt_out_deadline(value: shapes.OptOutDeadlineValue) -> Terms:
    if value.within == "at once":
        return OptOutDeadline(days=0)
    count, unit = value.within.split(" ", 1)
    if unit.startswith("business"):
        return OptOutDeadline(business_days=int(count))
    return OptOutDeadline(days=int(count))


def _record_keeping(value: shapes.RecordKeepingValue) -> Terms:
    period = _optional_period(value.keep)
    if period is None:
        return RecordKeeping()
    if period.unit is not Unit.MONTHS:
        raise TermsError("keep", "count record keeping in months or years")
    return RecordKeeping(months=period.count)


def _one_click_unsubscribe(_: shapes.OneClickUnsubscribeValue) -> Terms:
    return OneClickUnsubscribe()


def _routes(field: str, written: Sequence[shapes.RouteShape]) -> tuple[Route, ...]:
    return tuple(_route(f"{field}[{i}]", route) for i, route in enumerate(written))


def _route(field: str, route: shapes.RouteShape) -> Route:
    named = [route.grant, route.relation, route.open, route.confirmation]
    if sum(name is not None for name in named) != 1:
        raise TermsError(field, "write exactly one of grant, relation, open and confirmation")
    _refuse_foreign_fields(field, route)
    register = None if route.registry is None else _register(route.registry)
    if route.grant is not None:
        return GrantRoute(
            level=LEVEL_OF_WORD[route.grant],
            qualities=frozenset(route.qualities),
            lapse=_lapse(route.lapses),
            own_scope=route.own_scope,
            register=register,
        )
    if route.relation is not None:
        return _relation(field, route, register)
    if route.confirmation is not None:
        return ConfirmationRoute(within=_period(route.confirmation))
    mailboxes = frozenset(mailbox.casefold() for mailbox in route.mailboxes)
    return OpenRoute(register=register, kinds=frozenset(route.kinds), mailboxes=mailboxes)


def _relation(field: str, route: shapes.RouteShape, register: RegisterTest | None) -> Route:
    events = frozenset(route.relation or ())
    if not events or not events <= RELATIONS:
        names = ", ".join(sorted(RELATIONS))
        raise TermsError(field, f"a relation is one or more of {names}")
    return RelationRoute(
        events=events,
        within=_optional_period(route.within),
        from_start=route.from_start,
        running=route.running,
        qualities=frozenset(route.qualities),
        since=route.since,
        kinds=frozenset(route.kinds),
        expires=route.expires,
        used_within=_optional_period(route.used_within),
        register=register,
    )


_GRANT_FIELDS = {"grant", "qualities", "lapses", "own_scope", "registry"}
_RELATION_FIELDS = {
    "relation", "qualities", "within", "from_start", "running", "since", "kinds", "expires",
    "used_within", "registry",
}  # fmt: skip
_OPEN_FIELDS = {"open", "registry", "kinds", "mailboxes"}
_CONFIRMATION_FIELDS = {"confirmation"}


def _refuse_foreign_fields(field: str, route: shapes.RouteShape) -> None:
    allowed, word = _GRANT_FIELDS, "grant"
    if route.relation is not None:
        allowed, word = _RELATION_FIELDS, "relation"
    elif route.open is not None:
        allowed, word = _OPEN_FIELDS, "open"
    elif route.confirmation is not None:
        allowed, word = _CONFIRMATION_FIELDS, "confirmation"
    blank = shapes.RouteShape()
    for name in shapes.RouteShape.__struct_fields__:
        if getattr(route, name) != getattr(blank, name) and name not in allowed:
            raise TermsError(field, f"{name} says nothing on a route of the kind {word}: remove it")


def _lapse(written: shapes.LapseShape | None) -> Lapse | None:
    if written is None:
        return None
    return Lapse(
        after=_period(written.after),
        renewable=written.renewable,
        day_before=written.last_day_before,
        unless_dated=written.unless_dated,
    )


def _register(written: shapes.RegistryShape) -> RegisterTest:
    return RegisterTest(
        registry=written.id,
        age=_age(written),
        approvals=written.approvals,
        consent_after_entry=written.consent_after_entry,
        needed=written.needed,
    )


def _age(written: shapes.RegistryShape) -> Age | None:
    text = written.max_age
    if text is None:
        return None
    if text == "same month":
        return Age(same_month=True)
    count = int(text.split(" ", 1)[0])
    if "working" in text:
        if written.working_days_of is None:
            raise TermsError("registry", "name the country of the working days: working_days_of")
        is_working_day = _working_day(written.working_days_of, written.holiday_categories)
        return Age(working_days=count, is_working_day=is_working_day)
    return Age(months=count) if "month" in text else Age(days=count)


def _working_day(country: str, categories: Sequence[str]) -> Callable[[date], bool]:
    is_holiday = holiday_calendar(country, observed=True, categories=categories)
    return lambda day: day.weekday() < 5 and not is_holiday(day, None)


def _optional_period(text: str | None) -> Period | None:
    return None if text is None else _period(text)


def _period(text: str) -> Period:
    count, unit = text.split(" ")
    unit = unit if unit.endswith("s") else unit + "s"
    if unit == "years":
        return Period(int(count) * 12, Unit.MONTHS)
    return Period(int(count), Unit(unit))


def _zone(field: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise TermsError(field, f"{name} is no IANA time zone, write one as Europe/Oslo") from None


def _calendar(written: shapes.HolidaysShape) -> Callable[[date, str | None], bool]:
    return holiday_calendar(
        written.country,
        subdivision=written.subdivision,
        categories=tuple(written.categories),
        observed=written.observed,
        by_region=written.by_region,
        only=None if written.only is None else frozenset(written.only),
        in_regions={region: tuple(days) for region, days in written.in_regions.items()},
    )


def _week(hours: dict[str, str]) -> tuple[tuple[Day, ...], Day | None, Day | None]:
    days: dict[str, Day] = {}
    for key, text in hours.items():
        for day in _days_of(key):
            if day in days:
                raise TermsError("hours", f"{day} stands twice, give each day once")
            days[day] = _windows(text)
    missing = [day for day in WEEKDAYS if day not in days]
    if missing:
        raise TermsError("hours", f"{', '.join(missing)} have no hours, write them, or closed")
    return tuple(days[day] for day in WEEKDAYS), days.get(HOLIDAYS), days.get(EVES)


def _days_of(key: str) -> tuple[str, ...]:
    if key == "daily":
        return WEEKDAYS
    if key in (*WEEKDAYS, HOLIDAYS, EVES):
        return (key,)
    match = re.fullmatch(r"([a-z]{3})-([a-z]{3})", key)
    if match and match[1] in WEEKDAYS and match[2] in WEEKDAYS:
        first, last = WEEKDAYS.index(match[1]), WEEKDAYS.index(match[2])
        if first < last:
            return WEEKDAYS[first : last + 1]
    raise TermsError("hours", f"{key} is no day, write daily, mon, mon-fri, holidays or eves")


def _windows(text: str) -> Day:
    if text == "closed":
        return ()
    windows: list[Window] = []
    for window in text.split(" "):
        opens, closes = (_clock_time(end) for end in window.split("-"))
        if opens >= closes:
            raise TermsError("hours", f"{window} crosses midnight, write a window for each day")
        if windows and windows[-1].closes > opens:
            raise TermsError("hours", f"{window} begins before the window before it has ended")
        windows.append(Window(opens, closes))
    return tuple(windows)


def _clock_time(text: str) -> time:
    if text == "24:00":
        return END_OF_DAY
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise TermsError("hours", f"{text} is no time of day, write HH:MM") from None


_BUILDERS: dict[type[shapes.ValueShape], Callable[[Any], Terms]] = {
    shapes.ConsentValue: _consent,
    shapes.RegistryListingValue: _registry_listing,
    shapes.NumberReassignmentValue: _number_reassignment,
    shapes.SendingHoursValue: _sending_hours,
    shapes.FrequencyCapValue: _frequency_cap,
    shapes.SenderRegistrationValue: _sender_registration,
    shapes.SenderIdFormValue: _sender_id_form,
    shapes.SenderHeaderValue: _sender_header,
    shapes.SignatureValue: _signature,
    shapes.TemplateMatchValue: _template_match,
    shapes.RegisteredLinksValue: _registered_links,
    shapes.CrossBorderValue: _cross_border,
    shapes.ChannelAvailabilityValue: _channel_availability,
    shapes.IdentityValue: _identity,
    shapes.OptOutNoticeValue: _opt_out_notice,
    shapes.LabelValue: _label,
    shapes.ContactValue: _contact,
    shapes.ProhibitedContentValue: _prohibited_content,
    shapes.MinimumAgeValue: _minimum_age,
    shapes.OptOutDeadlineValue: _opt_out_deadline,
    shapes.RecordKeepingValue: _record_keeping,
    shapes.OneClickUnsubscribeValue: _one_click_unsubscribe,
}
