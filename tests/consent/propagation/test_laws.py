"""By when an opt-out must have reached everybody."""

from datetime import UTC, datetime, timedelta

import pytest

from consent.propagation.laws import AT_ONCE, NO_LAW, Deadline, Deadlines, Stopped
from jurisdictions.addresses import parse_address
from jurisdictions.calendars import business_days
from rules.vocabulary import Channel, Purpose
from tests.support.service import the_law

AT = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def deadlines() -> Deadlines:
    return Deadlines(the_law())


def due(
    deadlines: Deadlines,
    address: str,
    *,
    at: datetime = AT,
    channel: Channel | None = None,
    purpose: Purpose | None = None,
    countries: str = "US",
) -> Deadline:
    return deadlines.of(
        Stopped(
            address=parse_address(address),
            at=at,
            channel=channel,
            purpose=purpose,
            sender_countries=frozenset(countries.split()),
        )
    )


def test_ten_business_days_skip_weekends_and_holidays_of_that_country(
    deadlines: Deadlines,
) -> None:
    """Thanksgiving, 26 November, is none: the tenth is Monday 7 December, to its end there."""
    found = due(deadlines, "+12125550123", channel=Channel.SMS)
    assert found == Deadline(datetime(2026, 12, 8, 5, 0, tzinfo=UTC), "us-tcpa-opt-out-deadline")


def test_the_day_of_the_opt_out_is_the_persons_own(deadlines: Deadlines) -> None:
    """03:00 UTC on the 21st is still Friday the 20th in New York."""
    at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    assert due(deadlines, "+12125550123", at=at).at == datetime(2026, 12, 8, 5, 0, tzinfo=UTC)
    at = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    assert due(deadlines, "+12125550123", at=at).at == datetime(2026, 12, 9, 5, 0, tzinfo=UTC)


def test_at_once_leaves_a_quarter_of_an_hour(deadlines: Deadlines) -> None:
    found = due(deadlines, "+4915112345678")
    assert found == Deadline(AT + AT_ONCE, "eea-gdpr-opt-out-deadline")


def test_before_a_law_is_in_force_it_sets_no_deadline(deadlines: Deadlines) -> None:
    """47 CFR 64.1200(a)(10) as it stands holds from 11 April 2025."""
    before = datetime(2025, 4, 10, 16, 0, tzinfo=UTC)
    after = datetime(2025, 4, 11, 16, 0, tzinfo=UTC)
    assert due(deadlines, "+12125550123", at=before, channel=Channel.SMS).rule is None
    assert due(deadlines, "+12125550123", at=after, channel=Channel.SMS).rule is not None


def test_what_no_law_times_has_our_own_limit(deadlines: Deadlines) -> None:
    found = due(deadlines, "+12125550123", purpose=Purpose.COLLECTIONS)
    assert found == Deadline(AT + NO_LAW)


def test_where_nobody_knows_whose_law_binds_ours_is_the_longest(deadlines: Deadlines) -> None:
    """Mail names no country: the sender's law gives ten days, but it may be another's."""
    assert due(deadlines, "ada@example.com") == Deadline(AT + NO_LAW)
    found = due(deadlines, "ada@example.com", countries="DE")
    assert found == Deadline(AT + AT_ONCE, "eea-gdpr-opt-out-deadline")


def test_of_several_senders_the_strictest_law_counts(deadlines: Deadlines) -> None:
    assert due(deadlines, "+12125550123", countries="US").at > AT + timedelta(days=10)
    found = due(deadlines, "+12125550123", countries="US DE")
    assert found == Deadline(AT + AT_ONCE, "eea-gdpr-opt-out-deadline")


def test_an_address_that_cannot_be_one_still_has_a_deadline(deadlines: Deadlines) -> None:
    assert due(deadlines, "not an address").at <= AT + NO_LAW


def test_a_weekend_is_that_countrys_own() -> None:
    friday, sunday = datetime(2026, 11, 20).date(), datetime(2026, 11, 22).date()  # noqa: DTZ001
    assert business_days("US")(friday)
    assert not business_days("US")(sunday)
    assert not business_days("SA")(friday)
    assert business_days("SA")(sunday)
    assert business_days("XX")(friday)
    assert not business_days("XX")(sunday)
