"""Rule kind ``template_match``: a text is a registered template with its variables filled in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rules.facts import Facts, Registration
from rules.kinds.sender_registration import registrations_of
from rules.rule import Case, Found, Owed, Terms
from rules.text import host_of, is_link, links
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
        pattern, tags = compiled(template.text, self.longest)
        match = pattern.fullmatch(facts.message.text)
        if match is None:
            return "text"
        held = registrations_of(self.links_scheme, facts, case.at)
        covered = frozenset(_covered_id(registration.id) for registration in held)
        values = zip(tags, match.groups(), strict=True)
        return next((tag for tag, value in values if not _fits(tag, value, covered)), None)


@lru_cache(maxsize=4096)
def compiled(template: str, longest: int) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Give the pattern of a template and the tags of its variables, in order."""
    pieces = list(_pieces(template, longest))
    return re.compile("".join(pieces)), tuple(_TAG.findall(template))


def _pieces(template: str, longest: int) -> Iterator[str]:
    at = 0
    for tag in _TAG.finditer(template):
        yield re.escape(template[at : tag.start()])
        most = LONGEST_LINK if tag[1] in _LINKS else longest
        allowed = r"\S" if tag[1] in _LINKS else r"[^\r\n]"
        yield f"({allowed}{{1,{most}}})"
        at = tag.end()
    yield re.escape(template[at:])


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
    return any(
        number == held or (held and number.endswith(held.lstrip("0"))) or held.endswith(number)
        for held in covered
        if held.isdigit()
    )
