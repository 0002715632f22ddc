"""The closed lists of propagation: what is told, how a delivery stands, and what went wrong."""

from enum import IntEnum, StrEnum
from typing import Final

from consent.events import RecordedKind


class WebhookEvent(StrEnum):
    """What an endpoint may ask to be told."""

    GRANTED = "consent.granted"
    REVOKED = "consent.revoked"
    CONFIRMED = "consent.confirmed"
    ERASED = "subject.erased"
    CHECK_DENIED = "check.denied"
    RULES_RELEASED = "rules.released"
    RULES_SCHEDULED = "rules.scheduled"
    REGISTRY_STALE = "registry.stale"
    OVERDUE = "propagation.overdue"
    SUMMARY = "propagation.summary"


EVENT_OF_KIND: Final = {
    RecordedKind.GRANT: WebhookEvent.GRANTED,
    RecordedKind.CONFIRM: WebhookEvent.CONFIRMED,
    RecordedKind.REVOKE: WebhookEvent.REVOKED,
    RecordedKind.COMPLAINT: WebhookEvent.REVOKED,
}
"""What of the consent log is told. A complaint is an opt-out from marketing."""

OWED: Final = frozenset({WebhookEvent.REVOKED, WebhookEvent.ERASED})
"""What must arrive, however long it takes: it goes before all else and is never given up."""

ABOUT_PEOPLE: Final = frozenset(
    {WebhookEvent.GRANTED, WebhookEvent.REVOKED, WebhookEvent.CONFIRMED, WebhookEvent.ERASED}
)
"""What stands in the consent log and names a person's addresses."""

KEPT_WHILE_DISABLED: Final = ABOUT_PEOPLE
"""What goes on queueing for an endpoint that is disabled, so that it misses nothing of anybody."""


class Urgency(IntEnum):
    """Who goes first at an endpoint."""

    FIRST = 0
    """An opt-out or erasure that was not attempted yet."""
    AGAIN = 1
    """An opt-out or erasure that did not arrive so far."""
    OTHER = 2


class State(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    APPLIED = "applied"
    FAILED = "failed"
    """Given up after its last attempt; never an opt-out or an erasure."""
    ABANDONED = "abandoned"
    """Its endpoint was deleted by somebody who said that it may go."""


class Proof(StrEnum):
    """What counts as arrival at an endpoint: that it took it, or that it says it acted on it."""

    DELIVERED = "delivered"
    APPLIED = "applied"


class Problem(StrEnum):
    """Why an attempt did not arrive."""

    STATUS = "status"
    REDIRECTED = "redirected"
    GONE = "gone"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    NAME_UNKNOWN = "name_unknown"
    ADDRESS_REFUSED = "address_refused"
    TLS_FAILED = "tls_failed"
    ANSWER_UNREADABLE = "answer_unreadable"
    BODY_UNREADABLE = "body_unreadable"
    BROKER_REFUSED = "broker_refused"


class DisabledWhy(StrEnum):
    """Who disabled an endpoint: an admin, or the receiver by 410."""

    ASKED = "asked"
    GONE = "gone"
