"""A decision as it goes on record: the canonical bytes, and what lies sealed around them.

Canonical is what a replay must give again byte for byte: verdict, reasons and obligations with
their provisions, and the digests and versions of all that they rest on. When it was decided, for
whom, and until when a permit held stand beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256

import msgspec

from audit.fact_records import FactsWriter, read_facts
from rules.decision import Decision, Detail, Finding, Obligation, Provision
from rules.facts import Facts
from rules.vocabulary import Certainty, Force, ObligationCode, ReasonCode, Verdict

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Read:
    """What a decision read besides the message: sizes and digests of the stores, as they stood.

    ``consent``: size of the consent log. ``registries``: digest of each register's copy.
    """

    consent: int
    registries: Mapping[str, str] = field(default_factory=dict)


class ProvisionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``rules.decision.Provision``, in the order of the alphabet like all of these."""

    certainty: Certainty
    citation: str
    force: Force
    in_force_from: date
    jurisdiction: str
    regulation: str
    rule: str
    url: str | None = None


class FindingRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule has against the message."""

    code: ReasonCode
    detail: dict[str, str | int] = {}
    effect: Verdict
    provision: ProvisionRecord
    until: datetime | None = None


class ObligationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a permitted message must still carry, or its sender do."""

    code: ObligationCode
    detail: dict[str, str | int] = {}
    provision: ProvisionRecord


class ReadRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was read besides the message."""

    consent: int
    registries: dict[str, str] = {}


class CanonicalDecision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the same facts and rules give again. ``facts`` and ``release`` are digests."""

    facts: str
    findings: tuple[FindingRecord, ...] = ()
    not_before: datetime | None = None
    obligations: tuple[ObligationRecord, ...] = ()
    permitted_until: datetime | None = None
    read: ReadRecord
    release: str
    rests_on: tuple[int, ...] = ()
    v: int
    verdict: Verdict
    versions: dict[str, str]


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What belongs to this one time of asking, and what no replay gives again."""

    decided_at: datetime
    forecast: bool = False
    reference: str | None = None
    release_id: str
    sender: str
    valid_until: datetime | None = None


class _Payload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    circumstances: Circumstances
    decision: msgspec.Raw
    facts: msgspec.Raw
    v: int


@dataclass(frozen=True, slots=True)
class OpenedDecision:
    """A decision read back. ``canonical`` are the bytes as they were recorded."""

    canonical: bytes
    decision: CanonicalDecision
    facts: Facts
    facts_bytes: bytes
    circumstances: Circumstances


_ENCODER = msgspec.json.Encoder(order="deterministic")
_PAYLOADS = msgspec.json.Decoder(_Payload)
_DECISIONS = msgspec.json.Decoder(CanonicalDecision)


class DecisionWriter:
    """Writes the decisions of a batch. What repeats among them is written once."""

    def __init__(self, versions: Mapping[str, str]) -> None:
        self._facts = FactsWriter()
        self._versions = msgspec.Raw(_ENCODER.encode(dict(versions)))
        self._read: dict[int, tuple[Read, msgspec.Raw]] = {}
        self._duties: dict[int, tuple[tuple[Obligation, ...], msgspec.Raw]] = {}

    def payload(
        self, facts: Facts, decision: Decision, *, release: str, read: Read, around: Circumstances
    ) -> bytes:
        """Give the canonical bytes of everything that goes on record of one decision."""
        written = self._facts.write(facts)
        canonical = self.canonical(written, decision, release=release, read=read)
        payload = _Payload(
            circumstances=around, decision=msgspec.Raw(canonical), facts=msgspec.Raw(written), v=1
        )
        return _ENCODER.encode(payload)

    def canonical(self, facts: bytes, decision: Decision, *, release: str, read: Read) -> bytes:
        """Give the canonical bytes of a decision on these facts."""
        return _ENCODER.encode(
            _Canonical(
                facts=f"sha256:{sha256(facts).hexdigest()}",
                findings=tuple([finding_record(finding) for finding in decision.findings]),
                not_before=decision.not_before,
                obligations=self._obligations(decision.obligations),
                permitted_until=decision.permitted_until,
                read=self._read_of(read),
                release=release,
                rests_on=tuple([e.index for e in decision.rests_on if e.index is not None]),
                v=FORMAT,
                verdict=decision.verdict,
                versions=self._versions,
            )
        )

    def _obligations(self, obligations: tuple[Obligation, ...]) -> msgspec.Raw | tuple[()]:
        """A campaign owes the same with each message; a plan gives the very same tuple then."""
        if not obligations:
            return ()
        known = self._duties.get(id(obligations))
        if known is None:
            written = msgspec.Raw(_ENCODER.encode([_obligation(owed) for owed in obligations]))
            known = self._duties[id(obligations)] = (obligations, written)
        return known[1]

    def _read_of(self, read: Read) -> msgspec.Raw:
        known = self._read.get(id(read))
        if known is None:
            record = ReadRecord(consent=read.consent, registries=dict(read.registries))
            known = self._read[id(read)] = (read, msgspec.Raw(_ENCODER.encode(record)))
        return known[1]


class _Canonical(CanonicalDecision, frozen=True, kw_only=True, omit_defaults=True):
    """The same fields, where parts that are written already may stand."""

    obligations: msgspec.Raw | tuple[()] = ()  # type: ignore[assignment]
    read: msgspec.Raw  # type: ignore[assignment]
    versions: msgspec.Raw  # type: ignore[assignment]


def open_payload_of(payload: bytes) -> OpenedDecision:
    """Read a payload back. ``msgspec.MsgspecError``: it is none of ours."""
    opened = _PAYLOADS.decode(payload)
    canonical, facts = bytes(opened.decision), bytes(opened.facts)
    return OpenedDecision(
        canonical=canonical,
        decision=_DECISIONS.decode(canonical),
        facts=read_facts(facts),
        facts_bytes=facts,
        circumstances=opened.circumstances,
    )


def read_canonical(written: bytes) -> CanonicalDecision:
    """Read the canonical bytes of a decision."""
    return _DECISIONS.decode(written)


def finding_record(finding: Finding) -> FindingRecord:
    """A finding as it goes on record."""
    return FindingRecord(
        code=finding.code,
        detail=_detail(finding.detail),
        effect=finding.effect,
        provision=_provision(finding.provision),
        until=finding.until,
    )


def _obligation(owed: Obligation) -> ObligationRecord:
    return ObligationRecord(
        code=owed.code, detail=_detail(owed.detail), provision=_provision(owed.provision)
    )


def _detail(detail: Detail) -> dict[str, str | int]:
    return dict(sorted(detail))


def _provision(provision: Provision) -> ProvisionRecord:
    return ProvisionRecord(
        certainty=provision.certainty,
        citation=provision.citation,
        force=provision.force,
        in_force_from=provision.in_force_from,
        jurisdiction=provision.jurisdiction,
        regulation=provision.regulation,
        rule=provision.rule,
        url=provision.url,
    )
