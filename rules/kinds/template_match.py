"""Rule kind ``template_match``: a text is a registered template with its variables filled in."""

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from rules.facts import Facts, Registration
from rules.kinds.sender_registration import registrations_of
from rules.rule import Case, Found, Owed, Terms
from rules.text import PHONE_DIGITS, host_of, is_link, links
from rules.vocabulary import ObligationCode, Purpose, ReasonCode, Verdict

_TAG = re.compile(r"\{#([a-z]+)#\}")
_TYPES: dict[str, re.Pattern[str]] = {
    "var": re.compile(r".+"),
    "numeric": re.compile(r"[0-9]+"),
    "number": re.compile(r"[0-9]+"),
    "alphanumeric": re.compile(r"(?:[^\W_]|[ .,\-/:])+"),
    "email": re.compile(r"[^\s@]+@[^\s@]+\.[^\W\d_]{2,}"),
}
_LINKS = frozenset({"url", "urlott"})
_CALL_BACK = "cbn"
LONGEST_LINK = 2000
"""Links have no length limit of their own; this bounds the search."""

VARIABLES_MAX = 100
"""A template with more of them is followed by no text; that bounds the search too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateMatch(Terms):
    """The message names a template that a registration of ``scheme`` holds, and follows it.

    Fixed text is equal character by character. A variable stands for 1 to ``longest``
    characters without a line break, of the kind that its tag names; a link in one, whatever
    its tag, or a call-back number is covered by a registration of ``links_scheme``.
    ``covers``: the purposes that a template registered for another purpose covers as well.
    """

    scheme: str
    reference: str
    links_scheme: str
    longest: int
    covers: tuple[tuple[Purpose, frozenset[Purpose]], ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``template_unregistered`` or ``template_mismatch``."""
        message = case.facts.message
        if message.text is None and message.template is None:
            return ()
        template = self._template(case.facts, case)
        if template is None:
            detail = (("scheme", self.scheme),)
            return (Found(Verdict.DENY, ReasonCode.TEMPLATE_UNREGISTERED, detail=detail),)
        wrong = self._mismatch(template, case.facts, case)
        if wrong is None:
            return ()
        return (Found(Verdict.DENY, ReasonCode.TEMPLATE_MISMATCH, detail=(("problem", wrong),)),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``use_registered_template`` where there is no text and no template yet."""
        message = case.facts.message
        if message.text is not None or message.template is not None:
            return ()
        return (Owed(ObligationCode.USE_REGISTERED_TEMPLATE, (("scheme", self.scheme),)),)

    def _template(self, facts: Facts, case: Case) -> Registration | None:
        named = facts.message.template
        if named is None or named.scheme != self.reference:
            return None
        held = registrations_of(self.scheme, facts, case.at)
        return next((registration for registration in held if registration.id == named.id), None)

    def _mismatch(self, template: Registration, facts: Facts, case: Case) -> str | None:
        purpose = facts.message.purpose
        served = {template.purpose}
        for registered, also in self.covers:
            if registered is template.purpose:
                served |= also
        if template.purpose is not None and purpose not in served:
            return "purpose"
        if facts.message.text is None or template.text is None:
            return None
        filled = values_of(facts.message.text, template.text, self.longest)
        if filled is None:
            return "text"
        held = registrations_of(self.links_scheme, facts, case.at)
        covered = frozenset(_covered_id(registration.id) for registration in held)
        return next((tag for tag, value in filled if not _fits(tag, value, covered)), None)


def values_of(text: str, template: str, longest: int) -> tuple[tuple[str, str], ...] | None:
    """Give the tag and the value of each variable, or None where the text does not follow.

    Where there is a choice, an earlier variable takes as much as it can. The time grows with
    the text times the variables, whatever they hold: everybody waits for this.
    """
    fixed, tags = _parts_of(template)
    if not tags:
        return () if text == template else None
    if len(tags) > VARIABLES_MAX or not text.startswith(fixed[0]) or not text.endswith(fixed[-1]):
        return None
    reach = {tag: _reach(text, tag, longest) for tag in set(tags)}
    # From the last variable to the first: where each may end so that all after it fits.
    ends = [[len(text) - len(fixed[-1])]]
    for tag, before in zip(reversed(tags[1:]), reversed(fixed[1:-1]), strict=True):
        starts = _starts(ends[-1], reach[tag])
        ends.append([at - len(before) for at in starts if text.endswith(before, 0, at)])
    values, at = [], len(fixed[0])
    for tag, choice, after in zip(tags, reversed(ends), fixed[1:], strict=True):
        place = bisect_right(choice, reach[tag][at]) - 1 if at < len(text) else -1
        if place < 0 or choice[place] <= at:
            return None
        values.append((tag, text[at : choice[place]]))
        at = choice[place] + len(after)
    return tuple(values)


@lru_cache(maxsize=4096)
def _parts_of(template: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the fixed text before, between and after the variables, and their tags."""
    parts = _TAG.split(template)
    return tuple(parts[::2]), tuple(parts[1::2])


def _reach(text: str, tag: str, longest: int) -> list[int]:
    """Give how far a variable may reach from each place of the text."""
    most = LONGEST_LINK if tag in _LINKS else longest
    reach, stop = [0] * len(text), len(text)
    for at in range(len(text) - 1, -1, -1):
        barred = text[at].isspace() if tag in _LINKS else text[at] in "\r\n"
        stop = at if barred else stop
        reach[at] = min(at + most, stop)
    return reach


def _starts(ends: list[int], reach: list[int]) -> list[int]:
    """Give every place, in order, from which one of ``ends`` (in order) is within reach."""
    starts: list[int] = []
    at = 0
    for end in ends:
        starts += [place for place in range(at, end) if end <= reach[place]]
        at = max(at, end)
    return starts


def _fits(tag: str, value: str, covered: frozenset[str]) -> bool:
    if tag in _LINKS:
        return is_link(value) and host_of(value) in covered
    if tag == _CALL_BACK:
        digits = "".join(c for c in value if c.isdigit())
        return bool(digits) and _same_digits(digits, covered)
    kind = _TYPES.get(tag)
    if kind is None or kind.fullmatch(value) is None:
        return False
    return all(host_of(link) in covered for link in links(value))


def _covered_id(written: str) -> str:
    """Give a registered host or number as it is compared: a bare host, or digits alone."""
    if any(c.isalpha() for c in written):
        return host_of(written)
    return "".join(c for c in written if c.isdigit())


def _same_digits(number: str, covered: frozenset[str]) -> bool:
    """Tell whether a number is covered, written nationally or internationally."""
    if len(number) < PHONE_DIGITS:
        return number in covered
    return any(
        number.endswith(at_home) or held.endswith(number)
        for held in covered
        if held.isdigit() and len(at_home := held.lstrip("0")) >= PHONE_DIGITS
    )
