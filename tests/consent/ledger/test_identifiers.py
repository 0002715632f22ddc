"""Ids."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger import identifiers
from consent.ledger.errors import MalformedIdError

instants = st.datetimes(
    datetime.fromisoformat("1970-01-01"),
    datetime.fromisoformat("9999-01-01"),
    timezones=st.just(UTC),
)


@given(instants)
def test_an_id_is_a_uuid_of_version_7_with_its_millisecond(at: datetime) -> None:
    made = uuid.UUID(bytes=identifiers.uuid7(at))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(instants, st.integers(1, 10**9))
def test_a_later_id_sorts_after_by_the_microsecond(at: datetime, later: int) -> None:
    assert identifiers.uuid7(at) < identifiers.uuid7(at + timedelta(microseconds=later))


def test_ids_of_one_instant_differ() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert len({identifiers.uuid7(at) for _ in range(1000)}) == 1000


def test_a_label_reads_back() -> None:
    made = identifiers.uuid7(datetime(2026, 11, 21, tzinfo=UTC))
    assert identifiers.id_of("evt", identifiers.label_of("evt", made)) == made


@pytest.mark.parametrize(
    "label",
    [
        "",
        "evt_",
        "chk_" + "0" * 32,
        "evt_" + "0" * 31,
        "evt_" + "A" * 32,
        "evt_" + "0" * 32 + "\n",
        "evt_" + "٠" * 32,
    ],
)
def test_what_is_no_label_of_that_kind_is_refused(label: str) -> None:
    with pytest.raises(MalformedIdError):
        identifiers.id_of("evt", label)


def test_an_organisation_id_is_short_and_plain() -> None:
    assert len(identifiers.new_organisation_id()) == 20
    assert identifiers.new_organisation_id() != identifiers.new_organisation_id()
