"""Make a decision again as it then stood, and tell whether it comes to the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from api.errors import ForbiddenError, InvalidRequestError
from api.operations.check_messages import ID_PREFIX, Gate
from api.operations.read_check import duty_told, reason_told
from api.roles import Caller, Role
from api.tables import api_key
from audit import decisions
from audit.decisions import RecordedDecision
from audit.replay import Differed, Proof, Replay, Replayed, Told
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import id_of, label_of
from consent.ledger.leaf import Log, decode_leaf
from consent.subjects import blind_indexes_of
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

_PERSONS = select(api_key.c.id, api_key.c.person).where(
    api_key.c.organisation == bindparam("organisation"),
    api_key.c.id.in_(bindparam("ids", expanding=True)),
)


class ChangedTold(msgspec.Struct, frozen=True, kw_only=True):
    """Which reasons and obligations came, and which went, in words."""

    reasons_added: list[dict[str, Any]]
    reasons_removed: list[dict[str, Any]]
    obligations_added: list[dict[str, Any]]
    obligations_removed: list[dict[str, Any]]


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A decision made again. ``same``: the logs agree, and its canonical bytes are identical.

    ``differed`` names what was not as then: `release`, `engine`, `tzdata`, `phonenumbers`,
    `holidays`, `history`, `registries`, or `unexplained`. ``canonical`` is the digest of the bytes.
    ``subject`` is the id of whom it was about; null, of somebody who was not on record.
    """

    id: str
    subject: str | None
    log: str
    index: int
    decided_at: datetime
    same: bool
    differed: tuple[Differed, ...]
    before: Told
    after: Told
    changed: ChangedTold
    proof: Proof


@dataclass(frozen=True, slots=True)
class ReplayGate:
    """Makes decisions again with what decides now; its law is the only one that is at hand."""

    gate: Gate

    @property
    def keys(self) -> KeyRing:
        """What opens decisions."""
        return self.gate.keys

    def of(self, connection: Connection, organisation: str) -> Replay:
        """For the decisions of one organisation, on one state of the database."""
        gate = self.gate
        return Replay(
            connection,
            organisation,
            keys=gate.keys,
            registries=gate.registries,
            releases={gate.release.digest: gate.release},
            present=gate.release,
            versions=gate.versions,
        )


def replay_check(
    connection: Connection,
    caller: Caller,
    label: str,
    *,
    gate: ReplayGate,
    address: Address | None = None,
) -> ReplayAnswer:
    """Make the decision of this id (``chk_…``) again.

    ``address``: of somebody who is not on record, by which opt-outs and registers can be asked.

    ``SubjectErasedError`` or ``DecisionExpiredError``: it can be made no more. A sender may ask
    only for what keys of their own person asked for.
    """
    id_ = id_of(ID_PREFIX, label)
    found = decisions.find(connection, caller.organisation, id_, keys=gate.keys)
    _require_own(connection, caller, found)
    _require_theirs(found, address, caller.organisation, gate.keys)
    given = {} if address is None else {found.id: address}
    (again,) = gate.of(connection, caller.organisation).run([found], given)
    if isinstance(again, ComplianceError):
        raise again
    return told(again, found)


def told(again: Replayed, found: RecordedDecision) -> ReplayAnswer:
    """A replay as its caller sees it."""
    changed = again.changed
    return ReplayAnswer(
        id=label_of(ID_PREFIX, again.id),
        subject=None if found.subject is None else found.subject.hex(),
        log=Log.DECISIONS.value,
        index=again.index,
        decided_at=found.opened.circumstances.decided_at,
        same=again.same,
        differed=again.differed,
        before=again.before,
        after=again.after,
        changed=ChangedTold(
            reasons_added=[reason_told(one) for one in changed.reasons_added],
            reasons_removed=[reason_told(one) for one in changed.reasons_removed],
            obligations_added=[duty_told(one) for one in changed.obligations_added],
            obligations_removed=[duty_told(one) for one in changed.obligations_removed],
        ),
        proof=again.proof,
    )


def _require_theirs(
    found: RecordedDecision, address: Address | None, organisation: str, keys: KeyRing
) -> None:
    if address is None or found.blind_index is None:
        return
    if found.blind_index not in blind_indexes_of(organisation, address, keys):
        said = "the decision was not about this address"
        raise InvalidRequestError(f"address: {said}", (("/address", said),))


def _require_own(connection: Connection, caller: Caller, found: RecordedDecision) -> None:
    if not caller.roles.isdisjoint({Role.AUDITOR, Role.ADMIN}):
        return
    actor = decode_leaf(found.entry.leaf).actor
    wanted = {"organisation": caller.organisation, "ids": [actor, caller.key]}
    person_of = {row.id: row.person for row in connection.execute(_PERSONS, wanted)}
    if actor is None or person_of.get(actor) != person_of.get(caller.key):
        raise ForbiddenError(
            "a sender makes its own decisions again; those of others an auditor may"
        )
