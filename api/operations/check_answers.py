"""What a check answers: the decision as its caller sees it, in words as well as in codes."""

from collections.abc import Mapping
from datetime import datetime, tzinfo

import msgspec

from api.operations.make_links import Links
from audit.explain import sentence
from rules.decision import Decision, Finding, Obligation
from rules.facts import Facts
from rules.vocabulary import Certainty, Force, ObligationCode, ReasonCode, Verdict


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the message may not go, or not yet. ``detail`` is for people."""

    code: ReasonCode
    effect: Verdict
    jurisdiction: str
    regulation: str
    rule: str
    cite: str
    force: Force
    certainty: Certainty
    until: datetime | None
    detail: str


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """What the message must still carry, or its sender do."""

    code: ObligationCode
    rule: str
    cite: str
    detail: str


class EvidencePlace(msgspec.Struct, frozen=True):
    """An entry that the permission rests on."""

    log: str
    index: int


class ReleaseName(msgspec.Struct, frozen=True):
    """The law that was asked."""

    id: str
    digest: str


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one check. A preview has no ``id``, for it is not on record.

    ``links`` are there where ``one_click_unsubscribe`` is owed; null too while the setting
    ``public_base_url`` is missing.
    """

    id: str | None
    verdict: Verdict
    not_before: datetime | None
    valid_until: datetime | None
    permit: str | None
    forecast: bool
    jurisdictions: tuple[str, ...]
    reasons: tuple[Reason, ...]
    obligations: tuple[Duty, ...]
    links: Links | None
    evidence: tuple[EvidencePlace, ...]
    freshness: Mapping[str, str | int]
    release: ReleaseName
    decided_at: datetime
    reference: str | None
    log: str | None
    index: int | None


def jurisdictions_of(facts: Facts) -> tuple[str, ...]:
    """Every jurisdiction whose law was asked: the recipient's, then what the sender's adds."""
    recipient, sender = facts.recipient.jurisdictions, facts.sender.jurisdictions
    return (*recipient, *(place for place in sender if place not in recipient))


def clock_of(facts: Facts) -> tzinfo | None:
    """The clock on which instants are told: the recipient's if it is known, else the caller's."""
    zones = facts.recipient.time_zones
    return zones[0] if len(zones) == 1 else facts.message.send_at.tzinfo


def not_before_of(decision: Decision, clock: tzinfo | None) -> datetime | None:
    """When a deferred message may go, on the recipient's clock."""
    at = decision.not_before
    return None if at is None or clock is None else at.astimezone(clock)


def reasons_of(decision: Decision, clock: tzinfo | None) -> tuple[Reason, ...]:
    """Every finding in words."""
    return tuple([_reason(finding, clock) for finding in decision.findings])


def owes_links(decision: Decision) -> bool:
    """Whether the message must carry the headers of one-click unsubscribe."""
    return any(owed.code is ObligationCode.ONE_CLICK_UNSUBSCRIBE for owed in decision.obligations)


def duties_of(decision: Decision) -> tuple[Duty, ...]:
    """Every obligation in words."""
    return tuple([_duty(owed) for owed in decision.obligations])


def evidence_of(decision: Decision) -> tuple[EvidencePlace, ...]:
    """The entries of the consent log that permit the message."""
    return tuple(
        [EvidencePlace("consent", e.index) for e in decision.rests_on if e.index is not None]
    )


def _reason(finding: Finding, clock: tzinfo | None) -> Reason:
    provision, until = finding.provision, finding.until
    return Reason(
        code=finding.code,
        effect=finding.effect,
        jurisdiction=provision.jurisdiction,
        regulation=provision.regulation,
        rule=provision.rule,
        cite=provision.citation,
        force=provision.force,
        certainty=provision.certainty,
        until=until if until is None or clock is None else until.astimezone(clock),
        detail=sentence(finding.code, finding.detail, until=until, zone=clock),
    )


def _duty(owed: Obligation) -> Duty:
    return Duty(
        code=owed.code,
        rule=owed.provision.rule,
        cite=owed.provision.citation,
        detail=sentence(owed.code, owed.detail),
    )
