"""When a failed attempt is made again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.propagation.schedule import (
    BEFORE_DEADLINE,
    OTHER_WAITS,
    OWED_WAITS,
    next_attempt,
    rest_of,
)
from consent.propagation.words import OWED, WebhookEvent

NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def waits(event: WebhookEvent, count: int) -> list[float | None]:
    found = [
        next_attempt(event, failure_count=number, now=NOW, chance=0.0)
        for number in range(1, count + 1)
    ]
    return [None if at is None else (at - NOW).total_seconds() for at in found]


def test_an_opt_out_is_tried_again_densely_at_first_and_then_daily_without_end() -> None:
    minute, hour, day = 60, 3600, 86400
    assert waits(WebhookEvent.REVOKED, 12) == [
        1,
        5,
        15,
        minute,
        5 * minute,
        15 * minute,
        hour,
        3 * hour,
        6 * hour,
        12 * hour,
        day,
        day,
    ]
    assert next_attempt(WebhookEvent.REVOKED, failure_count=5000, now=NOW, chance=0) is not None


def test_an_erasure_is_never_given_up_either() -> None:
    assert {WebhookEvent.REVOKED, WebhookEvent.ERASED} == OWED
    assert waits(WebhookEvent.ERASED, 200)[-1] == 86400


def test_everything_else_is_given_up_after_its_last_wait() -> None:
    found = waits(WebhookEvent.CHECK_DENIED, len(OTHER_WAITS) + 1)
    assert found[0] == 5
    assert None not in found[:-1]
    assert found[-1] is None


@pytest.mark.parametrize("number", range(1, len(OWED_WAITS) + 1))
def test_jitter_adds_a_tenth_at_most_and_takes_nothing_away(number: int) -> None:
    at = next_attempt(WebhookEvent.REVOKED, failure_count=number, now=NOW, chance=0.999)
    assert at is not None
    assert OWED_WAITS[number - 1] < at - NOW < OWED_WAITS[number - 1] * 1.1


def test_what_the_receiver_asks_for_is_waited_for_a_day_at_most() -> None:
    def with_retry_after(wait: timedelta) -> timedelta:
        at = next_attempt(
            WebhookEvent.REVOKED, failure_count=1, now=NOW, chance=0, retry_after=wait
        )
        assert at is not None
        return at - NOW

    assert with_retry_after(timedelta()) == timedelta(seconds=1)
    assert with_retry_after(timedelta(minutes=3)) == timedelta(minutes=3)
    assert with_retry_after(timedelta(days=400)) == timedelta(days=1)


def test_no_wait_leaps_over_a_deadline_that_can_still_be_kept() -> None:
    deadline = NOW + timedelta(hours=5)
    at = next_attempt(
        WebhookEvent.REVOKED, failure_count=10, now=NOW, chance=0, deadline_at=deadline
    )
    assert at == deadline - BEFORE_DEADLINE
    # Of a deadline that is over nothing is left to keep.
    late = next_attempt(WebhookEvent.REVOKED, failure_count=10, now=NOW, chance=0, deadline_at=NOW)
    assert late == NOW + timedelta(hours=12)


@given(
    event=st.sampled_from(WebhookEvent),
    number=st.integers(1, 60),
    chance=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.timedeltas(timedelta(), timedelta(days=3)),
    deadline=st.none() | st.timedeltas(timedelta(days=-2), timedelta(days=40)),
)
def test_the_next_attempt_lies_in_the_future_and_within_two_days(
    event: WebhookEvent,
    number: int,
    chance: float,
    retry_after: timedelta | None,
    deadline: timedelta | None,
) -> None:
    at = next_attempt(
        event,
        failure_count=number,
        now=NOW,
        chance=chance,
        retry_after=retry_after,
        deadline_at=None if deadline is None else NOW + deadline,
    )
    if at is None:
        assert event not in OWED
        return
    assert timedelta(seconds=1) <= at - NOW <= timedelta(days=2)


def test_an_endpoint_that_fails_on_rests_a_minute_at_most() -> None:
    rests = [rest_of(number).total_seconds() for number in (8, 16, 24, 48, 10_000)]
    assert rests == [2, 4, 8, 60, 60]
