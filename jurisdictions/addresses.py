"""Parse a telephone number or an e-mail address once, at the edge. Nothing here raises."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

import idna
import phonenumbers
from phonenumbers import PhoneNumberType, timezone

from jurisdictions.area_codes import area_codes
from jurisdictions.errors import UnknownTimeZoneError
from jurisdictions.regions import area_of_country, country_of_prefix, regions_of_prefix
from jurisdictions.spellings import spellings_of
from jurisdictions.time_zones import compared, zones_of_country, zones_of_prefix
from rules.facts import SenderId
from rules.text import stream_safe
from rules.vocabulary import NumberType, SenderForm

_NANP = re.compile(r"\+1([2-9][0-9]{2})([0-9]{7})\Z")
_NUMBER = re.compile(r"\+[0-9]{3,17}\Z")
_SEPARATORS = dict.fromkeys(
    # What people type between digits, and the marks of direction that copying leaves.
    map(ord, " -./()\t\u00a0\u2010\u2011\u2012\u2013\u202f\u200e\u200f\u202a\u202c\u2066\u2069")
)
_UNSEEN = frozenset({"Cc", "Cf"})
_QUOTES = " \t\r\n'\"`.,;:<>\u2018\u2019\u201c\u201d\u00ab\u00bb"
_IN_BRACKETS = re.compile(r"<([^<>]+)>\s*\Z")
_LINK = re.compile(r"(?i)(?:mailto|tel|sms|smsto|callto|whatsapp|mobile|phone):/{0,2}([^?;,]+)")
_INTERNATIONAL = re.compile(r"^\(?00(?=[\s\-.()/]*[1-9])")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])\Z")
_NO_HOST = "the part after the @ is no host name, write one such as example.com"
_LOCAL = re.compile(r"[^\s\x00-\x20\x7f\"(),:;<>@\[\\\]]{1,64}\Z")
_TYPES: dict[int, NumberType] = {
    PhoneNumberType.MOBILE: NumberType.MOBILE,
    PhoneNumberType.FIXED_LINE: NumberType.FIXED,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address as it is compared and stored.

    ``normalised`` is E.164, or the e-mail address in small letters with its host in IDNA form.
    ``spellings`` holds every spelling that reaches the same person, ``normalised`` among them,
    in the same order whichever was given: the first serves as the person's key.
    ``country``, ``regions`` (ISO 3166-2) and ``zones`` are what the number implies, empty where
    it implies nothing; e-mail addresses imply nothing. Several ``regions``: it may be any.
    ``problem`` says why this can be no address, without repeating it, or is None.
    """

    normalised: str
    spellings: tuple[str, ...]
    channel_family: Literal["number", "email"]
    country: str | None = None
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    number_type: NumberType | None = None
    local_part: str | None = None
    problem: str | None = None


LONGEST_KEPT = 320
"""No address is longer. What is, in an opt-out, is read each time: it may be of any length."""


def parse_address(text: str) -> Address:
    """Parse an E.164 number or an e-mail address; ``problem`` tells what is wrong with it."""
    return _parse(text) if len(text) > LONGEST_KEPT else _parse_and_keep(text)


def _parse(text: str) -> Address:
    text = text.strip()
    if "@" in text:
        return _email(text)
    # A text of nothing but separators is kept as it came: it must not equal another one.
    return _number(_digits_of(text) or text)


def spellings_of_normalised(address: str) -> tuple[str, ...]:
    """The spellings of an address that ``parse_address`` has normalised, mostly without parsing."""
    if "@" in address:
        return (address,)
    _, spellings = spellings_of(address)
    # An impossible number has one spelling, whatever its form: only parsing tells that it is one.
    return (address,) if len(spellings) == 1 else parse_address(address).spellings


_parse_and_keep = lru_cache(maxsize=100_000)(_parse)


def address_meant(text: str) -> str:
    """The address that an odd spelling plainly means; the text itself where that is none.

    For opt-outs, which reach as far as they can: a link (``mailto:``, ``tel:``), an address behind
    a name, an international prefix, signs that nobody sees. Who consents writes an address.
    """
    if parse_address(text).problem is None:
        return text
    visible = "".join(sign for sign in text if unicodedata.category(sign) not in _UNSEEN)
    bracketed = _IN_BRACKETS.search(visible)
    plain = (bracketed[1] if bracketed else visible).strip(_QUOTES)
    linked = _LINK.match(plain)
    if linked:
        plain = unquote(linked[1])
    prefixed = _INTERNATIONAL.sub("+", plain.strip(_QUOTES))
    for meant in (visible, plain, plain.strip(_QUOTES), prefixed):
        if parse_address(meant).problem is None:
            return meant
    return text


@lru_cache(maxsize=10_000)
def sender_id_of(text: str, *, default_country: str) -> SenderId:
    """Read a ``from``; national forms are those of ``default_country``, the sender's.

    ``digits`` holds the digits as they were written, for that is how they are compared.
    """
    text = text.strip()
    if "@" in text and _email(text).problem is None:
        return SenderId(text=text, form=SenderForm.EMAIL)
    written = _digits_of(text)
    digits = written.removeprefix("+")
    if not digits.isdigit():
        return SenderId(text=text, form=SenderForm.ALPHANUMERIC)
    number = _sender_number(written, default_country)
    if number is None:
        # A code lives in the network of the country where it is used: it tells no country.
        form = SenderForm.SHORT_CODE if 3 <= len(digits) <= 8 else SenderForm.NUMBER
        return SenderId(text=text, form=form, digits=digits)
    address = parse_address(number)
    toll_free = address.number_type is NumberType.TOLL_FREE
    return SenderId(
        text=text,
        form=SenderForm.TOLL_FREE if toll_free else SenderForm.NUMBER,
        digits=digits,
        country=address.country,
        number_type=address.number_type,
    )


def _sender_number(written: str, default_country: str) -> str | None:
    """The E.164 form of a numeric sender id, or None where it is no whole number."""
    if written.startswith("+"):
        return written if parse_address(written).problem is None else None
    # Six digits or fewer are a code even where a village's landline is as short.
    if len(written) <= 6:
        return None
    try:
        number = phonenumbers.parse(written, default_country)
    except phonenumbers.NumberParseException:
        return None
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if phonenumbers.is_valid_number(number):
        return national
    if len(written) <= 8:
        return None
    whole = f"+{written}"
    if _is_valid(whole):
        return whole
    return national if phonenumbers.is_possible_number(number) else None


def _is_valid(number: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _digits_of(text: str) -> str:
    """Without separators, and with digits of every script in ASCII."""
    if text.isascii() and text.removeprefix("+").isdigit():
        return text
    kept = text.translate(_SEPARATORS).replace("\uff0b", "+")
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in kept)


def _email(text: str) -> Address:
    text = unicodedata.normalize("NFC", stream_safe(text))
    local, _, host = text.rpartition("@")
    local, host = local.lower(), host.lower()
    problem = _problem_of_local(local)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError:
            problem = problem or _NO_HOST
    if problem is None and not _HOST.match(host):
        problem = _NO_HOST
    if problem is None and len(local.encode()) + len(host) > 253:
        problem = "this is longer than an e-mail address may be"
    normalised = f"{local}@{host}"
    return Address(
        normalised=normalised,
        spellings=(normalised,),
        channel_family="email",
        local_part=local,
        problem=problem,
    )


def _problem_of_local(local: str) -> str | None:
    if "@" in local:
        return "this holds more than one @, write one e-mail address"
    if any(unicodedata.category(sign) in _UNSEEN for sign in local):
        return "there are signs in this that cannot be seen, leave them out"
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if dots or not _LOCAL.match(local) or len(local.encode()) > 64:
        return "the part before the @ is no mailbox, write one e-mail address without its name"
    return None


def _number(text: str, *, first_written: str | None = None) -> Address:
    if not text.startswith("+"):
        return _impossible(
            text, "this is no E.164 number and no e-mail address, write + and the country code"
        )
    if not _NUMBER.match(text):
        return _impossible(text, "this is no E.164 number, write + and 4 to 15 digits")
    written, spellings = spellings_of(text)
    area = _NANP.match(written)
    place = None if area is None else area_codes().get(area[1])
    if place is not None:
        return Address(
            normalised=written,
            spellings=spellings,
            channel_family="number",
            country=place.country,
            regions=place.regions,
            zones=place.zones,
            # In North America nothing in a number tells a mobile telephone.
            number_type=NumberType.FIXED_OR_MOBILE,
        )
    return _number_elsewhere(written, spellings, first_written=first_written)


def _number_elsewhere(
    written: str, spellings: tuple[str, ...], *, first_written: str | None
) -> Address:
    try:
        number = phonenumbers.parse(written)
    except phonenumbers.NumberParseException:
        return _impossible(written, "no country has this country code")
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason is not phonenumbers.ValidationResult.IS_POSSIBLE:
        return _impossible(written, _WHY_IMPOSSIBLE.get(reason, _NO_LENGTH))
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if e164 != written:
        # A national prefix was left inside, as in +44 0 20, and the library took it out. Where
        # another is left, it is no number that anybody would know by what we make of it.
        if first_written is not None:
            return _impossible(
                first_written, "there are national prefixes in this number, leave them out"
            )
        return _number(e164, first_written=written)
    code = country_of_prefix(written[1:]) or phonenumbers.region_code_for_number(number)
    if code is None:
        assert number.country_code is not None, "it was parsed with one"
        code = phonenumbers.region_code_for_country_code(number.country_code)
    if code in _NO_COUNTRY:
        return Address(normalised=written, spellings=spellings, channel_family="number")
    area = area_of_country(code)
    zones = area.zones
    if len(zones) != 1:
        zones = _zones_of(number, written[1:], area.country)
    return Address(
        normalised=written,
        spellings=spellings,
        channel_family="number",
        country=area.country,
        regions=area.codes or regions_of_prefix(written[1:]),
        zones=zones,
        number_type=_TYPES.get(phonenumbers.number_type(number), NumberType.OTHER),
    )


def _zones_of(number: phonenumbers.PhoneNumber, digits: str, country: str) -> tuple[str, ...]:
    """The zones a number tells in a country of several; () where it tells the country only."""
    zones = zones_of_prefix(digits)
    if zones is not None:
        return zones
    try:
        zones = compared(timezone.time_zones_for_number(number))
    except UnknownTimeZoneError:
        return ()  # It says Etc/Unknown, or its data is older than that of the zones.
    # Long lists hold stand-ins of no country or a neighbour's: then they tell nothing.
    return zones if set(zones) <= set(zones_of_country(country)) else ()


_NO_COUNTRY = frozenset({"001", "ZZ"})
"""The library's codes for satellites and other networks without a country, and for nothing."""
_NO_LENGTH = "no number of this country has this many digits"
_WHY_IMPOSSIBLE: dict[int, str] = {
    phonenumbers.ValidationResult.TOO_SHORT: "the number is too short for its country",
    phonenumbers.ValidationResult.TOO_LONG: "the number is too long for its country",
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: "no country has this country code",
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the number lacks its area code",
}


def _impossible(text: str, problem: str) -> Address:
    return Address(normalised=text, spellings=(text,), channel_family="number", problem=problem)
