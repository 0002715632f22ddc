"""Make, change and delete the organisation's webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from api.errors import ConflictError, NotFoundError
from api.work import Priority
from consent import senders
from consent.errors import UnknownSenderError
from consent.keys.key_ring import KeyRing
from consent.propagation import deliveries, endpoints, guard
from consent.propagation.endpoints import Endpoint, Gate
from consent.propagation.words import DisabledWhy, Proof, WebhookEvent
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A webhook to be made."""

    organisation: str
    url: str
    events: Sequence[WebhookEvent]
    gates: Sequence[Gate]
    proof: Proof


class Change(StrEnum):
    """What may be done to a webhook."""

    ROTATE = "rotate"
    DISABLE = "disable"
    ENABLE = "enable"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """Something is to be done to the webhook of that id.

    ``abandons``: it may be deleted even if opt-outs have not arrived there.
    """

    organisation: str
    webhook: str
    change: Change
    abandons: bool = False


class MakeWebhooks:
    """The work that makes webhooks. ``to_loopback`` is the setting for development."""

    name = "make_webhook"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing, *, to_loopback: bool) -> None:
        self._keys = keys
        self._to_loopback = to_loopback

    def run_many(
        self, connection: Connection, requests: Sequence[NewWebhook], *, now: datetime
    ) -> list[Endpoint | ComplianceError]:
        """Make each; a gate names a sender that there is."""
        return [self._make(connection, request, now) for request in requests]

    def _make(
        self, connection: Connection, wanted: NewWebhook, now: datetime
    ) -> Endpoint | ComplianceError:
        try:
            guard.check_url(wanted.url, to_loopback=self._to_loopback)
        except ComplianceError as error:
            return error
        named = {gate.sender for gate in wanted.gates}
        if named - senders.load_names(connection, wanted.organisation, named).keys():
            return UnknownSenderError("the organisation has no sender of an id in gates")
        return endpoints.make(
            connection,
            wanted.organisation,
            url=wanted.url,
            events=wanted.events,
            gates=wanted.gates,
            proof=wanted.proof,
            keys=self._keys,
            now=now,
        )


class ChangeWebhooks:
    """The work that changes webhooks; it answers with the webhook as it then is."""

    name = "change_webhook"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[WebhookChange], *, now: datetime
    ) -> list[Endpoint | ComplianceError]:
        """Change each."""
        return [self._change(connection, request, now) for request in requests]

    def _change(
        self, connection: Connection, wanted: WebhookChange, now: datetime
    ) -> Endpoint | ComplianceError:
        organisation = wanted.organisation
        endpoint = endpoints.find(connection, organisation, wanted.webhook, keys=self._keys)
        if endpoint is None:
            return NotFoundError("there is no such webhook")
        match wanted.change:
            case Change.ROTATE:
                rotated = endpoints.rotate(
                    connection, organisation, endpoint.id, keys=self._keys, now=now
                )
                assert rotated is not None, "it was found in this very transaction"
                return rotated
            case Change.DISABLE:
                endpoints.disable(connection, endpoint, why=DisabledWhy.ASKED, now=now)
            case Change.ENABLE:
                endpoints.enable(connection, endpoint)
            case Change.DELETE:
                owed = deliveries.holds_owed(connection, organisation, endpoint.id)
                if owed and not wanted.abandons:
                    return ConflictError(
                        "opt-outs or erasures have not arrived there; to give them up, "
                        "ask with abandon=true"
                    )
                deliveries.abandon(connection, endpoint.id, now=now)
                endpoints.delete(connection, endpoint, now=now)
                return endpoint
        return find_webhook(connection, organisation, endpoint.id, keys=self._keys)


def find_webhook(
    connection: Connection, organisation: str, webhook: str, *, keys: KeyRing
) -> Endpoint:
    """The webhook of that id. ``NotFoundError``: this organisation has none."""
    endpoint = endpoints.find(connection, organisation, webhook, keys=keys)
    if endpoint is None:
        raise NotFoundError("there is no such webhook")
    return endpoint
