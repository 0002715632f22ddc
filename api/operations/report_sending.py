"""The sender's word on an allowed message.

It went out, and counts in caps; or it did not, and the place that it held is free.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from audit import decisions, reports
from audit.decisions import RecordedDecision
from audit.errors import AlreadyReportedError, NotAllowedError
from audit.reports import Outcome, Report
from consent import holds
from consent.errors import EventInFutureError, UnknownSubjectError
from consent.events import ConsentEvent, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import uuid7
from consent.recording import EventInput, record_events
from consent.subjects import KnownSubject, Stranger
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingReport:
    """What became of the message of a decision. ``at``: when it was sent, by default now."""

    organisation: str
    actor: str
    decision: bytes
    outcome: Outcome
    at: datetime | None = None


class ReportSending:
    """The work; its requests are reports of any organisation."""

    name = "report_sending"
    priority = Priority.EVENT

    def __init__(self, keys: KeyRing, *, release: str) -> None:
        self._keys = keys
        self._release = release

    def run_many(
        self, connection: Connection, requests: Sequence[SendingReport], *, now: datetime
    ) -> list[Report | ComplianceError]:
        """Take all reports of a turn, one organisation after the other."""
        grouped: dict[str, list[int]] = {}
        for place, request in enumerate(requests):
            grouped.setdefault(request.organisation, []).append(place)
        answers: dict[int, Report | ComplianceError] = {}
        for organisation, places in grouped.items():
            turn = _Turn(
                connection=connection,
                organisation=organisation,
                keys=self._keys,
                release=self._release,
                now=now,
            )
            taken = _report_sending(turn, [requests[place] for place in places])
            answers.update(zip(places, taken, strict=True))
        return [answers[place] for place in range(len(requests))]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What all reports of an organisation share. ``release``: digest of the rules in force."""

    connection: Connection
    organisation: str
    keys: KeyRing
    release: str
    now: datetime


def _report_sending(turn: _Turn, given: Sequence[SendingReport]) -> list[Report | ComplianceError]:
    """Take reports of one organisation, in order; the same one twice is taken once.

    A message that was sent counts from then on as a ``sent`` event, in place of the place that
    it held. The number of statements does not grow with the reports.
    """
    connection, organisation, now = turn.connection, turn.organisation, turn.now
    ids = list(dict.fromkeys(one.decision for one in given))
    found = decisions.find_many(connection, organisation, ids, keys=turn.keys)
    known = reports.find_many(connection, organisation, ids)
    first: dict[bytes, SendingReport] = {}
    refused: dict[bytes, ComplianceError] = {}
    for one in given:
        if one.decision in known or one.decision in first or one.decision in refused:
            continue
        refusal = _refusal(one, found[one.decision], now)
        if refusal is None:
            first[one.decision] = one
        else:
            refused[one.decision] = refusal
    events = _record_sent(turn, first, found)
    made = {id_: Report(id_, one.outcome, now, events.get(id_)) for id_, one in first.items()}
    reports.add_many(connection, organisation, list(made.values()))
    holds.free_many(connection, organisation, list(made))
    known.update(made)
    return [refused.get(one.decision) or _answer(one, known[one.decision]) for one in given]


def _refusal(
    one: SendingReport, found: RecordedDecision | ComplianceError, now: datetime
) -> ComplianceError | None:
    if isinstance(found, ComplianceError):
        return found
    if found.opened.circumstances.valid_until is None:
        return NotAllowedError(
            "this decision was no allow with a permit: there is nothing to report"
        )
    if one.at is not None and one.at > now:
        return EventInFutureError("at lies in the future")
    return None


def _answer(one: SendingReport, report: Report) -> Report | ComplianceError:
    if report.outcome is one.outcome:
        return report
    return AlreadyReportedError(f"this message was reported as {report.outcome} before")


def _record_sent(
    turn: _Turn,
    first: dict[bytes, SendingReport],
    found: dict[bytes, RecordedDecision | ComplianceError],
) -> dict[bytes, bytes]:
    """Put the messages that went out on record; give the ids of the events by decision."""
    inputs: dict[bytes, EventInput] = {}
    for id_, one in first.items():
        decision = found[id_]
        assert isinstance(decision, RecordedDecision), "what was not found has been refused"
        whom = _whom(decision)
        if one.outcome is Outcome.SENT and whom is not None:
            inputs[id_] = EventInput(
                whom, _sent(one, decision, turn.now), uuid7(turn.now), one.actor
            )
    if not inputs:
        return {}
    recorded = record_events(
        turn.connection,
        turn.organisation,
        list(inputs.values()),
        keys=turn.keys,
        now=turn.now,
        release=turn.release,
    )
    events: dict[bytes, bytes] = {}
    for (id_, given), answer in zip(inputs.items(), recorded, strict=True):
        if isinstance(answer, UnknownSubjectError):
            continue  # Erased since. The report stands, and there is nobody left to count for.
        if isinstance(answer, ComplianceError):
            raise answer
        events[id_] = given.event_id
    return events


def _whom(decision: RecordedDecision) -> KnownSubject | Stranger | None:
    if decision.subject is not None:
        return KnownSubject(decision.subject)
    return None if decision.blind_index is None else Stranger(decision.blind_index)


def _sent(one: SendingReport, decision: RecordedDecision, now: datetime) -> ConsentEvent:
    message = decision.opened.facts.message
    return ConsentEvent(
        event=RecordedKind.SENT,
        # It cannot have gone before it was decided on; told so, it would count in no cap.
        at=max(one.at or now, decision.opened.circumstances.decided_at),
        sender=decision.opened.circumstances.sender,
        channel=message.channel,
        purpose=message.purpose,
        topic=message.topic,
    )
