"""May this message go to this person, now?"""

from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.call import Answer, Call
from api.openapi import shown
from api.operations.check_messages import CheckAnswer, CheckInput, CheckMessages, prepare
from api.operations.find_check import FindCheck, RecordedCheck
from api.operations.report_message import MessageReport, Reported, ReportMessages
from api.roles import Caller, Role, open_to
from api.v1.shapes import Instant, MessageShape, RecipientShape, SenderName, id_in_path
from audit.explain import sentence
from consent.ledger.identifiers import label_of
from rules.decision import Finding, Obligation, Provision
from rules.vocabulary import ObligationCode, ReasonCode, Verdict

EXAMPLE_CHECK = {
    "sender": "acme",
    "recipient": {
        "address": "+12125550123",
        "region": "US-NY",
        "time_zone": "America/New_York",
    },
    "message": {
        "channel": "sms",
        "purpose": "marketing",
        "from": "+18885550100",
        "text": "Acme: 20% off today. Reply STOP to opt out.",
    },
    "reference": "campaign-7/row-12",
}


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message, who sends it and to whom. ``preview`` decides and leaves nothing behind."""

    sender: SenderName
    recipient: RecipientShape
    message: MessageShape
    reference: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    preview: bool = False

    def to_input(self, caller: Caller) -> CheckInput:
        """As the operation takes it."""
        recipient, message = self.recipient, self.message
        template = message.template
        return CheckInput(
            organisation=caller.organisation,
            actor=caller.key,
            sender=self.sender,
            address=recipient.address,
            region=recipient.region,
            time_zone=recipient.time_zone,
            kind=recipient.kind,
            age=recipient.age,
            channel=message.channel,
            purpose=message.purpose,
            topic=message.topic,
            sender_id=message.sender_id,
            text=message.text,
            template=None if template is None else (template.scheme, template.id),
            automated=message.automated,
            send_at=message.send_at,
            discard_after=message.discard_after,
            reference=self.reference,
            preview=self.preview,
        )


class ReasonShape(msgspec.Struct, frozen=True):
    """What one rule has against the message. ``until``: when waiting would cure it."""

    code: ReasonCode
    effect: Verdict
    jurisdiction: str
    regulation: str
    rule: str
    cite: str
    force: str
    certainty: str
    until: datetime | None
    detail: str

    @classmethod
    def of(cls, finding: Finding) -> "ReasonShape":
        """With its sentence."""
        provision: Provision = finding.provision
        return cls(
            finding.code,
            finding.effect,
            provision.jurisdiction,
            provision.regulation,
            provision.rule,
            provision.citation,
            provision.force.value,
            provision.certainty.value,
            finding.until,
            sentence(finding.code, finding.detail),
        )


class ObligationShape(msgspec.Struct, frozen=True):
    """What the message must still carry, or its sender do."""

    code: ObligationCode
    jurisdiction: str
    rule: str
    cite: str
    detail: str

    @classmethod
    def of(cls, owed: Obligation) -> "ObligationShape":
        """With its sentence."""
        provision = owed.provision
        return cls(
            owed.code,
            provision.jurisdiction,
            provision.rule,
            provision.citation,
            sentence(owed.code, owed.detail),
        )


class EvidenceShape(msgspec.Struct, frozen=True):
    """An entry of a log on which the decision rests."""

    log: str
    index: int


class ReleaseShape(msgspec.Struct, frozen=True):
    """The law as it was applied."""

    id: str
    digest: str


class CheckResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The decision. It was on record before this was sent, unless it is a preview."""

    id: str | None
    verdict: Verdict
    not_before: datetime | None
    valid_until: datetime | None
    permit: str | None
    jurisdictions: tuple[str, ...]
    reasons: list[ReasonShape]
    obligations: list[ObligationShape]
    evidence: list[EvidenceShape]
    freshness: dict[str, date | int]
    release: ReleaseShape
    decided_at: datetime
    reference: str | None
    log: str | None
    index: int | None
    forecast: bool
    links: dict[str, str] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, answer: CheckAnswer) -> "CheckResponse":
        """Render a decision, sentences and all."""
        return cls(**_fields_of(answer))


class RecordedCheckResponse(CheckResponse, frozen=True, kw_only=True):
    """A decision with every fact that it rested on, and what was reported since."""

    facts: dict[str, Any]
    report: str | None
    reported_at: datetime | None

    @classmethod
    def of_recorded(cls, found: RecordedCheck) -> "RecordedCheckResponse":
        """Render a decision that was found."""
        return cls(
            **_fields_of(found.answer),
            facts=dict(found.facts),
            report=found.report,
            reported_at=found.reported_at,
        )


class ReportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it went out, if not now."""

    at: Instant | None = None


class ReportResponse(msgspec.Struct, frozen=True):
    """A report on record. ``index`` is the place of the ``sent`` event in the consent log."""

    id: str
    report: str
    recorded_at: datetime
    log: str | None
    index: int | None

    @classmethod
    def of(cls, reported: Reported) -> "ReportResponse":
        """Render it."""
        return cls(
            label_of("chk", reported.check),
            "sent" if reported.was_sent else "not-sent",
            reported.recorded_at,
            None if reported.index is None else "consent",
            reported.index,
        )


@post(
    "/v1/checks",
    status_code=200,
    opt=open_to(Role.SENDER) | shown(request=EXAMPLE_CHECK),
    operation_id="checkMessage",
    summary="May this message go to this person, now?",
)
async def post_check(
    data: JSONBody[CheckRequest], request: Call, check_messages: NamedDependency[CheckMessages]
) -> Answer[CheckResponse]:
    """Decide on one message. The decision is on record before this answers.

    `deny` and `defer` are answers, not errors: they are 200 too. An error (4xx, 5xx) means that
    nothing was decided, and the sender must not send.
    """
    prepared = prepare(data.to_input(request.caller), now=request.now)
    return await request.write(check_messages, prepared, shape=CheckResponse.of)


@get(
    "/v1/checks/{check:str}",
    opt=open_to(Role.SENDER),
    operation_id="readCheck",
    summary="A decision and every fact that it rested on",
)
async def get_check(
    check: FromPath[str], request: Call, find_check: NamedDependency[FindCheck]
) -> Answer[RecordedCheckResponse]:
    """As it was decided, with what was reported of the message since."""
    wanted, organisation = id_in_path("chk", check), request.caller.organisation
    return await request.read(
        lambda connection, _: find_check.find(connection, organisation, wanted),
        shape=RecordedCheckResponse.of_recorded,
    )


@post(
    "/v1/checks/{check:str}/sent",
    status_code=200,
    opt=open_to(Role.SENDER),
    operation_id="reportSent",
    summary="The message went out",
)
async def post_sent(
    check: FromPath[str],
    request: Call,
    report_messages: NamedDependency[ReportMessages],
    data: JSONBody[ReportRequest | None] = None,
) -> Answer[ReportResponse]:
    """It counts in frequency caps from then on."""
    return await _report(check, request, report_messages, was_sent=True, data=data)


@post(
    "/v1/checks/{check:str}/not-sent",
    status_code=200,
    opt=open_to(Role.SENDER),
    operation_id="reportNotSent",
    summary="The message will not go out",
)
async def post_not_sent(
    check: FromPath[str],
    request: Call,
    report_messages: NamedDependency[ReportMessages],
    data: JSONBody[ReportRequest | None] = None,
) -> Answer[ReportResponse]:
    """It frees the place that the check held in frequency caps."""
    return await _report(check, request, report_messages, was_sent=False, data=data)


async def _report(
    check: str,
    request: Call,
    report_messages: ReportMessages,
    *,
    was_sent: bool,
    data: ReportRequest | None,
) -> Answer[ReportResponse]:
    caller = request.caller
    report = MessageReport(
        caller.organisation,
        caller.key,
        id_in_path("chk", check),
        was_sent,
        data.at if data is not None else None,
    )
    return await request.write(report_messages, report, shape=ReportResponse.of)


def _fields_of(answer: CheckAnswer) -> dict[str, Any]:
    is_recorded = answer.index is not None
    return {
        "id": None if answer.id is None else label_of("chk", answer.id),
        "verdict": answer.verdict,
        "not_before": answer.not_before,
        "valid_until": answer.valid_until,
        "permit": answer.permit,
        "jurisdictions": answer.jurisdictions,
        "reasons": [ReasonShape.of(finding) for finding in answer.findings],
        "obligations": [ObligationShape.of(owed) for owed in answer.obligations],
        "evidence": [EvidenceShape("consent", index) for index in answer.evidence],
        "freshness": {**answer.registries, "consent": answer.consent_size},
        "release": ReleaseShape(answer.release_id, answer.release_digest),
        "decided_at": answer.decided_at,
        "reference": answer.reference,
        "log": "decisions" if is_recorded else None,
        "index": answer.index,
        "forecast": answer.forecast,
        "links": dict(answer.links) or msgspec.UNSET,
    }
