"""Rule kind ``registered_links``: links and numbers in a text are registered, or there are none."""

from dataclasses import dataclass

from rules.facts import Facts
from rules.kinds.content import ContactItem
from rules.kinds.sender_registration import registrations_of
from rules.rule import Case, Found, Terms
from rules.text import host_of, links, phone_numbers
from rules.vocabulary import ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredLinks(Terms):
    """Every item of the kinds in ``items`` (links, telephone numbers) is one of the sender's.

    It is if a registration of ``scheme`` has its host, or its digits, as id; a number may be
    written nationally or with ``country_code``. Without a scheme the text may hold none at
    all. ``reason`` is what an uncovered item gives.
    """

    items: frozenset[ContactItem]
    reason: ReasonCode
    scheme: str | None = None
    country_code: str = ""

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``reason`` where the text holds an item that nothing covers."""
        text = case.facts.message.text
        if text is None:
            return ()
        covered = self._covered(case.facts, case)
        found = links(text) if ContactItem.LINK in self.items else ()
        numbers = phone_numbers(text) if ContactItem.PHONE in self.items else ()
        named = [host_of(link) for link in found]
        named += [national(number, self.country_code) for number in numbers]
        if covered.issuperset(named):
            return ()
        detail = (("scheme", self.scheme),) if self.scheme else ()
        return (Found(Verdict.DENY, self.reason, detail=detail),)

    def _covered(self, facts: Facts, case: Case) -> frozenset[str]:
        if self.scheme is None:
            return frozenset()
        held = registrations_of(self.scheme, facts, case.at)
        return frozenset(self._covered_id(registration.id) for registration in held)

    def _covered_id(self, written: str) -> str:
        if any(c.isalpha() for c in written):
            return host_of(written)
        return national("".join(c for c in written if c.isdigit()), self.country_code)


def national(digits: str, country_code: str) -> str:
    """Give the digits of a number as they are compared: without country code and trunk zero."""
    bare = digits.lstrip("0")
    if country_code and bare.startswith(country_code):
        bare = bare.removeprefix(country_code).lstrip("0")
    return bare
