"""What makes a check one that cannot be made at all: then nothing is decided."""

from collections.abc import Container
from datetime import datetime, timedelta

from api.errors import InvalidRequestError
from consent.errors import UnknownSenderError
from consent.opt_outs import is_instant
from rules.errors import ComplianceError

LATE_AT_MOST = timedelta(minutes=5)
FORECAST_AT_MOST = timedelta(days=90)


def refusal_of(
    sender: str,
    send_at: datetime | None,
    discard_after: datetime | None,
    *,
    known: Container[str],
    now: datetime,
) -> ComplianceError | None:
    """Say why; None where it can be made. ``known``: the ids of the organisation's senders."""
    if sender not in known:
        return UnknownSenderError("the organisation has no sender of that id")
    for name, at in (("send_at", send_at), ("discard_after", discard_after)):
        if at is not None and not is_instant(at):
            return _unfit(name, "lies outside the years that can be told in UTC")
    if send_at is not None:
        if send_at < now - LATE_AT_MOST:
            return _unfit("send_at", "lies more than five minutes in the past")
        if send_at > now + FORECAST_AT_MOST:
            return _unfit("send_at", "lies more than 90 days ahead")
    return None


def _unfit(name: str, what: str) -> InvalidRequestError:
    return InvalidRequestError(f"message.{name} {what}", ((f"/message/{name}", what),))
