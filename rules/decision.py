"""What comes out of a decision.

Decisions and findings are tuples with names: a plan makes them by the hundred thousand a second.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from rules.history import Event
from rules.vocabulary import Certainty, Force, ObligationCode, ReasonCode, Verdict

Detail = tuple[tuple[str, str | int], ...]
"""The particulars that a sentence needs, as sorted pairs; never an address or a message text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """The provision that a rule encodes, as it stood on the day that mattered."""

    jurisdiction: str
    regulation: str
    rule: str
    citation: str
    url: str | None
    force: Force
    certainty: Certainty
    in_force_from: date


class Finding(NamedTuple):
    """What one rule has against a message. ``until``: when waiting would cure it."""

    effect: Verdict
    code: ReasonCode
    provision: Provision
    until: datetime | None = None
    detail: Detail = ()


@dataclass(frozen=True, slots=True)
class Obligation:
    """What a permitted message must still carry or its sender do."""

    code: ObligationCode
    provision: Provision
    detail: Detail = ()


class Decision(NamedTuple):
    """The verdict and everything it rests on.

    ``not_before``: with defer, the first instant at which the message may go.
    ``permitted_until``: with allow, the instant from which it may no longer go as far as the
    law and the record tell now: a closing hour, the lapse of a consent, a change of law.
    ``rests_on``: the events that permit it.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    obligations: tuple[Obligation, ...]
    not_before: datetime | None
    permitted_until: datetime | None
    rests_on: tuple[Event, ...]
