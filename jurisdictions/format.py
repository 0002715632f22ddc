"""The shape of a regulation file, as strict structs: what an author may write.

A file is one regulation: its head, and rules. A rule is of one kind, says whom it binds, and
holds dated values, each with its own source. ``kinds.py`` turns values into terms. A JSON
Schema for editors is made from these structs.
"""

import atexit
import gc
from datetime import date
from typing import Annotated, Literal

import msgspec

from rules.kinds.content import ContactItem
from rules.vocabulary import (
    Certainty,
    Channel,
    EventKind,
    Force,
    NumberType,
    ObligationCode,
    Purpose,
    Quality,
    RecipientKind,
    SenderForm,
)

# At the end of the process Python takes types apart in an order that msgspec 0.22 does not bear
# once it has decoded these: one process in three ends with a segmentation fault instead of its
# exit code (msgspec issue 717). What is frozen is left alone, and goes with the process.
atexit.register(gc.freeze)

Identifier = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        description="lower-case words tied by hyphens, unique over all files",
    ),
]
Words = Annotated[str, msgspec.Meta(min_length=1)]
Jurisdiction = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Z]{2,3}(-[A-Z0-9]+)?$",
        description="a country (US), a region (US-FL) or a union (EU)",
    ),
]
LevelWord = Literal["implied", "express", "express_written"]
PeriodText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[1-9][0-9]* (minute|hour|day|month|year)s?$",
        description="a number and a unit: 5 minutes, 24 hours, 31 days, 18 months, 2 years",
    ),
]
AgeText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([1-9][0-9]* (working day|day|month)s?|same month)$",
        description="31 days, 1 month, 10 working days, or: same month",
    ),
]
CapWindowText = Annotated[str, msgspec.Meta(pattern=r"^([1-9][0-9]* (hour|day)s?|calendar week)$")]
HoursText = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(closed|\d\d:\d\d-\d\d:\d\d( \d\d:\d\d-\d\d:\d\d)*)$",
        description="08:00-21:00, several windows after one another, or: closed. 24:00 ends a day",
    ),
]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a file; a field that it does not know is refused."""


class SourceShape(Shape, frozen=True, kw_only=True):
    """Where a value comes from, and how sure its reading is."""

    citation: Words
    read_on: date
    force: Force
    certainty: Certainty
    url: str | None = None


class BindsShape(Shape, frozen=True, kw_only=True):
    """Which messages a rule binds; what is left out is left open."""

    recipient: Jurisdiction | tuple[Jurisdiction, ...] | None = None
    recipient_not: Jurisdiction | tuple[Jurisdiction, ...] | None = None
    sender: Jurisdiction | tuple[Jurisdiction, ...] | None = None
    sender_not: Jurisdiction | tuple[Jurisdiction, ...] | None = None
    either: Jurisdiction | tuple[Jurisdiction, ...] | None = None
    channels: tuple[Channel, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    kinds: tuple[RecipientKind, ...] = ()
    number_types: tuple[NumberType, ...] = ()
    automated: bool | None = None


class RegistryShape(Shape, frozen=True, kw_only=True):
    """A register that has to be asked."""

    id: Identifier
    max_age: AgeText | None = None
    approvals: bool = False
    consent_after_entry: bool = False
    needed: bool = True
    working_days_of: str | None = None
    holiday_categories: tuple[str, ...] = ("public",)


class LapseShape(Shape, frozen=True, kw_only=True):
    """How long a grant serves."""

    after: PeriodText
    renewable: bool = False
    last_day_before: bool = False
    unless_dated: bool = False


class RouteShape(Shape, frozen=True, kw_only=True):
    """One of ``grant``, ``relation``, ``open`` and ``confirmation`` says what kind of route it is.

    ``confirmation`` lifts rules only: the message confirms an opt-out made so short a time ago.
    """

    grant: LevelWord | None = None
    relation: tuple[EventKind, ...] | None = None
    open: Literal[True] | None = None
    confirmation: PeriodText | None = None
    qualities: tuple[Quality, ...] = ()
    lapses: LapseShape | None = None
    own_scope: bool = False
    within: PeriodText | None = None
    from_start: bool = False
    running: bool = False
    since: date | None = None
    expires: bool = False
    used_within: PeriodText | None = None
    kinds: tuple[RecipientKind, ...] = ()
    mailboxes: tuple[Words, ...] = ()
    registry: RegistryShape | None = None


class OptOutShape(Shape, frozen=True, kw_only=True):
    """How far an opt-out reaches beyond what it names, and how long an erasure stands."""

    unscoped: Literal["stops", "leaves"] | None = None
    scoped_stops_all_from: date | None = None
    unstoppable: bool = False
    ended_contract_stops: bool = False
    erased_until_granted: bool = False


class HolidaysShape(Shape, frozen=True, kw_only=True):
    """A public calendar. ``observed``: substitute days count too.

    ``in_regions``: days that are holidays beside those, for recipients in that region.
    """

    country: str
    subdivision: str | None = None
    by_region: bool = False
    observed: bool = False
    categories: tuple[str, ...] = ("public",)
    only: tuple[str, ...] | None = None
    in_regions: dict[Jurisdiction, tuple[Words, ...]] = {}


class ValueShape(Shape, frozen=True, kw_only=True):
    """What every value has. ``in_force_until`` is the last day; the next value ends it else."""

    in_force_from: date
    source: SourceShape
    in_force_until: date | None = None


class ConsentValue(ValueShape, frozen=True, kw_only=True):
    routes: Annotated[tuple[RouteShape, ...], msgspec.Meta(min_length=1)]
    opt_out: OptOutShape = OptOutShape()
    treated_as: Purpose | None = None
    confirmation_within: PeriodText | None = None


class RegistryListingValue(ValueShape, frozen=True, kw_only=True):
    registry: RegistryShape
    lifted_by: tuple[RouteShape, ...] = ()


class NumberReassignmentValue(ValueShape, frozen=True, kw_only=True):
    registry: Identifier
    every_message: bool = False
    required: bool = False


class SendingHoursValue(ValueShape, frozen=True, kw_only=True):
    hours: dict[str, HoursText]
    holidays: HolidaysShape | None = None
    clock: str | None = None
    lifted_by: tuple[RouteShape, ...] = ()


class FrequencyCapValue(ValueShape, frozen=True, kw_only=True):
    """``within``: hours or days on the clock, days by the ``calendar``, or: calendar week."""

    limit: Annotated[int, msgspec.Meta(ge=1)]
    within: CapWindowText
    calendar: bool = False
    other_channels: bool = False
    channels: tuple[Channel, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    same_topic: bool = False
    lifted_by: tuple[RouteShape, ...] = ()


class SenderRegistrationValue(ValueShape, frozen=True, kw_only=True):
    scheme: Identifier
    forms: tuple[SenderForm, ...] = ()
    number_types: tuple[NumberType, ...] = ()
    numbers_of: tuple[str, ...] = ()
    begins_with: Words | None = None
    same_id: bool = False
    unobtainable: bool = False


class SeriesShape(Shape, frozen=True, kw_only=True):
    """Numbers that begin with ``start``; ``digits`` in all, or any number of them."""

    start: Annotated[str, msgspec.Meta(pattern=r"^[0-9]+$")]
    digits: Annotated[int, msgspec.Meta(ge=3, le=15)] | None = None


class SenderIdFormValue(ValueShape, frozen=True, kw_only=True):
    refused: tuple[SenderForm, ...] = ()
    refused_number_types: tuple[NumberType, ...] = ()
    numbers_of: tuple[str, ...] = ()
    reserved: tuple[Words, ...] = ()
    prefix: str = ""
    suffix: str = ""
    any_case: bool = False
    longest: Annotated[int, msgspec.Meta(ge=1)] | None = None
    series: tuple[SeriesShape, ...] = ()
    country_code: str = ""


class SenderHeaderValue(ValueShape, frozen=True, kw_only=True):
    scheme: Identifier
    prefix_length: Annotated[int, msgspec.Meta(ge=1)]
    suffix: Words | None = None


class SignatureValue(ValueShape, frozen=True, kw_only=True):
    opens: Words
    closes: Words
    scheme: Identifier | None = None


class CoversShape(Shape, frozen=True, kw_only=True):
    """A template registered for ``purpose`` serves ``also``."""

    purpose: Purpose
    also: tuple[Purpose, ...]


class TemplateMatchValue(ValueShape, frozen=True, kw_only=True):
    scheme: Identifier
    reference: Identifier
    links_scheme: Identifier
    longest: Annotated[int, msgspec.Meta(ge=1, le=500)]
    covers: tuple[CoversShape, ...] = ()


class RegisteredLinksValue(ValueShape, frozen=True, kw_only=True):
    items: Annotated[tuple[Literal["link", "phone"], ...], msgspec.Meta(min_length=1)]
    reason: Literal["sender_unregistered", "prohibited_content"]
    scheme: Identifier | None = None
    country_code: Annotated[str, msgspec.Meta(pattern=r"^([1-9][0-9]{0,2})?$")] = ""


class CrossBorderValue(ValueShape, frozen=True, kw_only=True):
    qualities: tuple[Quality, ...] = ()


class ChannelAvailabilityValue(ValueShape, frozen=True, kw_only=True):
    """The channels that the rule binds are not available; there is nothing to set."""


class IdentityValue(ValueShape, frozen=True, kw_only=True):
    in_text_only: bool = False
    prefixes: tuple[Words, ...] = ()
    suffixes: tuple[Words, ...] = ()
    lifted_by: tuple[RouteShape, ...] = ()


class OptOutNoticeValue(ValueShape, frozen=True, kw_only=True):
    words: Annotated[tuple[Words, ...], msgspec.Meta(min_length=1)]
    every: bool = False
    short_number_digits: Annotated[int, msgspec.Meta(ge=3, le=8)] | None = None
    lifted_by: tuple[RouteShape, ...] = ()


class LabelValue(ValueShape, frozen=True, kw_only=True):
    labels: Annotated[tuple[Words, ...], msgspec.Meta(min_length=1)]
    anywhere: bool = False
    lifted_by: tuple[RouteShape, ...] = ()


class ContactValue(ValueShape, frozen=True, kw_only=True):
    needs: tuple[tuple[ContactItem, ...], ...]
    suffices: tuple[ContactItem, ...] = ()
    words: tuple[Words, ...] = ()
    notice_words: tuple[Words, ...] = ()
    owed: tuple[ObligationCode, ...] = (ObligationCode.INCLUDE_CONTACT,)
    reason: Literal["missing_contact", "missing_identity"] = "missing_contact"
    lifted_by: tuple[RouteShape, ...] = ()


class ProhibitedContentValue(ValueShape, frozen=True, kw_only=True):
    words: tuple[Words, ...] = ()
    topics: tuple[Words, ...] = ()
    everything: bool = False


class MinimumAgeValue(ValueShape, frozen=True, kw_only=True):
    age: Annotated[int, msgspec.Meta(ge=1, le=30)]
    own_consent_only: bool = False
    guardian_cures: bool = True
    with_qualities: tuple[Quality, ...] = ()


class OptOutDeadlineValue(ValueShape, frozen=True, kw_only=True):
    within: Annotated[str, msgspec.Meta(pattern=r"^(at once|[1-9][0-9]* (business day|day)s?)$")]


class RecordKeepingValue(ValueShape, frozen=True, kw_only=True):
    """Without ``keep`` the law names no number: as long as the record is relied on."""

    keep: PeriodText | None = None


class OneClickUnsubscribeValue(ValueShape, frozen=True, kw_only=True):
    pass


class RuleShape(Shape, frozen=True, tag_field="kind"):
    """What every rule has beside its kind and its values."""

    id: Identifier
    summary: Words
    binds: BindsShape


class ConsentRule(RuleShape, frozen=True, tag="consent"):
    values: tuple[ConsentValue, ...]


class RegistryListingRule(RuleShape, frozen=True, tag="registry_listing"):
    values: tuple[RegistryListingValue, ...]


class NumberReassignmentRule(RuleShape, frozen=True, tag="number_reassignment"):
    values: tuple[NumberReassignmentValue, ...]


class SendingHoursRule(RuleShape, frozen=True, tag="sending_hours"):
    values: tuple[SendingHoursValue, ...]


class FrequencyCapRule(RuleShape, frozen=True, tag="frequency_cap"):
    values: tuple[FrequencyCapValue, ...]


class SenderRegistrationRule(RuleShape, frozen=True, tag="sender_registration"):
    values: tuple[SenderRegistrationValue, ...]


class SenderIdFormRule(RuleShape, frozen=True, tag="sender_id_form"):
    values: tuple[SenderIdFormValue, ...]


class SenderHeaderRule(RuleShape, frozen=True, tag="sender_header"):
    values: tuple[SenderHeaderValue, ...]


class SignatureRule(RuleShape, frozen=True, tag="signature"):
    values: tuple[SignatureValue, ...]


class TemplateMatchRule(RuleShape, frozen=True, tag="template_match"):
    values: tuple[TemplateMatchValue, ...]


class RegisteredLinksRule(RuleShape, frozen=True, tag="registered_links"):
    values: tuple[RegisteredLinksValue, ...]


class CrossBorderRule(RuleShape, frozen=True, tag="cross_border"):
    values: tuple[CrossBorderValue, ...]


class ChannelAvailabilityRule(RuleShape, frozen=True, tag="channel_availability"):
    values: tuple[ChannelAvailabilityValue, ...]


class IdentityRule(RuleShape, frozen=True, tag="identity"):
    values: tuple[IdentityValue, ...]


class OptOutNoticeRule(RuleShape, frozen=True, tag="opt_out_notice"):
    values: tuple[OptOutNoticeValue, ...]


class LabelRule(RuleShape, frozen=True, tag="label"):
    values: tuple[LabelValue, ...]


class ContactRule(RuleShape, frozen=True, tag="contact"):
    values: tuple[ContactValue, ...]


class ProhibitedContentRule(RuleShape, frozen=True, tag="prohibited_content"):
    values: tuple[ProhibitedContentValue, ...]


class MinimumAgeRule(RuleShape, frozen=True, tag="minimum_age"):
    values: tuple[MinimumAgeValue, ...]


class OptOutDeadlineRule(RuleShape, frozen=True, tag="opt_out_deadline"):
    values: tuple[OptOutDeadlineValue, ...]


class RecordKeepingRule(RuleShape, frozen=True, tag="record_keeping"):
    values: tuple[RecordKeepingValue, ...]


class OneClickUnsubscribeRule(RuleShape, frozen=True, tag="one_click_unsubscribe"):
    values: tuple[OneClickUnsubscribeValue, ...]


AnyRule = (
    ConsentRule
    | RegistryListingRule
    | NumberReassignmentRule
    | SendingHoursRule
    | FrequencyCapRule
    | SenderRegistrationRule
    | SenderIdFormRule
    | SenderHeaderRule
    | SignatureRule
    | TemplateMatchRule
    | RegisteredLinksRule
    | CrossBorderRule
    | ChannelAvailabilityRule
    | IdentityRule
    | OptOutNoticeRule
    | LabelRule
    | ContactRule
    | ProhibitedContentRule
    | MinimumAgeRule
    | OptOutDeadlineRule
    | RecordKeepingRule
    | OneClickUnsubscribeRule
)


class RegulationHead(Shape, frozen=True, kw_only=True):
    """What a file is about. ``not_researched``: national law that nobody has read yet."""

    id: Identifier
    title: Words
    jurisdiction: Jurisdiction
    authority: Words
    note: str | None = None


class RegulationFile(Shape, frozen=True, kw_only=True):
    """One law or code."""

    regulation: RegulationHead
    rules: Annotated[tuple[AnyRule, ...], msgspec.Meta(min_length=1)]
