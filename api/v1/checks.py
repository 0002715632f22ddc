"""May this message go to this person, now?"""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api.call import Answer, Call, unchanged
from api.openapi import shown
from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import ID_PREFIX, Check, CheckMessages
from api.operations.read_check import DecisionRead, read_check
from api.operations.record_access import Access, AccessKind, RecordAccess
from api.operations.record_events import ID_PREFIX as EVENT_PREFIX
from api.operations.replays.one_check import ReplayAnswer, ReplayGate, replay_check
from api.operations.report_sending import ReportSending, SendingReport
from api.roles import Caller, Role, open_to
from api.v1.shapes import AddressText, Instant, MessageShape, RecipientShape, SenderName
from audit.reports import Outcome, Report
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import id_of, label_of
from consent.ledger.leaf import Statement
from jurisdictions.addresses import parse_address
from jurisdictions.places import locate

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

    def to_check(self, caller: Caller, with_sheet: frozenset[str]) -> Check:
        """Parse the address and find its place, before the writer's turn."""
        recipient, message = self.recipient, self.message
        template, address = message.template, parse_address(recipient.address)
        return Check(
            organisation=caller.organisation,
            actor=caller.key,
            sender=self.sender,
            address=address,
            place=locate(
                address,
                region=recipient.region,
                time_zone=recipient.time_zone,
                with_sheet=with_sheet,
            ),
            kind=recipient.kind,
            age=recipient.age,
            channel=message.channel,
            purpose=message.purpose,
            topic=message.topic,
            sender_id=message.sender_id,
            text=message.text,
            template=None if template is None else template.to_reference(),
            automated=message.automated,
            send_at=message.send_at,
            discard_after=message.discard_after,
            reference=self.reference,
            preview=self.preview,
        )


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of somebody who is not on record, the `address` that was asked about: it stands nowhere, and
    with it nothing can be left out of `proof.history`."""

    address: AddressText | None = None


class ReportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it went out, if not now."""

    at: Instant | None = None


class ReportResponse(msgspec.Struct, frozen=True):
    """A report on record. ``event`` is the id of the ``sent`` event, if one was made."""

    id: str
    outcome: Outcome
    reported_at: datetime
    event: str | None

    @classmethod
    def of(cls, report: Report) -> "ReportResponse":
        """Render it."""
        event = report.event_id
        return cls(
            label_of(ID_PREFIX, report.decision),
            report.outcome,
            report.reported_at,
            None if event is None else label_of(EVENT_PREFIX, event),
        )


@post(
    "/v1/checks",
    status_code=200,
    opt=open_to(Role.SENDER) | shown(request=EXAMPLE_CHECK),
    operation_id="checkMessage",
    summary="May this message go to this person, now?",
)
async def post_check(data: JSONBody[CheckRequest], request: Call) -> Answer[CheckAnswer]:
    """Decide on one message. The decision is on record before this answers.

    `deny` and `defer` are answers, not errors: they are 200 too. An error (4xx, 5xx) means that
    nothing was decided, and the sender must not send.
    """
    # Not injected as elsewhere: injecting takes a tenth of the time of a whole check.
    check_messages: CheckMessages = request.app.state.check_messages
    check = data.to_check(request.caller, check_messages.with_sheet)
    return await request.write(check_messages, check, shape=unchanged)


@get(
    "/v1/checks/{check:str}",
    opt=open_to(Role.SENDER),
    operation_id="readCheck",
    summary="A decision and every fact that it rested on",
)
async def get_check(
    check: FromPath[str], request: Call, key_ring: NamedDependency[KeyRing]
) -> Answer[DecisionRead]:
    """As it was decided, with what was reported of the message since."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, _: read_check(connection, organisation, check, keys=key_ring),
        shape=unchanged,
    )


@post(
    "/v1/checks/{check:str}/replay",
    status_code=200,
    opt=open_to(Role.SENDER, Role.AUDITOR),
    operation_id="replayCheck",
    summary="Decide again, from the log as it then stood",
)
async def post_replay(
    check: FromPath[str],
    request: Call,
    replay_gate: NamedDependency[ReplayGate],
    record_access: NamedDependency[RecordAccess],
    data: JSONBody[ReplayRequest | None] = None,
) -> Answer[ReplayAnswer]:
    """`same` is true if the logs still say what the decision rested on, and it comes to the very
    same bytes. Else `differed` names what was not as then, and `changed` what that changed.

    A sender may ask for what its own keys asked for, an auditor for every check. 410 for somebody
    who was erased, and where the key of the decision's month was destroyed. The person's record
    is read for it, so it stands in the access log; while the ledger is read only, nobody gets it.
    """
    caller = request.caller
    address = parse_address(data.address) if data is not None and data.address else None
    answer: Answer[ReplayAnswer] = await request.read(
        lambda connection, _: replay_check(
            connection, caller, check, gate=replay_gate, address=address
        ),
        shape=unchanged,
    )
    whose = msgspec.json.decode(answer.reply.body, type=_Whose)
    subject = None if whose.subject is None else bytes.fromhex(whose.subject)
    statement: Statement = {"check": whose.id}
    read = Access(caller.organisation, caller.key, AccessKind.REPLAY, subject, statement)
    await request.exchange.service.writer.submit(
        record_access, read, organisation=caller.organisation
    )
    return answer


class _Whose(msgspec.Struct):
    id: str
    subject: str | None


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
    report_sending: NamedDependency[ReportSending],
    data: JSONBody[ReportRequest | None] = None,
) -> Answer[ReportResponse]:
    """It counts in frequency caps from then on."""
    return await _report(check, request, report_sending, Outcome.SENT, data)


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
    report_sending: NamedDependency[ReportSending],
    data: JSONBody[ReportRequest | None] = None,
) -> Answer[ReportResponse]:
    """It frees the place that the check held in frequency caps."""
    return await _report(check, request, report_sending, Outcome.NOT_SENT, data)


ROUTES = (post_check, get_check, post_replay, post_sent, post_not_sent)


async def _report(
    check: str,
    request: Call,
    report_sending: ReportSending,
    outcome: Outcome,
    data: ReportRequest | None,
) -> Answer[ReportResponse]:
    caller = request.caller
    report = SendingReport(
        organisation=caller.organisation,
        actor=caller.key,
        decision=id_of(ID_PREFIX, check),
        outcome=outcome,
        at=None if data is None else data.at,
    )
    return await request.write(report_sending, report, shape=ReportResponse.of)
