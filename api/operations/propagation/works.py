"""What routes about propagation ask of the writer, by the names that handlers know it by."""

from typing import Any

from api.operations.propagation.follow_deliveries import ReportApplied, RetryDeliveries
from api.operations.propagation.keep_webhooks import ChangeWebhooks, MakeWebhooks
from api.operations.propagation.reconcile import TellAgain
from consent.keys.key_ring import KeyRing
from consent.propagation.brokers import Brokers


def propagation_works(keys: KeyRing, *, to_loopback: bool, brokers: Brokers) -> dict[str, Any]:
    """One of each."""
    return {
        "change_webhooks": ChangeWebhooks(keys),
        "make_webhooks": MakeWebhooks(keys, to_loopback=to_loopback, brokers=brokers),
        "report_applied": ReportApplied(),
        "retry_deliveries": RetryDeliveries(keys),
        "tell_again": TellAgain(keys),
    }
