"""Verify a permit: is it ours, is it for this message, and has the person opted out since?"""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from audit import decisions, permits, reports
from audit.errors import DecisionSealedError, UnknownDecisionError
from audit.overtaken import is_held_since, is_stopped_since
from audit.permits import Permitted, PermitVerifier, Why
from consent import on_record
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import MalformedIdError
from consent.ledger.identifiers import id_of
from jurisdictions.addresses import Address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPermit:
    """A permit, and the message that somebody is about to send by it.

    ``sender`` None: in the name of whichever sender the permit is for.
    """

    organisation: str
    permit: str
    address: Address
    sender: str | None
    channel: Channel
    purpose: Purpose
    sender_id: str | None = None
    text: str | None = None


class PermitAnswer(msgspec.Struct, frozen=True):
    """Whether the message may go by this permit now; if not, ``why`` not."""

    valid: bool
    why: Why | None


def verify_permit(
    connection: Connection,
    shown: ShownPermit,
    *,
    verifier: PermitVerifier,
    keys: KeyRing,
    now: datetime,
) -> PermitAnswer:
    """Tell whether a permit stands. It reads only; an error means that nobody knows."""
    claims = verifier.read(shown.permit, now=now)
    if isinstance(claims, Why):
        return PermitAnswer(False, claims)
    other = permits.mismatch(
        claims,
        Permitted(
            organisation=shown.organisation,
            sender=claims.sender if shown.sender is None else shown.sender,
            recipient=shown.address.normalised,
            channel=shown.channel.value,
            purpose=shown.purpose.value,
            sender_id=shown.sender_id,
            text=shown.text,
            decision=claims.decision,
            valid_from=now,
            valid_until=claims.valid_until,
        ),
    )
    why = other or _overtaken(connection, claims.decision, shown, keys, now)
    return PermitAnswer(why is None, why)


def _overtaken(
    connection: Connection, label: str, shown: ShownPermit, keys: KeyRing, now: datetime
) -> Why | None:
    try:
        id_ = id_of("chk", label)
        found = decisions.find(connection, shown.organisation, id_, keys=keys)
    except (MalformedIdError, UnknownDecisionError, DecisionSealedError):
        return Why.UNKNOWN_DECISION
    if reports.find_many(connection, shown.organisation, [id_]):
        return Why.USED
    (person,) = on_record.load_many(
        connection, shown.organisation, [shown.address], keys=keys, now=now, brands={}
    )
    if isinstance(person, ComplianceError):
        raise person
    size = found.opened.decision.read.consent
    if is_stopped_since(person.events, size):
        return Why.REVOKED
    return Why.UNDER_REVIEW if is_held_since(person.events, size) else None
