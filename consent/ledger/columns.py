"""Column types that every storing package shares; the same tables serve SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Count = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""64 bits on both databases. SQLite's STRICT tables know the word INTEGER only."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as UTC microseconds since 1970: whole, comparable, without a zone."""

    impl = Count
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds_of(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else instant_of(value)


class Bytes(sa.LargeBinary):
    """Bytes in, bytes out. Both drivers give and take them as they are, so nothing is wrapped."""

    def bind_processor(self, dialect: Dialect) -> Any:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return None


def microseconds_of(at: datetime) -> int:
    """Count the microseconds from 1970 to ``at``, which must be aware."""
    assert at.tzinfo is not None, "an instant without a zone names no instant"
    return (at - _EPOCH) // _MICROSECOND


def instant_of(microseconds: int) -> datetime:
    """Give the UTC instant that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)
