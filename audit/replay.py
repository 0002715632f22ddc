"""Decide again as it then stood, and say whether it comes to the same.

The facts are worked out again from the logs (``rested_on.py``), the decision is made by the same
function as every other, and its canonical bytes are held against those on record. Where they are
not the same, the answer names what differs: the law, the engine, other people's data, or the log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec
from sqlalchemy import Connection

from audit.decision_records import (
    CanonicalDecision,
    DecisionWriter,
    FindingRecord,
    ObligationRecord,
    Read,
    read_canonical,
)
from audit.decisions import RecordedDecision
from audit.errors import SubjectErasedError
from audit.fact_records import write_facts
from audit.rested_on import Discrepancy, FactsAgain, HistoryProof, RegistryProof, RestedOn
from consent.keys.key_ring import KeyRing
from consent.registries.snapshots import Registries
from jurisdictions.addresses import Address
from jurisdictions.releases import Release
from rules.errors import ComplianceError
from rules.facts import Facts
from rules.vocabulary import Verdict

T = TypeVar("T")
NO_ADDRESSES: Final[Mapping[bytes, Address]] = MappingProxyType({})


class Cause(StrEnum):
    """What may differ between then and now. ``unexplained`` is damage, or a bug of ours."""

    RELEASE = "release"
    ENGINE = "engine"
    TZDATA = "tzdata"
    PHONENUMBERS = "phonenumbers"
    HOLIDAYS = "holidays"
    HISTORY = "history"
    REGISTRIES = "registries"
    UNEXPLAINED = "unexplained"


class Differed(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not what it was. ``then`` and ``now`` are versions or digests."""

    what: Cause
    then: str | None = None
    now: str | None = None
    detail: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision comes to."""

    verdict: Verdict
    not_before: datetime | None
    permitted_until: datetime | None
    canonical: str


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """Which reasons and obligations came, and which went."""

    reasons_added: tuple[FindingRecord, ...] = ()
    reasons_removed: tuple[FindingRecord, ...] = ()
    obligations_added: tuple[ObligationRecord, ...] = ()
    obligations_removed: tuple[ObligationRecord, ...] = ()


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what the decision rested on the logs themselves show again."""

    history: HistoryProof
    registries: dict[str, RegistryProof]
    discrepancies: tuple[Discrepancy, ...]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision made again. ``same``: the logs agree, and the canonical bytes are identical."""

    id: bytes
    index: int
    same: bool
    differed: tuple[Differed, ...]
    before: Told
    after: Told
    changed: Changed
    proof: Proof


class Replay:
    """Makes decisions of one organisation again.

    ``releases``: every release that is at hand, by digest. ``present`` decides where the one of
    then is not among them. ``versions``: of the engine and of the data that decide now.
    """

    def __init__(
        self,
        connection: Connection,
        organisation: str,
        *,
        keys: KeyRing,
        registries: Registries,
        releases: Mapping[str, Release],
        present: Release,
        versions: Mapping[str, str],
    ) -> None:
        self._facts = FactsAgain(connection, organisation, keys=keys, registries=registries)
        self._releases = releases
        self._present = present
        self._versions = dict(versions)
        self._writer = DecisionWriter(versions)

    def run(
        self, found: Sequence[RecordedDecision], given: Mapping[bytes, Address] = NO_ADDRESSES
    ) -> list[Replayed | ComplianceError]:
        """Make each again, in order; an error stands in the place of what can be made no more.

        ``given``: of decisions about nobody on record, by id, the address that somebody knows.
        """
        answers: dict[int, Replayed | ComplianceError] = {}
        by_release: dict[str, list[tuple[int, RestedOn]]] = {}
        for place, (one, rested) in enumerate(
            zip(found, self._facts.of(found, given), strict=True)
        ):
            if rested is None:
                answers[place] = SubjectErasedError(
                    "the person was erased: what this decision rested on can be read no more"
                )
            else:
                digest = self._release_of(one).digest
                by_release.setdefault(digest, []).append((place, rested))
        for some in by_release.values():
            release = self._release_of(found[some[0][0]])
            facts = [_told_apart(rested.facts, found[place].id) for place, rested in some]
            for (place, rested), decision in zip(some, release.decide_many(facts), strict=True):
                one = found[place]
                again = self._writer.canonical(
                    write_facts(rested.facts),
                    decision,
                    release=release.digest,
                    read=Read(
                        one.opened.decision.read.consent, one.opened.decision.read.registries
                    ),
                )
                answers[place] = self._compare(one, rested, again, release)
        return [answers[place] for place in range(len(found))]

    def _release_of(self, one: RecordedDecision) -> Release:
        return self._releases.get(one.opened.decision.release, self._present)

    def _compare(
        self, one: RecordedDecision, rested: RestedOn, again: bytes, release: Release
    ) -> Replayed:
        was, now = one.opened.decision, read_canonical(again)
        differed = [
            *self._other_release(was, release),
            *self._other_versions(was),
            *_other_facts(rested),
        ]
        identical = again == one.opened.canonical
        if not identical and not differed:
            detail = "nothing that is known to decide differs, and the decision does"
            differed.append(Differed(what=Cause.UNEXPLAINED, detail=detail))
        return Replayed(
            id=one.id,
            index=one.entry.index,
            same=identical and not differed,
            differed=tuple(differed),
            before=_told(was, one.opened.canonical),
            after=_told(now, again),
            changed=Changed(
                reasons_added=_lacking(now.findings, was.findings),
                reasons_removed=_lacking(was.findings, now.findings),
                obligations_added=_lacking(now.obligations, was.obligations),
                obligations_removed=_lacking(was.obligations, now.obligations),
            ),
            proof=Proof(
                history=rested.history,
                registries=dict(rested.registries),
                discrepancies=rested.discrepancies,
            ),
        )

    def _other_release(self, was: CanonicalDecision, release: Release) -> list[Differed]:
        if was.release == release.digest:
            return []
        detail = "the release of then is not at hand; that of now decided"
        return [Differed(what=Cause.RELEASE, then=was.release, now=release.digest, detail=detail)]

    def _other_versions(self, was: CanonicalDecision) -> list[Differed]:
        names = sorted(was.versions.keys() | self._versions.keys())
        return [
            Differed(
                what=Cause(name),
                then=was.versions.get(name),
                now=self._versions.get(name),
                detail=f"another version of {name} decided",
            )
            for name in names
            if was.versions.get(name) != self._versions.get(name)
        ]


def _told_apart(facts: Facts, id_: bytes) -> Facts:
    """People of a batch are told apart by their key: here each decision stands for itself, and
    the places held by those before it are in its history."""
    return replace(facts, recipient=replace(facts.recipient, key=id_.hex()))


def _other_facts(rested: RestedOn) -> list[Differed]:
    kinds = {one.what == "registry" for one in rested.discrepancies}
    differed = []
    if False in kinds:
        detail = "the logs do not say of the person what the decision says"
        differed.append(Differed(what=Cause.HISTORY, detail=detail))
    if True in kinds:
        detail = "the copy of a register does not say what the decision says"
        differed.append(Differed(what=Cause.REGISTRIES, detail=detail))
    return differed


def _told(decision: CanonicalDecision, written: bytes) -> Told:
    return Told(
        verdict=decision.verdict,
        not_before=decision.not_before,
        permitted_until=decision.permitted_until,
        canonical=f"sha256:{sha256(written).hexdigest()}",
    )


def _lacking(these: Sequence[T], others: Sequence[T]) -> tuple[T, ...]:
    """Those that are not among the others."""
    return tuple(one for one in these if one not in others)
