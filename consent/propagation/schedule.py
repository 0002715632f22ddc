"""When an attempt that failed is made again: a pure function of what is known."""

from datetime import datetime, timedelta
from typing import Final

from consent.propagation.words import OWED, WebhookEvent

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)

OWED_WAITS: Final = (
    _SECOND,
    5 * _SECOND,
    15 * _SECOND,
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    12 * _HOUR,
)
"""After the first, second, … failure of an opt-out or erasure; then daily, without an end."""

OTHER_WAITS: Final = (
    5 * _SECOND,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    10 * _HOUR,
)
"""The same for everything else, which is given up after the last."""

JITTER: Final = 0.1
"""A wait is up to so much longer, so that what failed together does not come back together."""

BEFORE_DEADLINE: Final = timedelta(minutes=5)
"""Of what is still to come before a deadline, the last attempt is made so long before it."""

RETRY_AFTER_MAX: Final = _DAY
REST_MAX: Final = _MINUTE


def next_attempt(
    event: WebhookEvent,
    *,
    failure_count: int,
    now: datetime,
    chance: float,
    retry_after: timedelta | None = None,
    deadline_at: datetime | None = None,
) -> datetime | None:
    """Give when to try again after the ``failure_count``-th failure (from 1); None, never.

    ``chance`` in [0, 1) chooses within the jitter. ``retry_after`` is what the receiver asked
    for: it is waited for, a day at most. A wait that would leap over the deadline ends a little
    before it, unless the receiver asked for more.
    """
    assert failure_count > 0, "what has not failed is due already"
    waits = OWED_WAITS if event in OWED else OTHER_WAITS
    if failure_count > len(waits) and event not in OWED:
        return None
    wait = waits[failure_count - 1] if failure_count <= len(waits) else _DAY
    at = now + wait * (1 + JITTER * chance)
    if deadline_at is not None:
        last = deadline_at - BEFORE_DEADLINE
        if now + _MINUTE < last < at:
            at = last
    if retry_after is not None:
        at = max(at, now + min(retry_after, RETRY_AFTER_MAX))
    return at


def rest_of(failures_in_row: int) -> timedelta:
    """Give how long an endpoint is left alone that has failed so often without one success.

    What is due stays due meanwhile: when one attempt succeeds, all the rest follows at once.
    """
    return min(_SECOND * (1 << min(failures_in_row // 8, 10)), REST_MAX)
