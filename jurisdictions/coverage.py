"""What the law asks, country by channel by purpose; and where nobody has looked yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import product

from jurisdictions.binding import jurisdictions_of
from jurisdictions.releases import Release
from rules.facts import Facts, Message, Recipient, Sender
from rules.kinds.consent import Consent
from rules.kinds.routes import GrantRoute, OpenRoute
from rules.rule import Rule
from rules.vocabulary import Channel, Level, NumberType, Purpose, RecipientKind

BY_NUMBER_TYPE = frozenset({Channel.VOICE})
"""Channels on which laws tell mobile numbers from fixed ones."""


class Need(StrEnum):
    """What a message needs at the least, from lenient to strict. ``GAP``: no rule answers."""

    NOTHING = "-"
    REGISTER = "register"
    IMPLIED = "implied"
    EXPRESS = "express"
    WRITTEN = "written"
    GAP = "gap"


STRICTER = tuple(Need)
_OF_LEVEL = {
    Level.IMPLIED: Need.IMPLIED,
    Level.EXPRESS: Need.EXPRESS,
    Level.EXPRESS_WRITTEN: Need.WRITTEN,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One country, channel and purpose: the least and the most that any case of it needs.

    Cases differ in who receives (consumer or business), what dials, and the type of number.
    """

    country: str
    channel: Channel
    purpose: Purpose
    least: Need
    most: Need
    national_law_read: bool

    @property
    def words(self) -> str:
        """The cell as the table shows it."""
        if self.least is self.most:
            return self.most.value
        return f"{self.least.value} to {self.most.value}"


def coverage(release: Release, on: date) -> Iterator[Cell]:
    """Give every cell of the matrix as the law stands at noon UTC of ``on``."""
    at = datetime.combine(on, time(12), tzinfo=UTC)
    for country in sorted(release.researched):
        for channel, purpose in product(Channel, Purpose):
            needs = [
                need_of(release.rules, facts, at)
                for facts in cases(country, channel, purpose, at, release.with_sheet)
            ]
            yield Cell(
                country,
                channel,
                purpose,
                least=min(needs, key=STRICTER.index),
                most=max(needs, key=STRICTER.index),
                national_law_read=country in release.with_sheet,
            )


def need_of(rules: Iterable[Rule], facts: Facts, at: datetime) -> Need:
    """Give what the strictest consent rule asks of a message to somebody never heard of."""
    asked = [
        _need_of(value.terms)
        for rule in rules
        if rule.kind == "consent" and rule.binds.match(facts)
        for value in rule.in_force(facts, at)
        if isinstance(value.terms, Consent)
    ]
    return max(asked, key=STRICTER.index, default=Need.GAP)


def cases(
    country: str,
    channel: Channel,
    purpose: Purpose,
    at: datetime,
    with_sheet: frozenset[str],
) -> Iterator[Facts]:
    """Give a message of every kind that laws tell apart, from a sender of the same country."""
    types: tuple[NumberType | None, ...] = (None,)
    if channel in BY_NUMBER_TYPE:
        types = (NumberType.MOBILE, NumberType.FIXED, NumberType.FIXED_OR_MOBILE)
    jurisdictions = jurisdictions_of(country, (), with_sheet=with_sheet)
    sender = Sender(name="Any", country=country, jurisdictions=jurisdictions)
    for kind, automated, number_type in product(RecipientKind, (True, False), types):
        recipient = Recipient(
            key="anybody",
            country=country,
            jurisdictions=jurisdictions,
            time_zones=(UTC,),
            kind=kind,
            number_type=number_type,
        )
        message = Message(channel=channel, purpose=purpose, send_at=at, automated=automated)
        yield Facts(sender=sender, recipient=recipient, message=message)


def document(release: Release, on: date) -> str:
    """Write the page that says what the law asks, as the law stands on ``on``."""
    return (
        "# What the law asks\n\n"
        f"Made by `cleartosend rules check --coverage docs/coverage.md --at {on.isoformat()}`.\n"
        "Each cell says what a message to somebody never heard of needs at the least: "
        "`written` or `express` consent, `implied` consent or a relation, a look into a "
        "`register`, or nothing (`-`). Where it depends on who receives and what dials, the "
        "least and the most are given. Hours, caps, sender ids and texts have rules of their "
        "own. `union only`: a state whose national law nobody has read yet; what its union asks "
        "holds there, in the stricter reading. A country that is not in the table is denied all "
        "but one-time codes and emergencies.\n\n" + table(coverage(release, on))
    )


def table(cells: Iterable[Cell]) -> str:
    """Write the matrix as a Markdown table: a row a country and channel, a column a purpose."""
    head = ["country", "channel", *(purpose.value for purpose in Purpose)]
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        country = cell.country if cell.national_law_read else f"{cell.country} (union only)"
        rows.setdefault((country, cell.channel.value), []).append(cell.words)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += [
        "| " + " | ".join([country, channel, *words]) + " |"
        for (country, channel), words in rows.items()
    ]
    return "\n".join(lines) + "\n"


def _need_of(terms: Consent) -> Need:
    needs = [
        Need.REGISTER if route.register else Need.NOTHING
        for route in terms.routes
        if isinstance(route, OpenRoute) and not route.kinds and not route.mailboxes
    ]
    needs += [_OF_LEVEL[r.level] for r in terms.routes if isinstance(r, GrantRoute)]
    return min(needs, key=STRICTER.index, default=Need.EXPRESS)
