"""A reason or an obligation in plain words: what is wrong, how we know, and what would cure it.

One sentence or two for each code, for a marketer who never read the law. The particulars come
from the finding's detail; where one is not known the sentence is shorter, never wrong.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Final

from rules.decision import Detail
from rules.vocabulary import ObligationCode, ReasonCode

Particulars = Mapping[str, str | int]
"""A finding's detail by name, and ``until``: the local time from which waiting has cured it."""

Sentence = Callable[[Particulars], str] | str
"""The words of a code: always the same, or made from the particulars."""

_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_LEVELS: Final = {
    "implied": "implied consent",
    "express": "express consent",
    "express_written": "express written consent",
}


@lru_cache(maxsize=65_536)
def sentence(
    code: ReasonCode | ObligationCode,
    detail: Detail = (),
    *,
    until: datetime | None = None,
    zone: tzinfo | None = None,
) -> str:
    """Say what a reason or an obligation means here, ``until`` on the clock of ``zone``.

    It names no address and quotes no message text.
    """
    particulars: dict[str, str | int] = dict(detail)
    if until is not None:
        particulars["until"] = _moment(until if zone is None else until.astimezone(zone))
    table: Mapping[str, Sentence] = REASONS if isinstance(code, ReasonCode) else OBLIGATIONS
    words = table[code]
    return words if isinstance(words, str) else words(particulars)


def _consent_missing(about: Particulars) -> str:
    needed = _level(about.get("needed"))
    return f"There is no consent on record for this message. It needs {needed}, recorded first."


def _consent_insufficient(about: Particulars) -> str:
    given, needed = about.get("level"), about.get("needed")
    has = f"The {_level(given)}" if given else "The consent"
    given_on = _day_of(about, "at", " given on ")
    if given == needed:
        return (
            f"{has}{given_on} lacks what the law asks of it, such as being asked for apart from"
            " other matters. Ask the person again, in the form that the provision names."
        )
    return f"{has}{given_on} is too weak. Ask the person for {_level(needed)}."


def _consent_unconfirmed(about: Particulars) -> str:
    return (
        f"The consent{_day_of(about, 'at', ' given on ')} was never confirmed. Record the"
        " person's answer to the confirmation request first."
    )


def _consent_expired(about: Particulars) -> str:
    return (
        f"What this message rested on{_day_of(about, 'at', ', of ')} has lapsed. A new consent,"
        " or where the law takes one a new purchase or inquiry, opens the way again."
    )


def _consent_revoked(about: Particulars) -> str:
    return (
        f"The person opted out{_day_of(about, 'at', ' on ')}. Only a new consent from the person"
        " reopens this; a later purchase does not."
    )


def _quiet_hours(about: Particulars) -> str:
    said = "It is outside the hours in which this message may arrive."
    if "local_time" in about:
        said = f"It is {about['local_time']} for the recipient{_in_zone(about)}"
        said += f"; messages may arrive at {_hours(about)}." if about.get("hours") else "."
    return said + _waits(about)


def _forbidden_day(about: Particulars) -> str:
    day = _day(about["local_date"]) if "local_date" in about else "Today"
    return f"{day} is a day on which this message may not arrive{_in_zone(about)}.{_waits(about)}"


def _frequency_cap(about: Particulars) -> str:
    limit, span = about.get("limit"), _span(about)
    if limit is None or not span:
        return f"The person has had as many messages as the law allows.{_waits(about)}"
    return (
        f"The person has had {_count(limit, 'message')} in {span}, the most that is allowed;"
        f" messages just allowed to go count as well.{_waits(about)}"
    )


def _registry_listed(about: Particulars) -> str:
    copy = _copy(about)
    if about.get("approvals"):
        return f"{copy} holds no approval for this address. The person must approve there first."
    return (
        f"{copy} lists this address as not to be contacted. Only a consent that overrides the"
        " register, where the law knows one, opens the way."
    )


def _registry_stale(about: Particulars) -> str:
    registry = about.get("registry", "this register")
    if "as_of" not in about:
        return (
            f"No copy of the register {registry} that covers this address is loaded, so nobody can"
            " say whether it is listed. Load a current copy."
        )
    age = f" and is {_count(about['age_days'], 'day')} old" if "age_days" in about else ""
    return (
        f"Our copy of the register {registry} is of {_day(about['as_of'])}{age}, which is older"
        " than the law allows. Load a current copy."
    )


def _number_reassigned(about: Particulars) -> str:
    return (
        f"{_copy(about)} says that this number has changed hands, so the consent on record is"
        " somebody else's. Ask the new holder for consent."
    )


def _sender_unregistered(about: Particulars) -> str:
    scheme = about.get("scheme")
    where = f" under {scheme}" if scheme else ""
    return (
        f"The sender id is not registered{where}. Register it and put the registration on"
        " the sender's record, or send from a registered one."
    )


def _sender_id_invalid(about: Particulars) -> str:
    form = str(about.get("form", "")).replace("_", " ")
    what = f"A sender id of this form ({form})" if form else "This sender id"
    wanted = [
        f"{words} {about[name]}"
        for name, words in (
            ("prefix", "begins with"),
            ("series", "is a number that begins with"),
            ("suffix", "ends with"),
        )
        if about.get(name)
    ]
    cure = f"one that {' and '.join(wanted)}" if wanted else "another form of sender id"
    return f"{what} does not travel to this recipient. Send from {cure}."


def _template_mismatch(about: Particulars) -> str:
    problem = about.get("problem")
    if problem == "purpose":
        return (
            "The template is registered for another purpose. Name one that is registered for"
            " this purpose."
        )
    if problem not in (None, "text"):
        return (
            f"What stands for the variable {problem} is of another kind than the template says,"
            " or a link or number that is not registered. Register it, or change the value."
        )
    return (
        "The text is not that of the registered template. Send the registered text, changing"
        " only its variables, or register this one."
    )


def _missing_opt_out(about: Particulars) -> str:
    return f"The text does not say how to opt out.{_example(about)}"


def _missing_label(about: Particulars) -> str:
    return f"The text does not begin with the label that the law asks for.{_label(about)}"


def _missing_contact(about: Particulars) -> str:
    missing = str(about.get("missing", "")).replace("_", " ").replace("/", " or ")
    return (
        "The text does not say how to reach the sender."
        f" {f'Add to it: {missing}.' if missing else 'Add the contact that the provision names.'}"
    )


def _minor(about: Particulars) -> str:
    age = f" of {about['age']}" if "age" in about else ""
    return (
        f"The person is under the age{age}, so their own word is not enough. Where the law takes"
        " it, record the consent of a parent or guardian."
    )


def _invalid_address(about: Particulars) -> str:
    problem = about.get("problem")
    why = f" ({problem})" if problem else ""
    return f"The address cannot be one{why}. Write a number as +, country code and digits."


def _unknown_jurisdiction(about: Particulars) -> str:
    country = about.get("country")
    if not country:
        return (
            "Nothing tells in which country the recipient is. Give recipient.region, such as US-NY"
            " or DE."
        )
    return (
        f"The law of {country} is not among those known here, so only one-time codes and"
        " emergency messages may go. If the recipient is elsewhere, give recipient.region."
    )


def _erased(about: Particulars) -> str:
    return (
        f"The person's data was erased{_day_of(about, 'at', ' on ')} at their request, with"
        " every consent. Only a new consent or dealing begun by the person opens the way."
    )


REASONS: Final[Mapping[str, Sentence]] = {
    ReasonCode.CONSENT_MISSING: _consent_missing,
    ReasonCode.CONSENT_INSUFFICIENT: _consent_insufficient,
    ReasonCode.CONSENT_UNCONFIRMED: _consent_unconfirmed,
    ReasonCode.CONSENT_EXPIRED: _consent_expired,
    ReasonCode.CONSENT_REVOKED: _consent_revoked,
    ReasonCode.CONSENT_OUT_OF_SCOPE: (
        "The person consented to another channel, purpose or brand, not to this one."
        " Ask for consent that names what this message is."
    ),
    ReasonCode.QUIET_HOURS: _quiet_hours,
    ReasonCode.FORBIDDEN_DAY: _forbidden_day,
    ReasonCode.FREQUENCY_CAP: _frequency_cap,
    ReasonCode.REGISTRY_LISTED: _registry_listed,
    ReasonCode.REGISTRY_STALE: _registry_stale,
    ReasonCode.NUMBER_REASSIGNED: _number_reassigned,
    ReasonCode.SENDER_UNREGISTERED: _sender_unregistered,
    ReasonCode.SENDER_ID_INVALID: _sender_id_invalid,
    ReasonCode.TEMPLATE_UNREGISTERED: (
        "The message follows no registered template. Register its text and name the"
        " template with the message."
    ),
    ReasonCode.TEMPLATE_MISMATCH: _template_mismatch,
    ReasonCode.MISSING_OPT_OUT: _missing_opt_out,
    ReasonCode.MISSING_IDENTITY: "The text does not say who sends it. Name the brand in it.",
    ReasonCode.MISSING_LABEL: _missing_label,
    ReasonCode.MISSING_CONTACT: _missing_contact,
    ReasonCode.PROHIBITED_CONTENT: (
        "The message is about something that may not be promoted like this. Nothing cures it."
    ),
    ReasonCode.MINOR: _minor,
    ReasonCode.CHANNEL_UNAVAILABLE: (
        "Messages of this kind cannot be sent by this channel there. Use another channel."
    ),
    ReasonCode.TOO_LATE: (
        "The message could go only after the instant from which its sender wants it"
        " discarded. Set discard_after later, or send earlier."
    ),
    ReasonCode.UNDER_REVIEW: (
        "The person wrote something that may have been an opt-out, and nobody has read"
        " it yet. Decide on it under reviews."
    ),
    ReasonCode.PROPAGATION_OVERDUE: (
        "An opt-out has not reached every system that must know of it, and its deadline"
        " has passed. Let it be delivered first."
    ),
    ReasonCode.CROSS_BORDER_TRANSFER: (
        "The person's data may not be taken abroad for this message on what is on"
        " record. Ask for consent that covers the transfer."
    ),
    ReasonCode.INVALID_ADDRESS: _invalid_address,
    ReasonCode.UNKNOWN_JURISDICTION: _unknown_jurisdiction,
    ReasonCode.ERASED: _erased,
}


def _include_opt_out(about: Particulars) -> str:
    return f"The text must say how to opt out.{_example(about)}"


def _include_label(about: Particulars) -> str:
    return f"The text must begin with a label.{_label(about)}"


def _honour_opt_out_within(about: Particulars) -> str:
    if about.get("business_days"):
        span = f"within {_count(about['business_days'], 'business day')}"
    elif about.get("days"):
        span = f"within {_count(about['days'], 'day')}"
    else:
        span = "at once"
    return f"Whoever else sends for you must honour an opt-out {span}; checks here do so at once."


def _use_registered_sender(about: Particulars) -> str:
    scheme = about.get("scheme")
    where = f" under {scheme}" if scheme else ""
    return f"It must be sent from a sender id that is registered{where}."


def _keep_record(about: Particulars) -> str:
    months = about.get("months")
    span = f" for {_count(months, 'month')}" if months else ""
    return f"Keep the proof of consent and of the sending{span}."


OBLIGATIONS: Final[Mapping[str, Sentence]] = {
    ObligationCode.INCLUDE_OPT_OUT: _include_opt_out,
    ObligationCode.INCLUDE_IDENTITY: "The text must say who sends it: name the brand.",
    ObligationCode.INCLUDE_LABEL: _include_label,
    ObligationCode.INCLUDE_CONTACT: "The text must say how to reach the sender.",
    ObligationCode.INCLUDE_POSTAL_ADDRESS: (
        "The text must hold the sender's postal address, with house number and postal code."
    ),
    ObligationCode.HONOUR_OPT_OUT_WITHIN: _honour_opt_out_within,
    ObligationCode.USE_REGISTERED_SENDER: _use_registered_sender,
    ObligationCode.USE_REGISTERED_TEMPLATE: (
        "Its text must be that of a registered template, and the template be named with it."
    ),
    ObligationCode.KEEP_RECORD: _keep_record,
    ObligationCode.ONE_CLICK_UNSUBSCRIBE: (
        "The mail must carry the List-Unsubscribe and List-Unsubscribe-Post headers of"
        " RFC 8058, so that one click opts out."
    ),
}


def _span(about: Particulars) -> str:
    """The window of a cap, in the unit that the rule counts in."""
    for unit in ("hour", "day", "week", "month"):
        number = about.get(f"{unit}s")
        if number:
            return _count(number, unit)
    return ""


def _level(word: str | int | None) -> str:
    return _LEVELS.get(str(word), "consent")


def _copy(about: Particulars) -> str:
    registry = about.get("registry")
    name = f"The register {registry}" if registry else "The register"
    return f"{name} (our copy of {_day(about['as_of'])})" if "as_of" in about else name


def _hours(about: Particulars) -> str:
    """The windows of a day: ``08:00-12:00 14:00-20:00`` are two."""
    windows = str(about["hours"]).split()
    return " and ".join(window.replace("-", " to ") for window in windows)


def _in_zone(about: Particulars) -> str:
    return f" in {str(about['zone']).replace('_', ' ')}" if "zone" in about else ""


def _waits(about: Particulars) -> str:
    return f" It may go from {about['until']}." if "until" in about else ""


def _example(about: Particulars) -> str:
    return f" Words that serve: {about['example']}." if "example" in about else ""


def _label(about: Particulars) -> str:
    return f" It is: {about['label']}" if "label" in about else ""


def _count(number: str | int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _day_of(about: Particulars, name: str, before: str) -> str:
    """The day of an instant in the detail, with the words before it; nothing if it is not there."""
    instant = about.get(name)
    return f"{before}{_day(str(instant)[:10])}" if instant else ""


def _day(written: str | int) -> str:
    day = date.fromisoformat(str(written))
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _moment(at: datetime) -> str:
    return f"{at:%H:%M} on {_day(at.date().isoformat())}"
