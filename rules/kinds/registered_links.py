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

    It is if a registration of ``scheme`` has its host, or its digits, as id. Without a scheme
    the text may hold none at all. ``reason`` is what an uncovered item gives.
    """

    items: frozenset[ContactItem]
    reason: ReasonCode
    scheme: str | None = None

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``reason`` where the text holds an item that nothing covers."""
        text = case.facts.message.text
        if text is None:
            return ()
        covered = self._covered(case.facts, case)
        found = links(text) if ContactItem.LINK in self.items else ()
        numbers = phone_numbers(text) if ContactItem.PHONE in self.items else ()
        if all(host_of(link) in covered for link in found) and all(
            same_digits(number, covered) for number in numbers
        ):
            return ()
        detail = (("scheme", self.scheme),) if self.scheme else ()
        return (Found(Verdict.DENY, self.reason, detail=detail),)

    def _covered(self, facts: Facts, case: Case) -> frozenset[str]:
        if self.scheme is None:
            return frozenset()
        held = registrations_of(self.scheme, facts, case.at)
        return frozenset(covered_id(registration.id) for registration in held)


def covered_id(written: str) -> str:
    """Give a registered host or number as it is compared: a bare host, or digits alone."""
    if any(c.isalpha() for c in written):
        return host_of(written)
    return "".join(c for c in written if c.isdigit())


def same_digits(number: str, covered: frozenset[str]) -> bool:
    """Tell whether a number is covered, written nationally or internationally."""
    return any(
        number == held or (held and number.endswith(held.lstrip("0"))) or held.endswith(number)
        for held in covered
        if held.isdigit()
    )
