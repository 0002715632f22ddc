"""Decide on a batch of messages and put the decisions on record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from api.work import Priority, Reply
from rules.decision import Finding, Obligation
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose, RecipientKind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInput:
    """One message as a caller asks about it; nothing is parsed yet but times and closed words.

    ``send_at`` None: now. ``actor`` is the key that asks. ``preview``: no record, no permit, no
    place in a cap.
    """

    organisation: str
    actor: str
    sender: str
    address: str
    channel: Channel
    purpose: Purpose
    region: str | None = None
    time_zone: str | None = None
    kind: RecipientKind = RecipientKind.CONSUMER
    age: int | None = None
    topic: str | None = None
    sender_id: str | None = None
    text: str | None = None
    template: tuple[str, str] | None = None
    automated: bool = True
    send_at: datetime | None = None
    discard_after: datetime | None = None
    reference: str | None = None
    preview: bool = False


@dataclass(frozen=True, slots=True)
class PreparedCheck:
    """A message with its address parsed and its place found, ready for the writer's turn."""

    input: CheckInput
    parsed: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckAnswer:
    """A decision as it is answered. Sentences are written when it is rendered.

    ``id`` is a UUIDv7, None for a preview, and so is ``index``. ``valid_until`` and ``permit``
    come with an allow that is no forecast. ``evidence`` are indexes in the consent log.
    """

    id: bytes | None
    verdict: Verdict
    not_before: datetime | None
    valid_until: datetime | None
    permit: str | None
    jurisdictions: tuple[str, ...]
    findings: tuple[Finding, ...]
    obligations: tuple[Obligation, ...]
    evidence: tuple[int, ...]
    registries: Mapping[str, date]
    consent_size: int
    release_id: str
    release_digest: str
    decided_at: datetime
    reference: str | None
    index: int | None
    forecast: bool = False
    links: Mapping[str, str] = field(default_factory=dict)


def prepare(asked: CheckInput, *, now: datetime) -> PreparedCheck:
    """Parse the address and find its place, before the writer's turn, in the request's task.

    Raises what is a 400: ``UnknownRegionError``, ``UnknownTimeZoneError``, a ``send_at`` more
    than five minutes past or more than 90 days ahead (``InvalidRequestError``, with the
    pointer). An impossible address raises nothing: it is a decision.
    """
    raise NotImplementedError


class CheckMessages:
    """The work. Constant in statements, however many checks share a turn."""

    name = "check_messages"
    priority = Priority.CHECK

    def run_many(
        self, connection: Connection, requests: Sequence[PreparedCheck], *, now: datetime
    ) -> Sequence[CheckAnswer | ComplianceError]:
        """Load what is on record, decide with the plan, record, hold places, sign permits.

        An unknown sender is ``UnknownSenderError`` in its place; a standing that does not open
        is ``StandingUnreadableError`` (503). Previews leave nothing behind.
        """
        raise NotImplementedError

    def superseded(
        self, connection: Connection, organisation: str, reply: Reply, *, now: datetime
    ) -> ComplianceError | None:
        """``DecisionSupersededError`` for an allow whose ``valid_until`` has passed, or whose
        person has revoked since; None for anything else."""
        raise NotImplementedError
