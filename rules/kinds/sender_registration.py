"""Rule kinds about the sender id: what must be registered, and what forms do not travel."""

from dataclasses import dataclass
from datetime import datetime

from rules.facts import Facts, Registration, SenderId
from rules.periods import local_dates
from rules.rule import Case, Found, Owed, Terms
from rules.text import PHONE_DIGITS
from rules.vocabulary import NumberType, ObligationCode, ReasonCode, SenderForm, Verdict

LONGEST_COUNTRY_CODE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRegistration(Terms):
    """The sender holds a registration of ``scheme``.

    With ``forms`` the duty hangs on the sender id: only ids of those forms need it (with
    ``number_types``, only numbers of those types; with ``numbers_of``, only of those
    countries), and without a sender id it is owed. Without ``forms`` the sender itself must
    hold it. ``same_id``: one registration's id must be the sender id, digits or letters alike.
    ``begins_with``: only sender ids that begin so need it, and without one nothing is owed.
    ``unobtainable``: the scheme is closed to those whom the rule binds, and nothing serves.
    """

    scheme: str
    forms: frozenset[SenderForm] = frozenset()
    number_types: frozenset[NumberType] = frozenset()
    numbers_of: frozenset[str] = frozenset()
    begins_with: str | None = None
    same_id: bool = False
    unobtainable: bool = False

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``sender_unregistered`` where nothing held serves."""
        sender_id = case.facts.message.sender_id
        if self.forms and (sender_id is None or not self._concerns(sender_id)):
            return ()
        held = registrations_of(self.scheme, case.facts, case.at)
        serves = any(self._serves(registration, sender_id) for registration in held)
        if serves and not self.unobtainable:
            return ()
        detail = (("scheme", self.scheme),)
        return (Found(Verdict.DENY, ReasonCode.SENDER_UNREGISTERED, detail=detail),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``use_registered_sender`` where the sender id is not known yet."""
        if not self.forms or self.begins_with or case.facts.message.sender_id is not None:
            return ()
        return (Owed(ObligationCode.USE_REGISTERED_SENDER, (("scheme", self.scheme),)),)

    def _concerns(self, sender_id: SenderId) -> bool:
        return (
            sender_id.form in self.forms
            and (self.begins_with is None or sender_id.text.startswith(self.begins_with))
            and (not self.number_types or sender_id.number_type in self.number_types)
            and (not self.numbers_of or sender_id.country in self.numbers_of)
        )

    def _serves(self, registration: Registration, sender_id: SenderId | None) -> bool:
        if not self.same_id or sender_id is None:
            return True
        return same_sender_id(registration.id, sender_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderIdForm(Terms):
    """What a sender id has to look like.

    Sender ids of the ``refused`` forms do not travel, nor numbers of the refused types (with
    ``numbers_of``, only numbers of those countries), nor the ``reserved`` ids. An
    alphanumeric one begins with ``prefix`` and ends with ``suffix``, whatever the case with
    ``any_case``, and has at most ``longest`` characters. ``series``: a numeric one begins
    with one of them, and has as many digits in all as stand beside it (0: any number).
    """

    refused: frozenset[SenderForm] = frozenset()
    refused_number_types: frozenset[NumberType] = frozenset()
    numbers_of: frozenset[str] = frozenset()
    reserved: frozenset[str] = frozenset()
    prefix: str = ""
    suffix: str = ""
    any_case: bool = False
    longest: int | None = None
    series: tuple[tuple[str, int], ...] = ()
    country_code: str = ""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``sender_id_invalid`` for a form that does not travel."""
        sender_id = case.facts.message.sender_id
        if sender_id is None:
            return ()
        if not (self._is_refused(sender_id) or self._is_misformed(sender_id)):
            return ()
        detail = [("form", sender_id.form.value)]
        detail += [("prefix", self.prefix)] if self.prefix else []
        detail += [("series", ", ".join(start for start, _ in self.series))] if self.series else []
        detail += [("suffix", self.suffix)] if self.suffix else []
        return (Found(Verdict.DENY, ReasonCode.SENDER_ID_INVALID, detail=tuple(sorted(detail))),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``use_registered_sender`` where an id of a certain form is still to be chosen."""
        if case.facts.message.sender_id is not None:
            return ()
        if not (self.series or self.prefix or self.suffix):
            return ()
        return (Owed(ObligationCode.USE_REGISTERED_SENDER),)

    def _is_refused(self, sender_id: SenderId) -> bool:
        if sender_id.form in self.refused or sender_id.text in self.reserved:
            return True
        return (
            sender_id.form in (SenderForm.NUMBER, SenderForm.TOLL_FREE)
            and sender_id.number_type in self.refused_number_types
            and (not self.numbers_of or sender_id.country in self.numbers_of)
        )

    def _is_misformed(self, sender_id: SenderId) -> bool:
        if sender_id.form is SenderForm.ALPHANUMERIC:
            shown, prefix, suffix = sender_id.text, self.prefix, self.suffix
            if self.any_case:
                shown, prefix, suffix = shown.casefold(), prefix.casefold(), suffix.casefold()
            if self.longest is not None and len(shown) > self.longest:
                return True
            return not (shown.startswith(prefix) and shown.endswith(suffix))
        if not self.series or not sender_id.digits:
            return False
        return not any(self._is_of(start, length, sender_id) for start, length in self.series)

    def _is_of(self, start: str, length: int, sender_id: SenderId) -> bool:
        digits = sender_id.digits
        if self.country_code and not digits.startswith(start):
            digits = digits.removeprefix(self.country_code)
        return digits.startswith(start) and length in (0, len(digits))


def registrations_of(scheme: str, facts: Facts, at: datetime) -> tuple[Registration, ...]:
    """Give the sender's registrations of a scheme that are valid on the recipient's date."""
    days = local_dates(at, facts.recipient.time_zones)
    return tuple(
        held
        for held in facts.sender.registrations
        if held.scheme == scheme
        and (held.starts is None or all(held.starts <= day for day in days))
        and (held.ends is None or all(day <= held.ends for day in days))
    )


def same_sender_id(registered: str, sender_id: SenderId) -> bool:
    """Tell whether a registered id is the sender id: numbers by digits, names without case."""
    if sender_id.digits and not any(c.isalpha() for c in registered):
        return _same_number("".join(c for c in registered if c.isdigit()), sender_id.digits)
    return registered.casefold() == sender_id.text.casefold()


def _same_number(one: str, other: str) -> bool:
    """Tell whether two numbers are the same, written nationally or with a country code."""
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    if len(short) < PHONE_DIGITS or len(long) - len(short) > LONGEST_COUNTRY_CODE:
        return short == long != ""
    return long.endswith(short)
