"""Read a decision again: the verdict in words, and every fact that it rested on."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from api.operations.check_messages import ID_PREFIX
from audit import decisions, reports
from audit.decision_records import CanonicalDecision, FindingRecord, ObligationRecord
from audit.explain import sentence
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import id_of, label_of
from rules.vocabulary import Verdict


class DecisionRead(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it stands on record. ``leaf_hash`` is that of its entry in the log.

    ``facts`` are those of ``audit.fact_records``; they name no address. ``sending`` is the
    sender's word on what became of the message.
    """

    id: str
    log: str
    index: int
    leaf_hash: str
    verdict: Verdict
    not_before: datetime | None
    valid_until: datetime | None
    permitted_until: datetime | None
    forecast: bool
    sender: str
    reference: str | None
    decided_at: datetime
    reasons: list[dict[str, Any]]
    obligations: list[dict[str, Any]]
    evidence: list[dict[str, Any]]
    facts: msgspec.Raw
    facts_digest: str
    read: dict[str, Any]
    release: dict[str, str]
    versions: dict[str, str]
    sending: str | None


def read_check(
    connection: Connection, organisation: str, label: str, *, keys: KeyRing
) -> DecisionRead:
    """Give a decision by its id (``chk_…``), with all that it rested on."""
    id_ = id_of(ID_PREFIX, label)
    found = decisions.find(connection, organisation, id_, keys=keys)
    report = reports.find_many(connection, organisation, [id_]).get(id_)
    reasons, obligations = reasons_of(found.opened.decision)
    decision, around = found.opened.decision, found.opened.circumstances
    return DecisionRead(
        id=label_of(ID_PREFIX, id_),
        log=found.entry.log.value,
        index=found.entry.index,
        leaf_hash=found.entry.leaf_hash.hex(),
        verdict=decision.verdict,
        not_before=decision.not_before,
        valid_until=around.valid_until,
        permitted_until=decision.permitted_until,
        forecast=around.forecast,
        sender=around.sender,
        reference=around.reference,
        decided_at=around.decided_at,
        reasons=reasons,
        obligations=obligations,
        evidence=[{"log": "consent", "index": index} for index in decision.rests_on],
        facts=msgspec.Raw(found.opened.facts_bytes),
        facts_digest=decision.facts,
        read=msgspec.to_builtins(decision.read),
        release=_release(decision, around.release_id),
        versions=decision.versions,
        sending=None if report is None else report.outcome.value,
    )


def reasons_of(decision: CanonicalDecision) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Reasons and obligations of a decision, each in words and with its provision."""
    return (
        [reason_told(finding) for finding in decision.findings],
        [duty_told(owed) for owed in decision.obligations],
    )


def reason_told(finding: FindingRecord) -> dict[str, Any]:
    """A reason on record, in words and with its provision."""
    return {
        "code": finding.code,
        "effect": finding.effect,
        **_provision(finding),
        "until": finding.until,
        "detail": sentence(finding.code, tuple(finding.detail.items()), until=finding.until),
    }


def duty_told(owed: ObligationRecord) -> dict[str, Any]:
    """The same of an obligation."""
    return {
        "code": owed.code,
        **_provision(owed),
        "detail": sentence(owed.code, tuple(owed.detail.items())),
    }


def _provision(one: FindingRecord | ObligationRecord) -> dict[str, Any]:
    provision = one.provision
    return {
        "jurisdiction": provision.jurisdiction,
        "regulation": provision.regulation,
        "rule": provision.rule,
        "cite": provision.citation,
        "url": provision.url,
        "force": provision.force,
        "certainty": provision.certainty,
        "in_force_from": provision.in_force_from,
    }


def _release(decision: CanonicalDecision, release_id: str) -> dict[str, str]:
    return {"id": release_id, "digest": decision.release}
