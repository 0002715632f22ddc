"""Instants in tables."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger.columns import instant_of, microseconds_of


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_to_the_microsecond(at: datetime) -> None:
    assert instant_of(microseconds_of(at)) == at


def test_the_zone_is_gone_and_the_instant_is_not() -> None:
    at = datetime(2026, 11, 21, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-5)))
    assert microseconds_of(at) == 1_795_280_400_000_001
    assert instant_of(microseconds_of(at)).tzinfo is UTC


def test_an_instant_without_a_zone_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        microseconds_of(datetime.fromisoformat("2026-11-21"))
