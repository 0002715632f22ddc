"""Rule kinds that look into the text: identity, opt-out notice, label, contact, forbidden words.

Without a text each turns into the obligation of the same name.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from rules.facts import Facts
from rules.kinds.routes import Route, lifted, spared_until
from rules.rule import Case, Found, Owed, Terms
from rules.text import (
    beside_notices,
    emails,
    has_name,
    has_postal_address,
    has_short_number,
    has_word,
    links,
    phone_numbers,
    same_name,
)
from rules.vocabulary import Channel, ObligationCode, ReasonCode, SenderForm, Verdict

NAMED_BY_SENDER_ID: frozenset[Channel] = frozenset({Channel.SMS, Channel.MMS, Channel.RCS})
"""Channels on which the recipient reads the sender id as the sender's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity(Terms):
    """The brand stands in the text, or is the alphanumeric sender id of a text message.

    ``in_text_only``: the sender id does not count. ``prefixes`` and ``suffixes`` are what
    the law or a carrier adds to a sender id; one of each is left out, whatever its case.
    """

    in_text_only: bool = False
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    lifted_by: tuple[Route, ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``missing_identity`` where the text does not say who sends it."""
        facts, text = case.facts, case.facts.message.text
        if text is None or has_name(text, facts.sender.name) or self._named_by_sender_id(facts):
            return ()
        if lifted(self.lifted_by, facts, case.at):
            return ()
        return (Found(Verdict.DENY, ReasonCode.MISSING_IDENTITY),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``include_identity`` where there is no text yet."""
        if case.facts.message.text is not None or lifted(self.lifted_by, case.facts, case.at):
            return ()
        return (Owed(ObligationCode.INCLUDE_IDENTITY),)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)

    def _named_by_sender_id(self, facts: Facts) -> bool:
        sender_id = facts.message.sender_id
        if self.in_text_only or sender_id is None or sender_id.form is not SenderForm.ALPHANUMERIC:
            return False
        if facts.message.channel not in NAMED_BY_SENDER_ID:
            return False
        shown, folded = sender_id.text, sender_id.text.casefold()
        starts = [len(p) for p in self.prefixes if folded.startswith(p.casefold())]
        ends = [len(s) for s in self.suffixes if folded.endswith(s.casefold())]
        return any(
            same_name(shown[start : len(shown) - end], facts.sender.name)
            for start in (0, *starts)
            for end in (0, *ends)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutNotice(Terms):
    """The text holds one of ``words``, or with ``every`` all of them; a bare link is no notice.

    ``short_number_digits``: under an alphanumeric sender id, which takes no reply, the text
    also shows a short number of so many digits.
    """

    words: tuple[str, ...]
    every: bool = False
    short_number_digits: int | None = None
    lifted_by: tuple[Route, ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``missing_opt_out`` where no notice word stands in the text."""
        text = case.facts.message.text
        if text is None or self._stands_in(text, case.facts):
            return ()
        if lifted(self.lifted_by, case.facts, case.at):
            return ()
        example = (("example", self.words[0]),)
        return (Found(Verdict.DENY, ReasonCode.MISSING_OPT_OUT, detail=example),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``include_opt_out`` where there is no text yet."""
        if case.facts.message.text is not None or lifted(self.lifted_by, case.facts, case.at):
            return ()
        return (Owed(ObligationCode.INCLUDE_OPT_OUT, (("example", self.words[0]),)),)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)

    def _stands_in(self, text: str, facts: Facts) -> bool:
        held = (has_word(text, word) for word in self.words)
        if not (all(held) if self.every else any(held)):
            return False
        sender_id = facts.message.sender_id
        if self.short_number_digits is None or sender_id is None:
            return True
        if sender_id.form is not SenderForm.ALPHANUMERIC:
            return True
        return has_short_number(text, self.short_number_digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Terms):
    """The text begins with one of ``labels``, character by character.

    The subject of an e-mail, and the title of a push message, is the first line of the text.
    ``anywhere``: the label may stand at any place, as a word, whatever its case.
    """

    labels: tuple[str, ...]
    anywhere: bool = False
    lifted_by: tuple[Route, ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``missing_label`` where the text begins otherwise."""
        text = case.facts.message.text
        if text is None or self._stands_in(text):
            return ()
        if lifted(self.lifted_by, case.facts, case.at):
            return ()
        label = (("label", self.labels[0]),)
        return (Found(Verdict.DENY, ReasonCode.MISSING_LABEL, detail=label),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give ``include_label`` where there is no text yet."""
        if case.facts.message.text is not None or lifted(self.lifted_by, case.facts, case.at):
            return ()
        return (Owed(ObligationCode.INCLUDE_LABEL, (("label", self.labels[0]),)),)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)

    def _stands_in(self, text: str) -> bool:
        if self.anywhere:
            return any(has_name(text, label) for label in self.labels)
        return text.startswith(self.labels)


class ContactItem(StrEnum):
    """A way to reach the sender that a text may hold."""

    PHONE = "phone"
    EMAIL = "email"
    LINK = "link"
    POSTAL_ADDRESS = "postal_address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact(Terms):
    """The text holds, of each group in ``needs``, one item, and each of ``words``.

    An item that belongs to the opt-out (``notice_words`` tell) is not counted. Any one of
    ``suffices`` stands for everything. ``owed`` are the obligations while there is no text.
    ``reason``: for a law to which a sender that cannot be reached has not said who it is.
    """

    needs: tuple[frozenset[ContactItem], ...]
    suffices: frozenset[ContactItem] = frozenset()
    words: tuple[str, ...] = ()
    notice_words: tuple[str, ...] = ()
    owed: tuple[ObligationCode, ...] = (ObligationCode.INCLUDE_CONTACT,)
    reason: ReasonCode = ReasonCode.MISSING_CONTACT
    lifted_by: tuple[Route, ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``missing_contact`` where the text leaves out what is needed."""
        text = case.facts.message.text
        if text is None or lifted(self.lifted_by, case.facts, case.at):
            return ()
        rest = beside_notices(text, self.notice_words)
        held = frozenset(item for item in ContactItem if _holds(rest, item))
        if self.suffices & held:
            return ()
        missing = ["/".join(sorted(group)) for group in self.needs if not group & held]
        missing += [word for word in self.words if not has_name(text, word)]
        if not missing:
            return ()
        detail = (("missing", ", ".join(missing)),)
        return (Found(Verdict.DENY, self.reason, detail=detail),)

    def obligations(self, case: Case) -> tuple[Owed, ...]:
        """Give the contact obligations where there is no text yet."""
        if case.facts.message.text is not None or lifted(self.lifted_by, case.facts, case.at):
            return ()
        return tuple(Owed(code) for code in self.owed)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProhibitedContent(Terms):
    """The text holds none of ``words``, and the topic is none of ``topics``.

    ``everything``: all that the rule binds is barred, whatever it says.
    """

    words: tuple[str, ...] = ()
    topics: frozenset[str] = frozenset()
    everything: bool = False

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``prohibited_content`` where the text or the topic is barred."""
        message = case.facts.message
        topic = (message.topic or "").casefold()
        barred = self.everything or topic in self.topics
        if message.text is not None:
            barred = barred or any(has_word(message.text, word) for word in self.words)
        return (Found(Verdict.DENY, ReasonCode.PROHIBITED_CONTENT),) if barred else ()


def _holds(text: str, item: ContactItem) -> bool:
    match item:
        case ContactItem.PHONE:
            return bool(phone_numbers(text))
        case ContactItem.EMAIL:
            return bool(emails(text))
        case ContactItem.LINK:
            return bool(links(text))
        case ContactItem.POSTAL_ADDRESS:
            return has_postal_address(text)
