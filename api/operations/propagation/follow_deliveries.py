"""Follow what was sent to webhooks: retry it, and take the receiver's word that it acted on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.errors import ConflictError, DeliveryOvertakenError, NotFoundError
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.propagation import deliveries, endpoints, overtaken
from consent.propagation.deliveries import Delivery
from consent.propagation.errors import SignatureRefusedError
from consent.propagation.signatures import is_signed
from consent.propagation.words import State
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """A delivery is to be attempted now."""

    organisation: str
    delivery: bytes


@dataclass(frozen=True, slots=True)
class AppliedReport:
    """A receiver says that it acted on a delivery; ``is_applied_by`` has looked at its word."""

    delivery: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport:
    """A report as it came: the three headers of Standard Webhooks, and the body."""

    delivery: bytes
    id: str
    timestamp: str
    signature: str
    body: bytes


class RetryDeliveries:
    """The work that makes deliveries due. Submit it for the organisation."""

    name = "retry_delivery"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[RetryRequest], *, now: datetime
    ) -> list[Delivery | ComplianceError]:
        """Make each due now. What has arrived, or has no body any more, is not sent again; nor is
        a grant behind what its person said later."""
        return [self._retried(connection, request, now) for request in requests]

    def _retried(
        self, connection: Connection, request: RetryRequest, now: datetime
    ) -> Delivery | ComplianceError:
        delivery = deliveries.find(connection, request.delivery)
        if delivery is None or delivery.organisation != request.organisation:
            return NotFoundError("there is no such delivery")
        if delivery.state in (State.DELIVERED, State.APPLIED):
            return ConflictError("it has arrived already")
        if delivery.state is State.FAILED:
            if overtaken.is_overtaken(connection, delivery, keys=self._keys):
                return DeliveryOvertakenError(
                    "what was said later of the same person has arrived there, or is on its way:"
                    " this would now come behind it"
                )
            line, waits = overtaken.line_of(connection, delivery, keys=self._keys)
            done = deliveries.revive(connection, delivery, line=line, waits=waits, now=now)
        else:
            done = deliveries.retry(connection, delivery, now=now)
        if not done:
            return ConflictError(
                "it is under way, waits behind an earlier one of the same person, or was abandoned"
            )
        return _as_it_is(connection, delivery)


class ReportApplied:
    """The work that takes receivers' reports; the first of a delivery counts."""

    name = "report_applied"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[AppliedReport], *, now: datetime
    ) -> list[Delivery | ComplianceError]:
        """Put each on record."""
        return [_applied(connection, request, now) for request in requests]


def check_report(
    connection: Connection, report: SignedReport, *, keys: KeyRing, now: datetime
) -> Delivery:
    """The delivery that a report is about. ``NotFoundError``: there is none;
    ``SignatureRefusedError``: whoever reports is not its receiver, or said so long ago."""
    delivery = deliveries.find(connection, report.delivery)
    endpoint = None
    if delivery is not None:
        endpoint = endpoints.find(connection, delivery.organisation, delivery.endpoint, keys=keys)
    if delivery is None or endpoint is None:
        raise NotFoundError("there is no such delivery")
    signed = is_signed(
        endpoint.secrets,
        id_=report.id,
        timestamp=report.timestamp,
        signature=report.signature,
        body=report.body,
        now=now,
    )
    if not signed:
        raise SignatureRefusedError("sign as Standard Webhooks do (v1), with the webhook's secret")
    return delivery


def _applied(
    connection: Connection, request: AppliedReport, now: datetime
) -> Delivery | ComplianceError:
    delivery = deliveries.find(connection, request.delivery)
    if delivery is None:
        return NotFoundError("there is no such delivery")
    deliveries.report_applied(connection, delivery, now=now)
    return _as_it_is(connection, delivery)


def _as_it_is(connection: Connection, delivery: Delivery) -> Delivery:
    found = deliveries.find(connection, delivery.id)
    assert found is not None, "it was found in this very transaction"
    return found
